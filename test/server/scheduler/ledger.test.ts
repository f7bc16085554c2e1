import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withResumeOrder } from '../../../src/domain/resume-order.js';
import type { Run } from '../../../src/domain/run.js';
import type { TaskInput } from '../../../src/domain/task.js';
import { lastZoneChange } from '../../../src/domain/zone-change.js';
import { BACKLOG_KEY, type BacklogSummary } from '../../../src/server/scheduler/backlog.js';
import { Scheduler } from '../../../src/server/scheduler/scheduler.js';
import { applyZoneDatabase } from '../../../src/server/scheduler/zone-database.js';
import { silentLogger } from '../../../src/server/telemetry/logger.js';
import { startTestSystem, type TestSystem } from '../a-system.js';

const HOUR = 3_600_000;
const START = '2026-11-24T06:00:00Z';
let system: TestSystem;

beforeEach(async () => {
  system = await startTestSystem({ start: START, callTool: async () => ({ output: {}, durationMs: 1 }) });
});
afterEach(() => system.close());

const hourly = (name: string, schedule: object = {}): TaskInput => ({
  name,
  schedule: { kind: 'cron', expr: '0 * * * *', timezone: 'UTC', ...schedule },
  pipeline: [{ id: 'one', uses: 'debug.echo' }],
});
const told = ({ status, reason, trigger, scheduledFor }: Run) =>
  [new Date(scheduledFor).toISOString().slice(11, 16), status, reason ?? '-', trigger].join(' ');
const backlog = async () => JSON.parse((await system.store.getMeta(BACKLOG_KEY)) as string) as BacklogSummary;

describe('what came due while nothing ran', () => {
  it('starts in one row of slots over all tasks, and every occurrence has its row', async () => {
    const tasks = [];
    for (let index = 0; index < 30; index += 1) tasks.push(await system.addTask(hourly(`t${index}`)));
    system.clock.advance(3.5 * HOUR);
    const now = system.clock.now();
    const result = await system.scheduler.runOnce();
    expect(result).toMatchObject({ queued: 30, missed: 60 });
    const starts: number[] = [];
    for (const task of tasks) {
      const runs = await system.runs(task);
      expect(runs.map(told)).toEqual([
        '07:00 missed catchup_latest schedule',
        '08:00 missed catchup_latest schedule',
        '09:00 queued - catchup',
      ]);
      starts.push((runs[2] as Run).runAt - now);
    }
    expect(starts.sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, slot) => slot * 100));
  });

  it('is not what a pass takes long to work off: that came due in time, and starts at once', async () => {
    const tasks = [];
    for (let index = 0; index < 6; index += 1) tasks.push(await system.addTask(hourly(`t${index}`)));
    system.clock.advance(HOUR);
    const slow = Object.assign(Object.create(system.store) as typeof system.store, {
      async scheduleDue(options: Parameters<typeof system.store.scheduleDue>[0]) {
        const result = await system.store.scheduleDue(options);
        system.clock.advance(40_000);
        return result;
      },
    });
    const scheduler = new Scheduler({ ...system, store: slow, batch: 1, logger: silentLogger });
    await scheduler.runOnce();
    for (const task of tasks)
      expect((await system.runs(task)).map(told)).toEqual(['07:00 queued - schedule']);
    await scheduler.caughtUp;
    expect(await backlog()).toMatchObject({ caughtUp: 0, first: null });
  });

  it('is also what came due while the machine slept in the middle of a pass', async () => {
    const early = await system.addTask(hourly('early'));
    const slept = await system.addTask(hourly('slept', { expr: '30 7 * * *' }));
    system.clock.advance(HOUR);
    let passes = 0;
    const sleepy = Object.assign(Object.create(system.store) as typeof system.store, {
      async scheduleDue(options: Parameters<typeof system.store.scheduleDue>[0]) {
        const result = await system.store.scheduleDue(options);
        passes += 1;
        if (passes === 1) system.clock.advance(HOUR);
        return result;
      },
    });
    await new Scheduler({ ...system, store: sleepy, batch: 1, logger: silentLogger }).runOnce();
    expect((await system.runs(early)).map(told)[0]).toBe('07:00 queued - schedule');
    expect((await system.runs(slept)).map(told).at(-1)).toMatch(/^07:30 queued - catchup/);
  });

  it('is summed up once, for the screen of a start', async () => {
    await system.addTask(hourly('latest'));
    await system.addTask(hourly('none', { catchup: { policy: 'skip' } }));
    await system.addTask(hourly('later', { catchup: { policy: 'all', max: 5, window: '80m' } }));
    await system.addTask(hourly('not-due', { kind: 'once', expr: '2026-12-24T00:00:00Z' }));
    system.clock.advance(2.5 * HOUR);
    await system.scheduler.runOnce();
    await system.scheduler.caughtUp;
    expect(await backlog()).toEqual({
      at: system.clock.now(),
      tasks: 3,
      caughtUp: 2,
      missed: 4,
      skipped: 0,
      reasons: { catchup_latest: 1, catchup_skip: 2, catchup_window: 1 },
      first: Date.parse('2026-11-24T07:00:00Z'),
    });
    const later = new Scheduler({ ...system, logger: silentLogger });
    await later.runOnce();
    expect(await backlog()).toMatchObject({ tasks: 0, first: null });
  });
});

