import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Redactor } from '../../../src/domain/redact.js';
import { configSchema } from '../../../src/server/config.js';
import { DeadManPing } from '../../../src/server/notify/dead-man-ping.js';
import { FailureWatch, type FailureWatchOptions } from '../../../src/server/notify/failure-watch.js';
import { openNoticeOutbox } from '../../../src/server/notify/put-notice.js';
import { silentLogger } from '../../../src/server/telemetry/logger.js';
import { builtinTools } from '../../../src/server/tools/builtin-tools.js';
import { targetOf } from '../../../src/server/tools/egress-guard.js';
import { createToolCallers, type ToolCallers } from '../../../src/server/tools/tool-callers.js';
import { ToolError } from '../../../src/domain/tool-error.js';
import { startTestSystem, type TestSystem } from '../a-system.js';

let system: TestSystem;
let callers: ToolCallers;
let fails = true;
let url: string;
let answer = 200;
const received: {
  type: string;
  data: { kind: string; task: string; failures: number; text: string; hint: string };
}[] = [];
const counts: Record<string, number> = {};
const server = createServer((request, response) => {
  let body = '';
  request.on('data', (part) => (body += part));
  request.on('end', () => {
    if (answer === 200) received.push(JSON.parse(body));
    response.writeHead(answer).end('{}');
  });
});

beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  callers = createToolCallers({
    clock: { now: () => system.clock.now(), monotonic: () => performance.now() },
    secrets: { resolve: async () => '' },
    redactor: new Redactor(),
  });
  system = await startTestSystem({
    builtin: builtinTools,
    callTool: async (tool, input, context) => {
      if (tool.address === 'notify.webhook') return callers.call(tool, input, context);
      if (fails) throw new ToolError('tool_error', 'the printer is on fire', { retryable: false });
      return { output: {}, durationMs: 0 };
    },
  });
  await system.addTool({
    address: 'a.work',
    kind: 'http',
    side_effect: 'read',
    input_schema: {},
    http: { method: 'GET', url: 'http://example.com' },
  });
  system.startWorker();
});
afterAll(async () => {
  await system.close();
  await callers.close();
  server.close();
});
afterEach(() => {
  fails = true;
  answer = 200;
  received.length = 0;
});

function watchWith(notify: object, changes: Partial<FailureWatchOptions> = {}) {
  const config = configSchema.parse({ notify: { webhook: url, after: 2, cooldown: '1h', ...notify } });
  return new FailureWatch({
    store: system.store,
    bus: system.bus,
    clock: system.clock,
    logger: silentLogger,
    observer: {
      add() {},
      observe() {},
      set: (name, _labels, value) => void (counts[name] = value),
    },
    notify: config.notify,
    put: openNoticeOutbox({
      store: system.store,
      bus: system.bus,
      now: () => system.clock.now(),
      notify: config.notify,
      logger: silentLogger,
    }),
    ...changes,
  });
}

