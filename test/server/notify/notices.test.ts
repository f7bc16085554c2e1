import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Redactor } from '../../../src/domain/redact.js';
import { withResumeOrder } from '../../../src/domain/resume-order.js';
import type { RunStatus } from '../../../src/domain/run.js';
import type { Task, TaskInput } from '../../../src/domain/task.js';
import { ToolError } from '../../../src/domain/tool-error.js';
import { configSchema } from '../../../src/server/config.js';
import { BrokenTasks } from '../../../src/server/notify/broken-tasks.js';
import { MissedOccurrences } from '../../../src/server/notify/missed-occurrences.js';
import { openNoticeOutbox } from '../../../src/server/notify/put-notice.js';
import { StepTrouble } from '../../../src/server/notify/step-trouble.js';
import { tellLeftOut } from '../../../src/server/notify/tell-budget.js';
import { tellTrouble } from '../../../src/server/notify/tell-trouble.js';
import { silentLogger } from '../../../src/server/telemetry/logger.js';
import { builtinTools } from '../../../src/server/tools/builtin-tools.js';
import { createToolCallers, type ToolCallers } from '../../../src/server/tools/tool-callers.js';
import { startTestSystem, type TestSystem } from '../a-system.js';

const HOUR = 3_600_000;
let system: TestSystem;
let callers: ToolCallers;
let error: ToolError | null = null;
let url: string;
const received: { type: string; data: Record<string, unknown> }[] = [];
const server = createServer((request, response) => {
  let body = '';
  request.on('data', (part) => (body += part));
  request.on('end', () => {
    received.push(JSON.parse(body));
    response.end('{}');
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
    grants: [new URL(url).host],
    callTool: async (tool, input, context) => {
      if (tool.address === 'notify.webhook') return callers.call(tool, input, context);
      if (error !== null) throw error;
      return { output: {}, durationMs: 0 };
    },
  });
  for (const side_effect of ['read', 'once'] as const)
    await system.addTool({
      address: `a.${side_effect}`,
      kind: 'http',
      side_effect,
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
  error = null;
  received.length = 0;
});

function outbox(notify: object = {}) {
  const { store, bus, clock } = system;
  const config = configSchema.parse({ notify: { webhook: url, ...notify } });
  return { store, bus, now: () => clock.now(), notify: config.notify, logger: silentLogger };
}
/** Each is what another server has. */
const stepTrouble = (notify: object = {}, keepMs = 30 * 24 * HOUR) =>
  new StepTrouble({ ...outbox(), keepMs, put: openNoticeOutbox(outbox(notify)) });
const missedOccurrences = () =>
  new MissedOccurrences({ ...outbox(), misfireAfterMs: 60_000, put: openNoticeOutbox(outbox()) });
const brokenTasks = () => new BrokenTasks({ ...outbox(), put: openNoticeOutbox(outbox()) });

/** Looks, and waits until what was told is out. */
async function look(...looks: { runOnce(): Promise<void> }[]): Promise<void> {
  await Promise.all(looks.map((one) => one.runOnce()));
  await sent();
}

async function sent(): Promise<void> {
  for (;;) {
    const { items } = await system.store.listDeliveries({ statuses: ['pending', 'sending'], limit: 10 });
    if (items.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const kinds = () => received.map(({ type }) => type);

async function run(task: Task, status: RunStatus) {
  system.clock.advance(1000);
  const { id } = await system.runNow(task);
  return system.until(id, status);
}

describe('a run with a call whose answer was lost', () => {
  const lost = new ToolError('transport', 'the socket was closed', { outcomeKnown: false });

  it('is told of at once and once, with what to type, by whichever server looks', async () => {
    const watch = stepTrouble();
    await look(watch);
    const task = await system.addTask({ name: 'pays', pipeline: [{ id: 'pay', uses: 'a.once' }] });
    error = lost;
    const { id } = await run(task, 'partial');
    await look(watch, stepTrouble());
    await look(watch);
    await look(stepTrouble());
    expect(received).toMatchObject([
      {
        type: 'pao.run_needs_person',
        data: {
          task: 'pays',
          reason: 'unknown_outcome',
          last_run_id: id,
          hint: `pao run resolve ${id} --done (or --not-done)`,
        },
      },
    ]);
    expect(received[0]?.data.text).toContain('pay (a.once) of pays');
  });

  it('is told of also when a later step decided how the run ended, and not once a person has settled it', async () => {
    const pipeline: TaskInput['pipeline'] = [
      { id: 'pay', uses: 'a.once', on_error: 'continue' },
      { id: 'look', uses: 'a.read', retry: { max: 0 } },
    ];
    const task = await system.addTask({ name: 'pays-and-looks', pipeline });
    error = lost;
    const first = await run(task, 'dead');
    const second = await run(task, 'dead');
    await system.store.resolveStep({
      runId: second.id,
      stepId: 'pay',
      status: 'succeeded',
      reason: 'resolved',
      output: null,
      error: null,
    });
    await look(stepTrouble());
    expect(received.map(({ data }) => data.last_run_id)).toEqual([first.id]);
  });

  it('is told of by one digest, not by each that comes after a restart', async () => {
    const digest = { every: 'day', at: '08:00', timezone: 'UTC' };
    const deferred = async () =>
      (await system.store.listDeliveries({ statuses: ['deferred'], limit: 10 })).items;
    const task = await system.addTask({ name: 'pays-daily', pipeline: [{ id: 'pay', uses: 'a.once' }] });
    error = lost;
    const { id } = await run(task, 'partial');
    await look(stepTrouble({ digest }), stepTrouble({ digest }));
    const [one, ...others] = await deferred();
    expect(others).toEqual([]);
    system.clock.set(one?.dueAt as number);
    system.bus.publish('delivery', { count: 1 });
    await vi.waitFor(() => expect(received).toMatchObject([{ data: { last_run_id: id } }]), 30_000);
    await look(stepTrouble({ digest }));
    expect(await deferred()).toEqual([]);
  });

  it('is not told of once the store may have forgotten that it was', async () => {
    const task = await system.addTask({ name: 'paid-long-ago', pipeline: [{ id: 'pay', uses: 'a.once' }] });
    error = lost;
    await run(task, 'partial');
    system.clock.advance(2 * HOUR);
    await look(stepTrouble({}, HOUR));
    expect(received).toEqual([]);
    await look(stepTrouble({}, 3 * HOUR));
    expect(received).toMatchObject([{ data: { task: 'paid-long-ago' } }]);
  });
});

describe('a step that a task goes on without', () => {
  it('is told of once for its reason until it works again', async () => {
    const watch = stepTrouble();
    const task = await system.addTask({
      name: 'briefs',
      pipeline: [{ id: 'mail', uses: 'a.read', on_error: 'continue' }],
    });
    error = new ToolError('auth', 'the mail server answered 401');
    await run(task, 'partial');
    await look(watch, stepTrouble());
    await run(task, 'partial');
    await look(watch);
    await look(stepTrouble());
    expect(received).toMatchObject(
      [
        { type: 'pao.step_failing', data: { task: 'briefs', reason: 'auth', hint: /^pao run show run_/ } },
      ].map((one) => ({ ...one, data: { ...one.data, hint: expect.stringMatching(one.data.hint) } })),
    );
    expect(received[0]?.data.text).toContain('mail (a.read) of briefs ended with auth');
    error = new ToolError('config_error', 'there is no such tool');
    await run(task, 'partial');
    await look(watch);
    expect(received.map(({ data }) => data.reason)).toEqual(['auth', 'config_error']);
    error = null;
    await run(task, 'succeeded');
    await look(watch);
    error = new ToolError('config_error', 'there is no such tool');
    await run(task, 'partial');
    await look(watch, stepTrouble());
    expect(received.map(({ data }) => data.reason)).toEqual(['auth', 'config_error', 'config_error']);
  });

  it('is not told of when the next try may mend it', async () => {
    const task = await system.addTask({
      name: 'forecasts',
      pipeline: [{ id: 'wx', uses: 'a.read', on_error: 'continue', retry: { max: 0 } }],
    });
    error = new ToolError('timeout', 'no answer in time');
    await run(task, 'partial');
    await look(stepTrouble());
    expect(received).toEqual([]);
  });
});

describe('occurrences that were missed', () => {
  const due = (name: string, catchup: object, more: Partial<TaskInput> = {}) =>
    system.addTask({
      name,
      schedule: { kind: 'cron', expr: '0 * * * *', timezone: 'UTC', catchup } as TaskInput['schedule'],
      pipeline: [{ id: 'work', uses: 'a.read' }],
      ...more,
    });
  const cancelAll = async (tasks: Task[]) => {
    for (const { id } of tasks) {
      const task = (await system.store.getTask(id)) as Task;
      await system.store.updateTask({ ...task, state: 'canceled' }, task.version, 'test');
    }
  };

  it('are one notice when all is written; not what was caught up, nor what a task does not want late', async () => {
    const tasks = [
      await due('two', { policy: 'all', max: 1, window: '24h' }),
      await due(
        'one',
        { policy: 'latest', window: '1m' },
        {
          schedule: {
            kind: 'once',
            expr: new Date(system.clock.now() + HOUR).toISOString(),
            timezone: 'UTC',
            catchup: { policy: 'latest', window: '1m' },
          },
        },
      ),
      await due('caught-up', { policy: 'latest', window: '24h' }),
      await due('not-wanted-late', { policy: 'skip' }),
    ];
    system.clock.advance(3 * HOUR + 600_000);
    // Nothing is told of before the scheduler has worked off what came due.
    await look(missedOccurrences());
    expect(received).toEqual([]);
    await system.scheduler.runOnce();
    await look(missedOccurrences(), missedOccurrences());
    await look(missedOccurrences());
    expect(kinds()).toEqual(['pao.runs_missed']);
    const [{ data }] = received as [(typeof received)[number]];
    expect(data.title).toBe('3 occurrences of 2 tasks were missed');
    expect(data.text).toMatch(/^While nothing ran, .*: one \(.* UTC\), two \(2, the last one .* UTC\)\.$/);
    expect(data.hint).toBe('pao run list --status missed');
    await cancelAll(tasks);
  });

  it('are told of again when it happens again, and where the task says', async () => {
    const task = await due(
      'own',
      { policy: 'all', max: 1, window: '24h' },
      { monitor: { notify: { webhook: `${url}?own` } } },
    );
    for (const [times] of [[1], [2]] as const) {
      system.clock.advance(2 * HOUR);
      await system.scheduler.runOnce();
      await look(missedOccurrences());
      expect(kinds()).toHaveLength(times);
    }
    expect(received[1]?.data).toMatchObject({ task: 'own', hint: 'pao task run own' });
    await cancelAll([task]);
  });

  it('are counted also where many others were written since', async () => {
    const at = (schedule: object) => ({
      schedule: { timezone: 'UTC', ...schedule } as TaskInput['schedule'],
    });
    const expr = new Date(system.clock.now() + HOUR).toISOString();
    const early = await due(
      'early',
      {},
      at({ kind: 'once', expr, catchup: { policy: 'latest', window: '1m' } }),
    );
    system.clock.advance(3 * HOUR);
    await system.scheduler.runOnce();
    const minutely = (catchup: object) => at({ kind: 'cron', expr: '* * * * *', catchup });
    const tasks = [
      early,
      await due('many', {}, minutely({ policy: 'all', max: 1, window: '24h' })),
      await due('not-wanted', {}, minutely({ policy: 'skip' })),
    ];
    system.clock.advance(20 * HOUR);
    const isWorkedOff = async () => ((await system.store.nextDueAt()) ?? Infinity) > system.clock.now();
    while (!(await isWorkedOff())) await system.scheduler.runOnce();
    await look(missedOccurrences());
    expect(received.map(({ data }) => data.text)).toEqual([
      expect.stringMatching(/ early \(.* UTC\), many \(1\d{3}, /),
    ]);
    await cancelAll(tasks);
  });

  it('are none where a resumed task was told to run the latest, whatever its own policy', async () => {
    const task = await due('resumed', { policy: 'all', max: 1, window: '24h' });
    await system.store.updateTask({ ...task, state: 'paused' }, task.version, 'test');
    system.clock.advance(3 * HOUR);
    const paused = (await system.store.getTask(task.id)) as Task;
    const order = withResumeOrder({ catchup: 'latest', before: system.clock.now() });
    await system.store.updateTask({ ...paused, state: 'active', ...order }, paused.version, 'test');
    await system.scheduler.runOnce();
    expect((await system.runs(task)).map(({ reason }) => reason)).toContain('catchup_latest');
    await look(missedOccurrences());
    expect(received).toEqual([]);
    await cancelAll([task]);
  });
});

describe('missed occurrences of which one can not be told', () => {
  it('do not keep the others from being told, and are told of by the next look', async () => {
    const tasks: Task[] = [];
    for (const name of ['missed-a', 'missed-b'])
      tasks.push(
        await system.addTask({
          name,
          schedule: {
            kind: 'cron',
            expr: '0 * * * *',
            timezone: 'UTC',
            catchup: { policy: 'all', max: 1, window: '24h' },
          },
          pipeline: [{ id: 'work', uses: 'a.read' }],
          monitor: { notify: { webhook: `${url}?${name}` } },
        }),
      );
    system.clock.advance(2 * HOUR);
    await system.scheduler.runOnce();
    const real = openNoticeOutbox(outbox());
    const put: typeof real = (notice, about, key) =>
      notice.task === 'missed-a' ? Promise.reject(new Error('not now')) : real(notice, about, key);
    await look(new MissedOccurrences({ ...outbox(), misfireAfterMs: 60_000, put }));
    const told = () => received.map(({ data }) => data.task).sort();
    expect(told()).toEqual(['missed-b']);
    await look(missedOccurrences());
    expect(told()).toEqual(['missed-a', 'missed-b']);
    for (const { id } of tasks) {
      const task = (await system.store.getTask(id)) as Task;
      await system.store.updateTask({ ...task, state: 'canceled' }, task.version, 'test');
    }
  });
});

describe('a task that can not be scheduled', () => {
  it('is paused and told of once, with what to do', async () => {
    const task = await system.addTask({
      name: 'broken',
      schedule: { kind: 'cron', expr: '*/5 * * * *', timezone: 'UTC' },
      pipeline: [{ id: 'work', uses: 'a.read' }],
    });
    const schedule = { ...task.spec.schedule, expr: '*/0 * * * *' } as Task['spec']['schedule'];
    await system.store.updateTask({ ...task, spec: { ...task.spec, schedule } }, task.version, 'test');
    system.clock.advance(600_000);
    await system.scheduler.runOnce();
    await look(brokenTasks(), brokenTasks());
    await look(brokenTasks());
    expect(received).toMatchObject([
      { type: 'pao.task_paused', data: { task: 'broken', reason: 'error', hint: 'pao task resume broken' } },
    ]);
    expect(received[0]?.data.text).toContain('pao task apply FILE');
    expect((await system.store.getTask(task.id))?.state).toBe('paused');
  });
});

describe('one that can not be told of', () => {
  it('does not keep the others from being told, and is told of as soon as it can be', async () => {
    const damaged = [];
    for (const name of ['damaged-a', 'damaged-b']) {
      const task = await system.addTask({
        name,
        schedule: { kind: 'cron', expr: '*/5 * * * *', timezone: 'UTC' },
        pipeline: [{ id: 'work', uses: 'a.read' }],
      });
      const schedule = { ...task.spec.schedule, expr: '*/0 * * * *' } as Task['spec']['schedule'];
      await system.store.updateTask({ ...task, spec: { ...task.spec, schedule } }, task.version, 'test');
      damaged.push(task);
    }
    system.clock.advance(600_000);
    await system.scheduler.runOnce();
    const pays = [];
    for (const name of ['pays-a', 'pays-b'])
      pays.push(await system.addTask({ name, pipeline: [{ id: 'pay', uses: 'a.once' }] }));
    error = new ToolError('transport', 'the socket was closed', { outcomeKnown: false });
    for (const task of pays) await run(task, 'partial');
    const briefs = await system.addTask({
      name: 'briefs-too',
      pipeline: [{ id: 'mail', uses: 'a.read', on_error: 'continue' }],
    });
    error = new ToolError('auth', 'the mail server answered 401');
    await run(briefs, 'partial');
    const without: string[] = [damaged[0]?.id as string, pays[1]?.id as string, briefs.id];
    const real = openNoticeOutbox(outbox());
    const put: typeof real = (notice, about, key) =>
      without.includes(notice.task_id) ? Promise.reject(new Error('not now')) : real(notice, about, key);
    const looks = [
      new StepTrouble({ ...outbox(), put, keepMs: HOUR }),
      new BrokenTasks({ ...outbox(), put }),
    ];
    await look(...looks);
    const tasks = () => received.map(({ data }) => data.task).sort();
    expect(tasks()).toEqual(['damaged-b', 'pays-a']);
    without.length = 0;
    await look(...looks);
    await look(...looks);
    expect(tasks()).toEqual(['briefs-too', 'damaged-a', 'damaged-b', 'pays-a', 'pays-b']);
  });

  it('is told of in plain words where its template can not be rendered', async () => {
    const task = await system.addTask({
      name: 'counts',
      pipeline: [{ id: 'pay', uses: 'a.once' }],
      monitor: {
        notify: {
          tool: 'notify.webhook',
          with: {
            url,
            type: '${notice.kind}',
            payload: { count: '${notice.title}: ${notice.failures}x', typo: '${notice.titel}' },
          },
        },
      },
    });
    error = new ToolError('transport', 'the socket was closed', { outcomeKnown: false });
    const { id } = await run(task, 'partial');
    await look(stepTrouble());
    const [{ data }] = received as [(typeof received)[number]];
    expect(received.map(({ type }) => type)).toEqual(['run_needs_person']);
    expect(data.count).toBe('counts needs you: x');
    expect(data.typo).toMatch(/^counts needs you: Whether pay .*When you know: pao run resolve run_/);
    expect(data.typo).toContain(id);
  });
});

describe('runs that a budget leaves out', () => {
  it('are told of once a day for each task, and not where the budget paused it', async () => {
    const task = await system.addTask({ name: 'spends', pipeline: [{ id: 'work', uses: 'a.read' }] });
    const left = await run(task, 'succeeded');
    let isFull = true;
    const store: typeof system.store = {
      ...system.store,
      enqueueDeliveries: (deliveries) =>
        isFull ? Promise.reject(new Error('disk full')) : system.store.enqueueDeliveries(deliveries),
    };
    const tellers = [tellLeftOut({ ...outbox(), store }), tellLeftOut({ ...outbox(), store })];
    for (const tell of tellers) await tell(left, '50 of 50 runs are used.');
    isFull = false;
    for (const tell of [...tellers, ...tellers]) await tell(left, '50 of 50 runs are used.');
    await sent();
    expect(received).toMatchObject([
      { type: 'pao.run_left_out', data: { task: 'spends', hint: 'pao task show spends' } },
    ]);
    system.clock.advance(24 * HOUR);
    for (const tell of tellers) await tell(left, '50 of 50 runs are used.');
    await sent();
    expect(received).toHaveLength(2);
    await system.store.updateTask(
      { ...task, state: 'paused', stateReason: 'budget: 50 of 50 runs' },
      task.version,
      'test',
    );
    system.clock.advance(24 * HOUR);
    for (const tell of tellers) await tell(left, '50 of 50 runs are used.');
    await sent();
    expect(received).toHaveLength(2);
  });
});

describe('a message that did not arrive, where there is one channel', () => {
  it('is told of by that channel, and a notice that does not arrive by nobody', async () => {
    const tell = tellTrouble(outbox());
    const delivery = {
      id: 'dlv_a',
      agentId: system.agent.id,
      key: 'a',
      origin: 'step',
      taskId: null,
      runId: null,
      stepId: null,
      channel: 'notify.webhook',
      reason: 'tool_error',
      error: { kind: 'tool_error', message: 'the text is too long' },
      attempts: 1,
    } as unknown as Parameters<typeof tell>[0];
    await tell({ ...delivery, status: 'failed' });
    await tell({ ...delivery, status: 'failed' });
    await tell({ ...delivery, id: 'dlv_b', status: 'unknown' });
    await tell({ ...delivery, id: 'dlv_c', origin: 'notice', status: 'failed' });
    const lost = { ...system.store, enqueueDeliveries: () => Promise.reject(new Error('disk full')) };
    await tellTrouble({ ...outbox(), store: lost })({ ...delivery, id: 'dlv_d', status: 'failed' });
    await sent();
    expect(received.map(({ type, data }) => [type, data.hint]).sort()).toEqual([
      ['pao.message_failed', 'pao delivery show dlv_a'],
      ['pao.message_unknown', 'pao delivery show dlv_b'],
    ]);
  });
});