describe('a task that was paused', () => {
  it.each([
    ['skip', ['07:00 skipped paused schedule', '08:00 skipped paused schedule'], 'queued - schedule'],
    [
      'latest',
      ['07:00 missed catchup_latest schedule', '08:00 queued - catchup'],
      'skipped overlap schedule',
    ],
    ['all', ['07:00 queued - catchup', '08:00 queued - catchup'], 'skipped overlap schedule'],
  ] as const)('resumed with %s gets a row for each occurrence', async (catchup, rows, after) => {
    const task = await system.addTask(hourly('paused', { catchup: { policy: 'skip', window: '1m' } }), {
      state: 'paused',
    });
    system.clock.advance(2.5 * HOUR);
    const order = withResumeOrder({ catchup, before: system.clock.now() });
    await system.store.updateTask({ ...task, state: 'active', ...order }, 1, 'test');
    await system.scheduler.runOnce();
    expect((await system.runs(task)).map(told)).toEqual(rows);
    // The order is carried out: what comes next follows the task's own policies.
    expect((await system.store.getTask(task.id))?.memory).toBeNull();
    system.clock.advance(0.5 * HOUR);
    await system.scheduler.runOnce();
    expect((await system.runs(task)).map(told).at(-1)).toBe(`09:00 ${after}`);
  });
});

describe('overlap: the six policies of Temporal', () => {
  it.each([
    ['skip', { overlap: 'skip' }, ['running', 'skipped overlap', 'skipped overlap']],
    ['buffer one', { overlap: 'queue', queue_limit: 1 }, ['running', 'queued', 'skipped overlap']],
    ['buffer all', { overlap: 'queue', queue_limit: 1000 }, ['running', 'queued', 'queued']],
    ['cancel other', { overlap: 'cancel_previous' }, ['canceling', 'canceled overlap', 'queued']],
    ['allow all', { overlap: 'allow' }, ['running', 'queued', 'queued']],
  ] as const)('%s', async (_name, policy, expected) => {
    const task = await system.addTask(hourly('overlapping', policy));
    const { store, clock, scheduler } = system;
    for (let hour = 0; hour < 3; hour += 1) {
      clock.advance(HOUR);
      await scheduler.runOnce();
      if (hour === 0)
        await store.lease({ workerId: 'w', now: clock.now(), limit: 5, leaseMs: 9 * HOUR, tags: [] });
    }
    const { cancelRequested } = await store.renewLeases({
      workerId: 'w',
      now: clock.now(),
      leaseMs: 9 * HOUR,
    });
    const found = (await system.runs(task)).map(({ id, status, reason }) =>
      cancelRequested.includes(id) ? 'canceling' : [status, reason ?? ''].join(' ').trim(),
    );
    expect(found).toEqual(expected);
  });
});

