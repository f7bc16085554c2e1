import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/domain/clock.js';
import { Redactor } from '../../src/domain/redact.js';
import type { Delivery } from '../../src/domain/delivery.js';
import type { Run, StepRun } from '../../src/domain/run.js';
import type { TaskInput } from '../../src/domain/task.js';
import { type CatalogFile, catalogFileSchema } from '../../src/domain/tool.js';
import { createToolCallers, type ToolCallers } from '../../src/server/tools/tool-callers.js';
import {
  BOT_TOKEN,
  briefingTask,
  type Json,
  MAIL_SECRET,
  SOURCE_CALENDAR,
  startWorld,
  stepOf,
  type World,
} from '../e2e/briefing/briefing-world.js';
import { startTestSystem, type TestSystem } from '../server/a-system.js';

const SECRETS: Record<string, string> = { MAIL_TOKEN: MAIL_SECRET, TELEGRAM_BOT_TOKEN: BOT_TOKEN };
let world: World;
let system: TestSystem;
let callers: ToolCallers;
let count = 0;

// The whole pipeline over the real protocols, in one process: what goes wrong here is not a matter of processes.
beforeAll(async () => {
  world = await startWorld({ calendar: SOURCE_CALENDAR });
  const secrets = {
    resolve: async (name: string) => SECRETS[name] ?? '',
    names: async () => Object.keys(SECRETS),
  };
  callers = createToolCallers({ clock: systemClock, secrets, redactor: new Redactor() });
  system = await startTestSystem({
    start: '2026-11-24T06:30:00Z',
    secrets: SECRETS,
    callTool: (tool, input, context) => callers.call(tool, input, context),
  });
  const catalog: CatalogFile = catalogFileSchema.parse(
    parse(readFileSync(join(world.directory, 'tools.yaml'), 'utf8')),
  );
  for (const tool of catalog.tools ?? []) await system.addTool(tool);
  for (const server of catalog.servers ?? []) {
    const { grants, era, timeout: _timeout, side_effect: sideEffects, ...reach } = server;
    for (const found of await callers.discover(server)) {
      await system.addTool({
        address: `${server.name}.${found.name}`,
        kind: 'mcp',
        input_schema: found.inputSchema as Json,
        ...(found.outputSchema ? { output_schema: found.outputSchema as Json } : {}),
        side_effect: sideEffects?.[found.name] ?? 'once',
        ...(grants ? { grants } : {}),
        mcp: { server: reach, tool: found.name, ...(era ? { era } : {}) },
      });
    }
  }
  system.startWorker();
});
afterAll(async () => {
  await system?.close();
  await callers?.close();
  await world?.close();
});
beforeEach(() => {
  for (const server of [world.weather, world.mail, world.chat, world.telegram]) {
    server.faults.clear();
    server.requests.length = 0;
  }
  world.telegram.messages.length = 0;
  world.breakCalendar(null);
});

