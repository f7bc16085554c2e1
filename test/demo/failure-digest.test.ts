import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { writeFailureDigest } from '../../src/demo/templates/everyday.js';
import { systemClock } from '../../src/domain/clock.js';
import { newId } from '../../src/domain/ids.js';
import { silentObserver } from '../../src/domain/observability/observer.js';
import { Redactor } from '../../src/domain/redact.js';
import type { TaskInput } from '../../src/domain/task.js';
import { ToolError } from '../../src/domain/tool-error.js';
import { Budgets, type Payer } from '../../src/server/budget/budgets.js';
import { PriceTable } from '../../src/server/budget/prices.js';
import {
  listDeliveriesForCalls,
  listRunsForCalls,
  listSpendForCalls,
} from '../../src/server/calls-inside.js';
import { builtinTools } from '../../src/server/tools/builtin-tools.js';
import { createToolCallers, type ToolCallers } from '../../src/server/tools/tool-callers.js';
import { startTestSystem, type TestSystem } from '../server/a-system.js';

const DAY = 86_400_000;
let system: TestSystem;
let callers: ToolCallers;
let budgets: Budgets;

beforeAll(async () => {
  system = await startTestSystem({
    builtin: builtinTools,
    callTool: async (tool, input, context) => {
      if (tool.address !== 'telegram.send_message') return callers.call(tool, input, context);
      const { text } = input as { text: string };
      if (text === 'refused') throw new ToolError('invalid_input', 'Chat not found.', { outcomeKnown: true });
      if (text === 'lost') throw new ToolError('transport', 'The answer was lost.', { outcomeKnown: false });
      return { output: {}, durationMs: 1 };
    },
    budgets: (store, clock) => {
      const prices = new PriceTable('none.yaml');
      const shared = { observer: silentObserver, global: undefined, timezone: 'Europe/Chisinau' };
      budgets = new Budgets({ store, clock, prices, ...shared });
      return budgets;
    },
  });
  const { store } = system;
  const secrets = { resolve: async () => '', names: async () => [] };
  callers = createToolCallers({
    clock: { now: () => system.clock.now(), monotonic: () => systemClock.monotonic() },
    secrets,
    redactor: new Redactor(),
    listRuns: listRunsForCalls(store),
    listSpend: listSpendForCalls(store, budgets),
    listDeliveries: listDeliveriesForCalls(store),
  });
  await system.addTool({
    address: 'telegram.send_message',
    kind: 'http',
    side_effect: 'once',
    http: { url: 'http://example.com/' },
  });
  system.startWorker();
});
afterAll(async () => {
  await system?.close();
  await callers?.close();
});

async function digest(): Promise<string | null> {
  const task = await system.addTask({
    ...(parse(writeFailureDigest('Europe/Chisinau')) as TaskInput),
    name: newId('tsk', 0),
  });
  const { id } = await system.runNow(task);
  const { error, status } = await system.until(id, 'succeeded', 'partial', 'failed', 'dead', 'skipped');
  if (status !== 'succeeded') throw new Error(JSON.stringify(error));
  const [message] = await system.messages(id);
  return message === undefined ? null : (message.message.input as { text: string }).text;
}
const echo = { pipeline: [{ id: 'one', uses: 'debug.echo' }] };
async function addRun(name: string, status: 'failed' | 'skipped', reason: string): Promise<void> {
  const task = await system.addTask({ name, ...echo } as TaskInput);
  await system.runNow(task, { status, reason } as never);
}

it('says nothing when there is nothing to say', async () => {
  expect(await digest()).toBeNull();
});

it('tells of failures, budgets, messages and money of a week, not of what people said no to', async () => {
  await addRun('broken', 'failed', 'tool_error');
  await addRun('refused-by-ana', 'failed', 'denied');
  await addRun('nobody-answered', 'failed', 'expired');
  await addRun('watch', 'skipped', 'budget');
  await addRun('gated', 'skipped', 'condition');
  const asks = await system.addTask({
    name: 'asks',
    pipeline: [
      { id: 'say', uses: 'telegram.send_message', kind: 'notify', with: { text: '${params.text}' } },
    ],
  });
  const send = async (text: string): Promise<void> => {
    const { id } = await system.runNow(asks, { params: { text } });
    await system.until(id, 'succeeded');
    await system.messages(id);
  };
  await send('refused');
  const payer: Payer = {
    runId: null,
    task: { id: asks.id, zone: 'America/New_York', budget: undefined },
    agent: system.agent,
  };
  const spend = async (): Promise<void> => {
    const estimate = { tool: 'llm.chat', model: 'm', inputTokens: 500, outputTokens: 500 };
    const settle = await budgets.forCalls(payer, 'one').reserve(estimate);
    await settle({ input_tokens: 80, output_tokens: 20 });
  };
  // Once a week ago and more, then on each of three days.
  system.clock.advance(DAY);
  await spend();
  system.clock.advance(8 * DAY);
  await addRun('broken-now', 'failed', 'tool_error');
  await addRun('refused-now', 'failed', 'denied');
  await addRun('unanswered-now', 'failed', 'expired');
  for (const name of ['watch-a', 'watch-b']) await addRun(name, 'skipped', 'budget');
  await addRun('gated-now', 'skipped', 'condition');
  for (let day = 0; day < 3; day += 1) {
    await spend();
    system.clock.advance(DAY);
  }
  for (const text of ['refused', 'lost', 'fine']) await send(text);
  expect(await digest()).toBe(
    [
      'Did not work:\nbroken-now failed tool_error',
      'Skipped, no budget left: watch-a, watch-b',
      'Messages that did not arrive, or may not have:\nasks telegram.send_message unknown The answer was lost.\nasks telegram.send_message failed Chat not found.',
      'Spent: 300 tokens, 3 calls, 3 calls of unknown price\nasks: 300 tokens, 3 calls, 3 calls of unknown price',
    ].join('\n\n'),
  );
});