describe('another zone database', () => {
  const apply = (version: string) => applyZoneDatabase({ ...system, logger: silentLogger, version });

  it('moves due times to what the rules say now, and lists what moved', async () => {
    const right = Date.parse('2026-11-24T07:00:00Z');
    const moved = await system.addTask(hourly('moved'), { nextDueAt: right + 0.5 * HOUR });
    const paused = await system.addTask(hourly('paused'), { nextDueAt: right + HOUR, state: 'paused' });
    const same = await system.addTask(hourly('same'));
    expect(await apply('2025b')).toBeNull();
    expect(await apply('2025b')).toBeNull();
    const change = await apply('2025c');
    expect(change).toMatchObject({ from: '2025b', to: '2025c', moved: 2 });
    expect(change?.tasks).toEqual([
      { id: expect.any(String), name: 'paused', from: right + HOUR, to: right },
      { id: expect.any(String), name: 'moved', from: right + 0.5 * HOUR, to: right },
    ]);
    for (const { id } of [moved, paused, same])
      expect((await system.store.getTask(id))?.nextDueAt).toBe(right);
    expect(await lastZoneChange(system.store)).toEqual(change);
    const { items } = await system.store.listAudit({ limit: 1 });
    expect(items[0]).toMatchObject({ actor: 'system', action: 'zone_database.changed' });
    expect(await apply('2025c')).toBeNull();
  });

  it('gives no second run to an occurrence that has its row', async () => {
    const task = await system.addTask(hourly('ran'));
    system.clock.advance(HOUR);
    await system.scheduler.runOnce();
    await apply('2025b');
    await system.store.setNextDue(task.id, 1, system.clock.now() + 0.5 * HOUR);
    await apply('2025c');
    expect((await system.store.getTask(task.id))?.nextDueAt).toBe(Date.parse('2026-11-24T08:00:00Z'));
  });
});

describe('another zone database in which the clock of a zone is behind what it was', () => {
  // Until 2024a Almaty was at +06:00; since then it is at +05:00, which is what this Node knows.
  const daily = (expr: string, rest: object = {}): TaskInput => ({
    name: 'almaty',
    schedule: { kind: 'cron', expr, timezone: 'Asia/Almaty', ...rest },
    pipeline: [{ id: 'one', uses: 'debug.echo' }],
  });
  const apply = (version: string) => applyZoneDatabase({ ...system, logger: silentLogger, version });
  const at = (time: string) => Date.parse(`2026-11-${time}:00Z`);

  /** A system of before 2024a: a task has run at `last`, by the clock of then, and is due at `next`. */
  async function ranBefore(input: TaskInput, last: number, next: number) {
    await apply('2023c');
    const task = await system.addTask(input, { nextDueAt: last });
    system.clock.advance(last + 60_000 - system.clock.now());
    const scheduler = new Scheduler({ ...system, logger: silentLogger, zoneDatabase: '2023c' });
    await scheduler.runOnce();
    const key = 'zone_offsets:Asia/Almaty';
    const note = JSON.parse((await system.store.getMeta(key)) as string) as { offset: number };
    expect(note).toMatchObject({ version: '2023c', offset: 5 * 3600, changes: [] });
    await system.store.setMeta(key, JSON.stringify({ ...note, offset: 6 * 3600 }));
    await system.store.setNextDue(task.id, 1, next);
    return task;
  }

  it('runs no local time again that has run, leaves a row that says so, and goes on the next day', async () => {
    const task = await ranBefore(daily('30 12 * * *'), at('24T06:30'), at('25T06:30'));
    expect(await apply('2024a')).toMatchObject({ tasks: [{ from: at('25T06:30'), to: at('25T07:30') }] });
    for (const hours of [1, 24, 24]) {
      system.clock.advance(hours * HOUR);
      await system.scheduler.runOnce();
    }
    expect((await system.runs(task)).map(told)).toEqual([
      '06:30 queued - schedule',
      '07:30 skipped zone_database schedule',
      '07:30 skipped overlap schedule',
      '07:30 skipped overlap schedule',
    ]);
  });

  it('is done again by a start that follows one that died on the way', async () => {
    const task = await ranBefore(daily('30 12 * * *'), at('24T06:30'), at('25T06:30'));
    await apply('2024a');
    await system.store.setMeta('zone_database', '2023c');
    await system.store.setNextDue(task.id, 1, at('25T06:30'));
    await apply('2024a');
    expect((await system.store.getTask(task.id))?.nextDueAt).toBe(at('25T07:30'));
    expect((await system.runs(task)).map(told)).toHaveLength(2);
  });

  it('leaves out every time of the day that came before, and none that did not', async () => {
    const task = await ranBefore(daily('0,30 12-13 * * *'), at('24T07:00'), at('24T07:30'));
    await apply('2024a');
    expect((await system.store.getTask(task.id))?.nextDueAt).toBe(at('24T08:30'));
    expect((await system.runs(task)).map(told).slice(1)).toEqual([
      '07:30 skipped zone_database schedule',
      '08:00 skipped zone_database schedule',
    ]);
  });

  it.each([
    ['follows real time', daily('*/30 12-13 * * *'), '24T07:00'],
    [
      'wants both passes of a clock that is put back',
      daily('30 12 * * *', { dst: { fold: 'both' } }),
      '24T07:30',
    ],
  ])('lets a task that %s run on', async (_, input, next) => {
    const task = await ranBefore(input, at('24T06:30'), at('25T06:30'));
    await apply('2024a');
    expect((await system.store.getTask(task.id))?.nextDueAt).toBe(at(next));
  });
});