/** Runs the briefing once and gives the run and its steps; time jumps to each retry. */
async function run(
  change: (task: Json & { pipeline: Json[] }) => void = () => {},
): Promise<{ run: Run; steps: Record<string, StepRun>; messages: Delivery[] }> {
  const input = briefingTask(world);
  input.name = `briefing-${++count}`;
  // The API anchors a rule when a task is created; here nobody does.
  (input.schedule as Json).dtstart = '2026-11-24T00:00:00';
  input.retry = { max: 1, backoff: 'fixed', base: '50ms', cap: '60s' };
  change(input);
  const task = await system.addTask(input as TaskInput);
  const { id } = await system.runNow(task);
  const deadline = performance.now() + 20_000;
  for (;;) {
    const found = await system.store.getRun(id);
    if (found && ['succeeded', 'partial', 'failed', 'dead'].includes(found.status)) {
      const messages = await system.messages(id);
      return { run: found, steps: await system.steps(id), messages };
    }
    if (found?.status === 'queued' && found.runAt > system.clock.now()) {
      system.clock.set(found.runAt);
      system.bus.publish('work', { count: 1 });
    }
    if (performance.now() > deadline) throw new Error(`The run does not end: ${JSON.stringify(found)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
const sent = () => world.telegram.messages.map((message) => message.text);

describe('the pipeline of the briefing', () => {
  it('makes five real calls and delivers one message', async () => {
    const { run: found, steps, messages } = await run();
    expect({ status: found.status, error: found.error }).toEqual({ status: 'succeeded', error: null });
    expect(Object.values(steps).map((step) => [step.stepId, step.status])).toEqual([
      ['cal', 'succeeded'],
      ['wx', 'succeeded'],
      ['mail', 'succeeded'],
      ['plan', 'succeeded'],
      ['ping', 'succeeded'],
    ]);
    expect(world.telegram.messages).toHaveLength(1);
    expect(sent()[0]).toContain('- 09:30 Daily standup');
    expect(sent()[0]).toContain('Weather: snow, -4.8 to 2.1 °C');
    expect(messages).toMatchObject([
      { status: 'delivered', stepId: 'ping', answer: { message_id: 101, chat_id: 100200300 } },
    ]);
    expect(steps.ping?.output).toMatchObject({ delivery_id: messages[0]?.id });
    expect(JSON.stringify(steps)).not.toContain(BOT_TOKEN);
  });

  it('F1: goes on without weather that hangs', async () => {
    world.weather.faults.always({ kind: 'hang' });
    const { run: found, steps } = await run((task) => {
      stepOf(task, 'wx').timeout = '100ms';
    });
    expect(found).toMatchObject({ status: 'partial', reason: 'timeout' });
    expect(steps.wx).toMatchObject({ status: 'failed', attempts: 2 });
    expect(sent()).toHaveLength(1);
  });

  it('F2: names the value of the weather that is wrong', async () => {
    world.weather.faults.always({ kind: 'wrong_type' });
    const { run: found, steps } = await run();
    expect(found).toMatchObject({ status: 'partial', reason: 'invalid_output' });
    expect(steps.wx).toMatchObject({
      attempts: 1,
      error: { kind: 'invalid_output', pointer: '/current/temperature_2m' },
    });
  });

  it('F3: waits for Retry-After, in time of the scheduler', async () => {
    world.weather.faults.next({ kind: 'respond', status: 429, headers: { 'retry-after': '30' } });
    const before = system.clock.now();
    const { run: found, steps } = await run();
    expect(found.status).toBe('succeeded');
    expect(steps.wx?.attempts).toBe(2);
    expect(system.clock.now() - before).toBeGreaterThanOrEqual(30_000);
  });

  it('F4 and F5: sends the fallback when the model refuses or talks nonsense', async () => {
    world.chat.faults.next({ kind: 'refuse' });
    expect((await run()).run).toMatchObject({ status: 'partial', reason: 'refused' });
    world.chat.faults.next({ kind: 'content', text: '{"text": 42' }, 2);
    expect((await run()).run).toMatchObject({ status: 'partial', reason: 'invalid_output' });
    world.chat.faults.next({ kind: 'truncate' }, 2);
    expect((await run()).run).toMatchObject({ status: 'partial', reason: 'truncated' });
    expect(sent()).toEqual(Array(3).fill('Briefing (no AI): 3 events, 3 unread.'));
  });

  it('F10: leaves the outcome of a lost answer unknown and sends once', async () => {
    world.telegram.faults.next({ kind: 'accept_then_drop' });
    const { run: found, messages } = await run();
    expect(found).toMatchObject({ status: 'succeeded', reason: null });
    expect(messages).toMatchObject([{ status: 'unknown', attempts: 1 }]);
    expect(sent()).toHaveLength(1);
  });

  it('F11: waits for retry_after in the body, and splits a long text', async () => {
    world.telegram.faults.next({ kind: 'rate_limited', retryAfterSeconds: 20 });
    const before = system.clock.now();
    expect((await run()).run.status).toBe('succeeded');
    expect(system.clock.now() - before).toBeGreaterThanOrEqual(20_000);
    const { run: found } = await run((task) => {
      (stepOf(task, 'ping').with as Json).text = 'word '.repeat(1000);
    });
    expect(found.status).toBe('succeeded');
    expect(
      sent()
        .slice(1)
        .map((text) => text.length),
    ).toHaveLength(2);
  });

  it('F13: starts a calendar that died once again, reports one that dies always, and believes isError', async () => {
    world.breakCalendar('exit once');
    expect((await run()).run.status).toBe('succeeded');
    world.breakCalendar('exit');
    expect((await run()).steps.cal).toMatchObject({ status: 'failed', error: { kind: 'transport' } });
    world.breakCalendar('error');
    const { run: found, steps } = await run();
    expect(found.status).not.toBe('succeeded');
    expect(steps.cal).toMatchObject({
      status: 'failed',
      error: { kind: 'tool_error', message: expect.stringContaining('locked') },
    });
  });

  it('F14: says auth for a wrong mail token, once', async () => {
    SECRETS.MAIL_TOKEN = 'wrong-token';
    try {
      const { run: found, steps } = await run();
      expect(found).toMatchObject({ status: 'partial', reason: 'auth' });
      expect(steps.mail).toMatchObject({ attempts: 1, error: { kind: 'auth' } });
      expect(JSON.stringify(steps)).not.toContain('wrong-token');
    } finally {
      SECRETS.MAIL_TOKEN = MAIL_SECRET;
    }
  });

  it('says that nothing is planned with the fallback, also after a retry of the message', async () => {
    world.telegram.faults.next({ kind: 'rate_limited', retryAfterSeconds: 1 });
    const { run: found, steps } = await run((task) => {
      stepOf(task, 'plan').if = 'length(steps.events.items) > `100`';
    });
    expect(steps.plan).toMatchObject({ status: 'skipped', reason: 'condition' });
    expect(found.status).toBe('succeeded');
    expect(sent()).toEqual(['Briefing (no AI): 3 events, 3 unread.']);
  });
});