/** Looks, and waits until what was told is out. */
async function look(...watches: FailureWatch[]): Promise<void> {
  await Promise.all(watches.map((watch) => watch.runOnce()));
  for (;;) {
    const { items } = await system.store.listDeliveries({ statuses: ['pending', 'sending'], limit: 10 });
    if (items.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function runs(task: Awaited<ReturnType<TestSystem['addTask']>>, count: number) {
  for (let index = 0; index < count; index++) {
    system.clock.advance(1000);
    const { id } = await system.runNow(task);
    await system.until(id, 'failed', 'succeeded');
  }
}

describe('a task that fails again and again', () => {
  it('is told of once after n failures, again after the cooldown, and when it works again', async () => {
    const task = await system.addTask({ name: 'flaky', pipeline: [{ id: 'work', uses: 'a.work' }] });
    const watch = watchWith({});
    await runs(task, 1);
    await look(watch);
    expect(received).toEqual([]);
    await runs(task, 1);
    await look(watch);
    await look(watch);
    expect(received).toMatchObject([{ type: 'pao.task_failing', data: { failures: 2 } }]);
    expect(received[0]?.data.text).toContain('the printer is on fire');
    expect(received[0]?.data.hint).toMatch(/^pao run show run_/);
    expect(counts['failing_tasks']).toBe(1);
    await runs(task, 1);
    await look(watch);
    expect(received).toHaveLength(1);
    system.clock.advance(3_600_000);
    await runs(task, 1);
    // Another server looks at the same time: one of them tells.
    await look(watch, watchWith({}));
    expect(received).toHaveLength(2);
    fails = false;
    await runs(task, 1);
    await look(watch);
    await look(watch);
    expect(received.map(({ data }) => data.kind)).toEqual(['task_failing', 'task_failing', 'task_recovered']);
    expect(counts['failing_tasks']).toBe(0);
  });

  it('is paused after its limit, with the reason, and the change is in the audit log', async () => {
    const task = await system.addTask({
      name: 'hopeless',
      monitor: { pause_after: 3, notify_after: 50 },
      pipeline: [{ id: 'work', uses: 'a.work' }],
    });
    const watch = watchWith({});
    await runs(task, 3);
    await look(watch);
    const now = await system.store.getTask(task.id);
    expect(now).toMatchObject({
      state: 'paused',
      stateReason: 'failed 3 times in a row: the printer is on fire',
    });
    expect((await system.store.listAudit({ limit: 1 })).items[0]).toMatchObject({
      action: 'task.paused',
      actor: 'system',
    });
    expect(received).toMatchObject([{ data: { kind: 'task_paused', hint: 'pao task resume hopeless' } }]);
  });

  it('does not count a person who says no, or says nothing in time, and neither ends its row', async () => {
    const task = await system.addTask({
      name: 'asks',
      pipeline: [
        {
          id: 'sure',
          if: 'params.asks',
          approve: { message: 'Sure?', expires_in: '1h', on_timeout: 'deny' },
        },
        { id: 'work', uses: 'a.work' },
      ],
    });
    const watch = watchWith({});
    const ask = async (settle: (approvalId: string) => Promise<unknown>) => {
      system.clock.advance(1000);
      const { id } = await system.runNow(task, { params: { asks: true } });
      await system.until(id, 'waiting');
      const { items } = await system.store.listApprovals({ limit: 1 });
      await settle(items[0]?.id as string);
      system.bus.publish('work', { count: 1 });
      return system.until(id, 'failed');
    };
    const deny = (id: string) =>
      system.store.decideApproval({
        id,
        state: 'denied',
        by: 'me',
        comment: null,
        now: system.clock.now(),
      });
    await runs(task, 1);
    expect((await ask(deny)).reason).toBe('denied');
    expect((await ask(async () => system.clock.advance(3_600_001))).reason).toBe('expired');
    await look(watch);
    expect(received).toEqual([]);
    await runs(task, 1);
    await look(watch);
    expect(received).toMatchObject([{ type: 'pao.task_failing', data: { task: 'asks', failures: 2 } }]);
  });

  it('is told of with the next failure when the first notice could not be handed over', async () => {
    const task = await system.addTask({ name: 'unheard', pipeline: [{ id: 'work', uses: 'a.work' }] });
    const watch = watchWith({});
    answer = 400;
    await runs(task, 2);
    await look(watch);
    const { items } = await system.store.listDeliveries({ statuses: ['failed'], limit: 10 });
    expect(items).toMatchObject([{ origin: 'notice', taskId: task.id, error: { kind: 'tool_error' } }]);
    answer = 200;
    await runs(task, 1);
    await look(watch);
    expect(received).toMatchObject([{ data: { kind: 'task_failing', failures: 3 } }]);
  });
});

describe('what people could not be told at once', () => {
  const full = () => Promise.reject(new Error('disk full'));

  it('is told as soon as it can be, without another failure, and once', async () => {
    const task = await system.addTask({ name: 'unwritten', pipeline: [{ id: 'work', uses: 'a.work' }] });
    await runs(task, 2);
    await look(watchWith({}, { put: full }));
    const watch = watchWith({});
    await look(watch, watchWith({}));
    await look(watch);
    expect(received).toMatchObject([{ data: { kind: 'task_failing', task: 'unwritten', failures: 2 } }]);
  });

  it('is told of a pause after a crash, or when its notice could not be written, and once for each pause', async () => {
    const monitor = { pause_after: 2, notify_after: 50 };
    const pipeline = [{ id: 'work', uses: 'a.work' }];
    const [crashed, unwritten] = [
      await system.addTask({ name: 'crashed', monitor, pipeline }),
      await system.addTask({ name: 'unwritten-pause', monitor, pipeline }),
    ];
    await runs(crashed, 2);
    await expect(watchWith({}, { store: { ...system.store, appendAudit: full } }).runOnce()).rejects.toThrow(
      'disk full',
    );
    await runs(unwritten, 2);
    await look(watchWith({}, { put: full }));
    expect(received).toEqual([]);
    const watch = watchWith({});
    await look(watch, watchWith({}));
    await look(watch);
    const told = () => received.map(({ data }) => `${data.kind} ${data.task}`).sort();
    const once = ['task_paused crashed', 'task_paused unwritten-pause'];
    expect(told()).toEqual(once);
    // By hand it still runs; that is no other pause.
    await runs(crashed, 1);
    await look(watchWith({}));
    expect(told()).toEqual(once);
    const paused = (await system.store.getTask(crashed.id)) as typeof crashed;
    const resumed = { ...paused, state: 'active' as const, stateReason: null, version: paused.version + 1 };
    await system.store.updateTask(resumed, paused.version, 'test');
    await runs(crashed, 1);
    await look(watchWith({}));
    expect(told()).toEqual(['task_paused crashed', ...once]);
  });
});

describe('notices in a digest', () => {
  it('are one message a day, with one line for each task and kind', async () => {
    const digest = { every: 'day', at: '08:00', timezone: 'Europe/Berlin' };
    const watch = watchWith({ digest, cooldown: '1s' });
    const tasks = [];
    for (const name of ['first', 'second'])
      tasks.push(await system.addTask({ name, pipeline: [{ id: 'work', uses: 'a.work' }] }));
    for (const task of tasks) await runs(task, 2);
    await look(watch);
    for (const task of tasks) await runs(task, 3);
    await look(watch);
    expect(received).toEqual([]);
    const { items } = await system.store.listDeliveries({ statuses: ['deferred'], limit: 10 });
    expect(items.map(({ reason }) => reason)).toEqual(['digest', 'digest']);
    const at = items[0]?.dueAt as number;
    expect(new Date(at).toISOString()).toMatch(/T07:00:00.000Z$/);
    system.clock.set(at);
    system.bus.publish('delivery', { count: 1 });
    for (let left = 1000; received.length === 0 && left > 0; left--)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(received).toMatchObject([
      {
        type: 'pao.digest',
        data: {
          kind: 'digest',
          title: '2 messages',
          items: expect.arrayContaining([
            expect.objectContaining({ task: 'first' }),
            expect.objectContaining({ task: 'second' }),
          ]),
        },
      },
    ]);
  });
});

describe('a dead-man ping', () => {
  it('is asked for at most every so often', async () => {
    const asked: string[] = [];
    let now = 0;
    const ping = new DeadManPing({
      url: 'http://a',
      everyMs: 1000,
      monotonic: () => now,
      logger: silentLogger,
      ping: async (address) => void asked.push(address),
    });
    for (now of [0, 500, 999, 1000, 1500, 2100]) ping.beat();
    expect(asked).toHaveLength(3);
  });

  it('may reach the very address it was configured with', () => {
    expect(targetOf(new URL('https://hc-ping.com/x'))).toBe('hc-ping.com:443');
    expect(targetOf(new URL('http://10.0.0.1:8080/x'))).toBe('10.0.0.1:8080');
  });
});
