import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type ChatFault, DEMO_MODEL, startChatServer } from '../../src/demo/chat-server.js';
import { type LoopbackServer, startLoopbackServer } from '../../src/demo/loopback-server.js';
import { writeInboxTriage, writeSiteWatch } from '../../src/demo/templates/everyday.js';
import { systemClock } from '../../src/domain/clock.js';
import { silentObserver } from '../../src/domain/observability/observer.js';
import { Redactor } from '../../src/domain/redact.js';
import type { Run } from '../../src/domain/run.js';
import type { Task, TaskInput } from '../../src/domain/task.js';
import { Budgets } from '../../src/server/budget/budgets.js';
import { PriceTable } from '../../src/server/budget/prices.js';
import { createToolCallers, type ToolCallers } from '../../src/server/tools/tool-callers.js';
import { startTestSystem, type TestSystem } from '../server/a-system.js';

let chat: LoopbackServer<ChatFault>;
let web: LoopbackServer<{ kind: never }>;
let callers: ToolCallers;
let system: TestSystem;
let page = '';
let emails: { from: string; subject: string }[] = [];

beforeAll(async () => {
  chat = await startChatServer({ port: 0 });
  web = await startLoopbackServer<{ kind: never }>({
    name: 'web',
    port: 0,
    answer: () => ({ status: 200, body: page, headers: { 'content-type': 'text/html; charset=utf-8' } }),
  });
  const secrets = { resolve: async () => '', names: async () => [] };
  callers = createToolCallers({ clock: systemClock, secrets, redactor: new Redactor() });
  system = await startTestSystem({
    callTool: async (tool, input, context) => {
      if (tool.address === 'mail.top_unread')
        return { output: { emails, total_unread: emails.length }, durationMs: 1 };
      if (tool.address === 'telegram.send_message') return { output: { message_id: 1 }, durationMs: 1 };
      return callers.call(tool, input, context);
    },
    budgets: (store, clock) =>
      new Budgets({
        store,
        clock,
        prices: new PriceTable('none.yaml'),
        observer: silentObserver,
        global: undefined,
        timezone: 'UTC',
      }),
  });
  const at = (url: string) => ({ grants: [new URL(url).host] });
  await system.addTool({
    address: 'web.page',
    kind: 'http',
    side_effect: 'read',
    ...at(web.url),
    http: { method: 'GET', url: `${web.url}/page`, response: { type: 'text', map: '{text: body}' } },
  });
  await system.addTool({
    address: 'llm.chat',
    kind: 'llm',
    ...at(chat.url),
    llm: { provider: 'openai', base_url: `${chat.url}/v1`, model: DEMO_MODEL },
  });
  for (const [address, side_effect] of [
    ['mail.top_unread', 'read'],
    ['telegram.send_message', 'once'],
  ] as const)
    await system.addTool({ address, kind: 'http', side_effect, http: { url: 'http://example.com/' } });
  system.startWorker();
});
afterAll(async () => {
  await system?.close();
  await callers?.close();
  await chat?.close();
  await web?.close();
});
beforeEach(() => {
  chat.faults.clear();
  chat.requests.length = 0;
});

const taskOf = (yaml: string, name: string): Promise<Task> =>
  system.addTask({ ...(parse(yaml) as TaskInput), name });
/** Runs it at its next quarter of an hour: how it ended, and what it said. */
async function look(task: Task): Promise<string[]> {
  system.clock.advance(900_000);
  const { id } = await system.runNow(task);
  const { status, reason } = await ended(id);
  const said = (await system.messages(id)).map(
    ({ message }) => (message.input as { text: string }).text.split('\n')[0] as string,
  );
  return [reason === null ? status : `${status} ${reason}`, ...said];
}
/** Waits for the end of a run; time jumps to each retry. */
async function ended(id: string): Promise<Run> {
  for (;;) {
    const run = await system.until(id, 'queued', 'succeeded', 'partial', 'failed', 'dead', 'skipped');
    if (run.status !== 'queued') return run;
    if (run.runAt > system.clock.now()) system.clock.set(run.runAt);
    system.bus.publish('work', { count: 1 });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
/** 300 KB, of which the end differs. */
const large = (end: string) => `<h1>Kettle</h1>${'<p>In stock, 1.7 l</p>'.repeat(14_000)}${end}`;

it('site-watch tells of a large page once, within its budget, and again when it changed', async () => {
  const task = await taskOf(writeSiteWatch('UTC'), 'large');
  page = large('49.90');
  expect(await look(task)).toEqual(['succeeded', expect.stringMatching(/^The page says: Kettle/)]);
  expect(await look(task)).toEqual(['skipped unchanged']);
  expect(chat.requests).toHaveLength(1);
  page = large('39.90');
  expect(await look(task)).toEqual(['succeeded', expect.stringMatching(/^The page says: Kettle/)]);
  expect(await look(task)).toEqual(['skipped unchanged']);
});

it.each([
  ['refuses', 'partial refused', { kind: 'refuse' }],
  ['is down', 'partial tool_error', { kind: 'respond', status: 500 }],
] as const)('site-watch tells once of each change while the model %s', async (_, ending, fault) => {
  chat.faults.always(fault);
  const task = await taskOf(writeSiteWatch('UTC'), fault.kind);
  const told = [ending, 'The page changed (no model to say how).'];
  page = 'one';
  expect(await look(task)).toEqual(told);
  expect(await look(task)).toEqual(['skipped unchanged']);
  page = 'two';
  expect(await look(task)).toEqual(told);
  expect(await look(task)).toEqual(['skipped unchanged']);
  // Back to what it was half an hour ago: that is news as well, and within the same hour.
  page = 'one';
  expect(await look(task)).toEqual(told);
});

it('inbox-triage tells once of the same letters while there is no model', async () => {
  chat.faults.always({ kind: 'refuse' });
  emails = [{ from: 'ana', subject: 'Contract' }];
  const task = await taskOf(writeInboxTriage('UTC'), 'triage');
  expect(await look(task)).toEqual(['partial refused', '1 unread (not sorted: no model).']);
  expect(await look(task)).toEqual(['skipped unchanged']);
  emails = [{ from: 'bo', subject: 'Lunch' }, ...emails];
  expect(await look(task)).toEqual(['partial refused', '2 unread (not sorted: no model).']);
});