describe('a run that never began', () => {
  it('is counted when the next occurrence takes its place', async () => {
    const counted: unknown[] = [];
    system.bus.subscribe('metrics', ({ observations }) =>
      counted.push(...observations.filter(({ name }) => name === 'runs_total')),
    );
    await system.addTask(hourly('replaced', { overlap: 'cancel_previous' }));
    const scheduler = new Scheduler({ ...system, logger: silentLogger });
    for (let hour = 0; hour < 2; hour++) {
      system.clock.advance(HOUR);
      await scheduler.runOnce();
    }
    await expect
      .poll(() => counted)
      .toEqual([{ name: 'runs_total', labels: { outcome: 'canceled', trigger: 'schedule' }, values: [1] }]);
  });
});

describe('the reconciler', () => {
  it('sets the due time of an active task that has none, and counts it', async () => {
    const counted: string[] = [];
    system.bus.subscribe('metrics', ({ observations }) =>
      counted.push(...observations.map(({ name }) => name)),
    );
    const task = await system.addTask(hourly('lost'), { nextDueAt: null });
    const scheduler = new Scheduler({ ...system, logger: silentLogger });
    await scheduler.runOnce();
    expect((await system.store.getTask(task.id))?.nextDueAt).toBe(Date.parse('2026-11-24T07:00:00Z'));
    await expect.poll(() => counted).toContain('tasks_repaired_total');
  });

  it('tells of a task that no pass takes', async () => {
    const counted: string[] = [];
    system.bus.subscribe('metrics', ({ observations }) =>
      counted.push(...observations.map(({ name }) => name)),
    );
    await system.addTask(hourly('stuck'));
    system.clock.advance(2 * HOUR);
    const blind = { ...system.store, scheduleDue: async () => EMPTY };
    const scheduler = new Scheduler({ ...system, store: blind, logger: silentLogger });
    await scheduler.runOnce();
    await expect.poll(() => counted).toContain('tasks_stalled_total');
  });
});

const EMPTY = {
  tasks: 0,
  queued: 0,
  skipped: 0,
  missed: 0,
  duplicates: 0,
  cancelRequested: [],
  canceled: [],
  paused: [],
  earliestRunAt: null,
};
