import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Redactor } from '../../../src/domain/redact.js';
import { configSchema } from '../../../src/server/config.js';
import { DeadManPing } from '../../../src/server/notify/dead-man-ping.js';
import { deliverNotice, grantFor } from '../../../src/server/notify/deliver-notice.js';
import { FailureWatch } from '../../../src/server/notify/failure-watch.js';
import { silentLogger } from '../../../src/server/telemetry/logger.js';
import { builtinTools } from '../../../src/server/tools/builtin-tools.js';
import { createToolCallers } from '../../../src/server/tools/tool-callers.js';
import type { Tool } from '../../../src/domain/tool.js';
import { ToolError } from '../../../src/domain/tool-error.js';
import { startTestSystem, type TestSystem } from '../a-system.js';

let system: TestSystem;
let fails = true;
let url: string;
let answer = 200;
const received: { type: string; data: { kind: string; failures: number; text: string; hint: string } }[] = [];
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
  system = await startTestSystem({
    callTool: async () => {
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
  server.close();
});
afterEach(() => {
  fails = true;
  answer = 200;
  received.length = 0;
});

function watchWith(notify: object) {
  const config = configSchema.parse({ notify: { webhook: url, after: 2, cooldown: '1h', ...notify } });
  const callers = createToolCallers({
    clock: system.clock,
    secrets: { resolve: async () => '' },
    redactor: new Redactor(),
  });
  return new FailureWatch({
    store: system.store,
    bus: system.bus,
    clock: system.clock,
    logger: silentLogger,
    observer: {
      add: (name, labels) => {
        const key = `${name}/${Object.values(labels ?? {}).join()}`;
        counts[key] = (counts[key] ?? 0) + 1;
      },
      observe() {},
      set: (name, _labels, value) => void (counts[name] = value),
    },
    notify: config.notify,
    deliver: (notice, task, key) =>
      deliverNotice(notice, task, key, {
        store: system.store,
        notify: config.notify,
        webhook: builtinTools.find(({ address }) => address === 'notify.webhook') as Tool,
        builtinTools,
        callTool: callers.call,
        signal: new AbortController().signal,
      }),
  });
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
    await watch.runOnce();
    expect(received).toEqual([]);
    await runs(task, 1);
    await watch.runOnce();
    await watch.runOnce();
    expect(received).toMatchObject([{ type: 'pao.task_failing', data: { failures: 2 } }]);
    expect(received[0]?.data.text).toContain('the printer is on fire');
    expect(received[0]?.data.hint).toMatch(/^pao run show run_/);
    expect(counts['failing_tasks']).toBe(1);
    await runs(task, 1);
    await watch.runOnce();
    expect(received).toHaveLength(1);
    system.clock.advance(3_600_000);
    await runs(task, 1);
    // Another server looks at the same time: one of them tells.
    await Promise.all([watch.runOnce(), watchWith({}).runOnce()]);
    expect(received).toHaveLength(2);
    fails = false;
    await runs(task, 1);
    await watch.runOnce();
    await watch.runOnce();
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
    await watch.runOnce();
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

  it('is told of with the next failure when the first notice could not be handed over', async () => {
    const task = await system.addTask({ name: 'unheard', pipeline: [{ id: 'work', uses: 'a.work' }] });
    const watch = watchWith({});
    answer = 400;
    await runs(task, 2);
    await watch.runOnce();
    expect(counts['notifications_total/failed']).toBe(1);
    answer = 200;
    await runs(task, 1);
    await watch.runOnce();
    expect(received).toMatchObject([{ data: { kind: 'task_failing', failures: 3 } }]);
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
    expect(grantFor('https://hc-ping.com/x')).toBe('hc-ping.com:443');
    expect(grantFor('http://10.0.0.1:8080/x')).toBe('10.0.0.1:8080');
  });
});
