import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../../src/domain/ids.js';
import type { Run } from '../../../src/domain/run.js';
import type { Task, TaskInput } from '../../../src/domain/task.js';
import { matchEvent } from '../../../src/server/scheduler/match-event.js';
import { Scheduler } from '../../../src/server/scheduler/scheduler.js';
import { openStore } from '../../../src/server/store/open.js';
import type { Store } from '../../../src/server/store/store.js';
import { silentLogger } from '../../../src/server/telemetry/logger.js';
import { createDatabase, emptyDatabase, type TestDatabase } from '../../postgres/shared-cluster.js';
import { startTestSystem, type TestSystem } from '../a-system.js';

const START = Date.parse('2026-11-24T06:00:00Z');
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

describe.each(['sqlite', 'postgres'] as const)('windows of events on %s', (engine) => {
  let system: TestSystem;
  let seen: Record<string, unknown>[];
  let database: TestDatabase | null = null;
  let postgres: Store | undefined;

  beforeAll(async () => {
    if (engine === 'sqlite') return;
    database = await createDatabase('windows');
    postgres = await openStore({ url: database.url });
  });
  afterAll(async () => {
    await postgres?.close();
    await database?.drop();
  });
  beforeEach(async () => {
    seen = [];
    if (database !== null && postgres !== undefined) {
      await postgres.migrate(START);
      await emptyDatabase(database.admin);
    }
    system = await startTestSystem({
      ...(postgres === undefined ? {} : { openStore: postgres }),
      start: new Date(START).toISOString(),
      callTool: async (_tool, input) => {
        seen.push(input as Record<string, unknown>);
        return { output: {}, durationMs: 1 };
      },
    });
    await system.addTool({ address: 'c.take', kind: 'http', http: { url: 'http://e.com/' } });
  });
  afterEach(() => system.close());

  const onEvents = (schedule: object, more: Partial<TaskInput> = {}): Promise<Task> =>
    system.addTask({
      name: newId('tsk', 0),
      schedule: { kind: 'event', ...schedule } as TaskInput['schedule'],
      pipeline: [{ id: 'take', uses: 'c.take', with: { event: '${event}' } }],
      ...more,
    });
  const publish = async (topic: string, payload: unknown = null) => {
    const at = system.clock.now();
    const given = { id: newId('evt', at), topic, payload, dedupeKey: null, agentId: 'agt_x', createdAt: at };
    return (await system.store.publishEvent(given)).event;
  };
  /** Lets time pass and the scheduler look. */
  const after = async (ms: number) => {
    system.clock.advance(ms);
    return system.scheduler.runOnce();
  };
  const told = ({ status, reason, trigger, scheduledFor }: Run) =>
    [new Date(scheduledFor).toISOString().slice(11, 19), status, reason ?? '-', trigger].join(' ');
  const rows = async (task: Task) => (await system.runs(task)).map(told);
  const taken = async (task: Task): Promise<Record<string, unknown>> => {
    const run = (await system.runs(task)).find(({ status }) => status === 'queued') as Run;
    system.startWorker();
    await system.until(run.id, 'succeeded');
    return seen.at(-1)?.['event'] as Record<string, unknown>;
  };

  describe('debounce', () => {
    it('makes one run of a burst, when it is over, with what came last and all of it', async () => {
      const task = await onEvents({ topic: 'file.*', debounce: '30s' });
      for (const n of [1, 2, 3]) {
        await publish('file.saved', { n });
        await after(20 * SECOND);
      }
      expect(await rows(task)).toEqual([]);
      await after(9999);
      expect(await rows(task)).toEqual([]);
      await after(1);
      expect(await rows(task)).toEqual(['06:01:10 queued - event']);
      expect(await taken(task)).toMatchObject({
        topic: 'file.saved',
        payload: { n: 3 },
        count: 3,
        items: [{ payload: { n: 1 }, at: '2026-11-24T06:00:00.000Z' }, { payload: { n: 2 } }, {}],
      });
    });

    it('waits max_wait at most, and begins anew after it', async () => {
      const task = await onEvents({ topic: 'a', debounce: { quiet: '30s', max_wait: '1m' } });
      for (let n = 0; n < 5; n += 1) {
        await publish('a', n);
        await after(20 * SECOND);
      }
      await after(30 * SECOND);
      expect(await rows(task)).toEqual(['06:01:00 queued - event', '06:01:50 queued - event']);
      const counts = (await system.runs(task)).map(
        async ({ id }) => (await system.store.getRunEvents(id))?.count,
      );
      expect(await Promise.all(counts)).toEqual([3, 2]);
    });

    it('keeps windows apart by key, and survives a restart', async () => {
      const task = await onEvents({
        topic: 'a',
        debounce: '30s',
        key: 'payload.file',
        filter: 'payload.file',
      });
      await publish('a', { file: 'x' });
      await publish('a', { file: 'y' });
      await publish('a', { other: 1 });
      await after(10 * SECOND);
      await publish('a', { file: 'y' });
      await after(1);
      expect((await system.store.listWindows(task.id)).map(({ key, count }) => [key, count])).toEqual([
        ['x', 1],
        ['y', 2],
      ]);
      system.clock.advance(HOUR);
      const { store, bus, clock } = system;
      await new Scheduler({ store, bus, clock, logger: silentLogger }).runOnce();
      expect(await rows(task)).toEqual(['06:00:30 queued - event', '06:00:40 queued - event']);
      await after(HOUR);
      expect(await system.runs(task)).toHaveLength(2);
    });

    it('a pass that comes late tells two bursts apart', async () => {
      const task = await onEvents({ topic: 'a', debounce: '30s' });
      await publish('a', 1);
      system.clock.advance(MINUTE);
      await publish('a', 2);
      system.clock.advance(MINUTE);
      await after(0);
      expect(await rows(task)).toEqual(['06:00:30 queued - event', '06:01:30 queued - event']);
    });

    it('leaves a row when the task can not run any more, is snoozed, or its schedule is another one', async () => {
      const paused = await onEvents({ topic: 'a', debounce: '30s' });
      const snoozed = await onEvents({ topic: 'a', debounce: '30s' });
      const other = await onEvents({ topic: 'a', debounce: '30s' });
      await publish('a');
      await after(1);
      await system.store.updateTask({ ...paused, state: 'paused', version: 2 }, 1, 'test');
      await system.store.updateTask({ ...snoozed, snoozedUntil: START + HOUR, version: 2 }, 1, 'test');
      const { debounce: _, ...schedule } = other.spec.schedule as {
        debounce: unknown;
        kind: 'event';
        topic: 'b';
      };
      const spec = { ...other.spec, schedule } as Task['spec'];
      await system.store.updateTask({ ...other, spec, version: 2 }, 1, 'test');
      await after(MINUTE);
      expect((await Promise.all([paused, snoozed, other].map(rows))).flat()).toEqual([
        '06:00:30 skipped paused event',
        '06:00:30 skipped snoozed event',
        '06:00:30 skipped schedule_changed event',
      ]);
    });
  });

  describe('a batch', () => {
    it('is full at its size, at once, and closes with its window otherwise', async () => {
      const task = await onEvents({ topic: 'a', batch: { size: 3, window: '10m' } });
      for (let n = 0; n < 4; n += 1) {
        await publish('a', n);
        await after(MINUTE);
      }
      expect(await rows(task)).toEqual(['06:02:00 queued - event']);
      await after(9 * MINUTE - 1);
      expect(await system.runs(task)).toHaveLength(1);
      await after(1);
      expect(await rows(task)).toEqual(['06:02:00 queued - event', '06:13:00 queued - event']);
      await taken(task);
      expect(seen.map(({ event }) => event)).toContainEqual(
        expect.objectContaining({
          count: 3,
          items: [0, 1, 2].map((payload) => expect.objectContaining({ payload })),
        }),
      );
    });

    it('of large payloads is closed before it is too large for a run', async () => {
      const task = await onEvents({ topic: 'a', batch: { size: 100, window: '10m' } });
      for (let n = 0; n < 6; n += 1) await publish('a', 'x'.repeat(200_000));
      await after(0);
      expect(await rows(task)).toEqual(['06:00:00 queued - event']);
    });
  });

  describe('an event that does not come', () => {
    it('within the time after another one triggers once; one that comes in time does not', async () => {
      const task = await onEvents({
        topic: 'job.started',
        key: 'payload.id',
        absent: { topic: 'job.finished', within: '1h', filter: 'payload.ok' },
      });
      for (const id of [1, 2, 3]) await publish('job.started', { id });
      await after(30 * MINUTE);
      await publish('job.started', { id: 2 });
      await publish('job.finished', { id: 1, ok: true });
      await publish('job.finished', { id: 3, ok: false });
      await after(30 * MINUTE - 1);
      expect(await rows(task)).toEqual([]);
      await after(1);
      expect(await rows(task)).toEqual(['07:00:00 queued - event', '07:00:00 queued - event']);
      await publish('job.finished', { id: 2, ok: true });
      await after(5 * HOUR);
      expect(await system.runs(task)).toHaveLength(2);
      expect(await taken(task)).toMatchObject({
        topic: 'job.started',
        absent: {
          topic: 'job.finished',
          since: '2026-11-24T06:00:00.000Z',
          until: '2026-11-24T07:00:00.000Z',
        },
      });
    });

    it('since the last one, or since the task was made, triggers once for each span', async () => {
      const task = await onEvents({ absent: { topic: 'backup.done', within: '1h' } });
      await after(0);
      await after(59 * MINUTE);
      await publish('backup.done');
      await after(59 * MINUTE);
      expect(await rows(task)).toEqual([]);
      await after(MINUTE);
      await after(30 * MINUTE);
      await after(30 * MINUTE);
      expect(await rows(task)).toEqual(['07:59:00 queued - event', '08:59:00 queued - event']);
    });

    it('while the machine slept is told once; every span that passed has its row', async () => {
      const task = await onEvents({ absent: { topic: 'beat', within: '1h' } });
      await after(0);
      await after(3.5 * HOUR);
      expect(await rows(task)).toEqual([
        '07:00:00 missed catchup_latest event',
        '08:00:00 missed catchup_latest event',
        '09:00:00 queued - event',
      ]);
      expect((await system.store.listWindows(task.id)).map(({ closesAt }) => closesAt)).toEqual([
        START + 4 * HOUR,
      ]);
    });

    it.each(['and nothing came', 'and then it came'])(
      'for weeks: every span has its row, in slices, %s',
      async (what) => {
        const task = await onEvents({ absent: { topic: 'beat', within: '1h' } });
        await after(0);
        system.clock.advance(701.5 * HOUR);
        if (what === 'and then it came') await publish('beat');
        await after(0);
        const at = (await system.runs(task)).map(({ scheduledFor }) => scheduledFor);
        expect([...at].sort((a, b) => a - b)).toEqual(
          Array.from({ length: 701 }, (_, index) => START + (index + 1) * HOUR),
        );
        const all = await rows(task);
        expect(all.filter((row) => row.includes('missed catchup_latest'))).toHaveLength(700);
        expect(all.filter((row) => row.includes('queued'))).toEqual(['11:00:00 queued - event']);
        expect(
          (await system.store.listWindows(task.id)).map(({ key, size, closesAt }) => [key, size, closesAt]),
        ).toEqual([['', 0, START + (what === 'and then it came' ? 702.5 : 702) * HOUR]]);
      },
    );

    it('for so many spans that one pass does not write them all: what is due otherwise has its turn between', async () => {
      await onEvents({ absent: { topic: 'beat', within: '10s' } });
      await after(0);
      const first = await after(9 * HOUR);
      expect([first.missed < 3239, await system.store.nextWindowAt()]).toEqual([true, expect.any(Number)]);
      const clock = await system.addTask({
        name: 'clock',
        schedule: { kind: 'once', at: new Date(system.clock.now() + 1000).toISOString(), timezone: 'UTC' },
        pipeline: [{ id: 'take', uses: 'c.take' }],
      });
      system.clock.advance(SECOND);
      const next = await system.scheduler.runOnce();
      expect(await rows(clock)).toEqual(['15:00:01 queued - schedule']);
      expect([first.missed + next.missed, first.queued + next.queued]).toEqual([3239, 2]);
    });

    it('rows that are still to be written are written when the task is paused or is another one by then', async () => {
      const task = await onEvents({ absent: { topic: 'beat', within: '1h' } });
      await after(0);
      system.clock.advance(450.5 * HOUR);
      await publish('beat');
      const now = system.clock.now();
      const due = { ...task, version: 2 };
      // Between the transaction of the event and those that close windows.
      await system.store.dispatchEvents({
        now,
        limit: 10,
        match: (event, candidates) => matchEvent(event, candidates, now),
      });
      expect(await system.runs(task)).toHaveLength(201);
      await system.store.updateTask(
        { ...due, spec: { ...due.spec, schedule: undefined }, state: 'paused' },
        1,
        'test',
      );
      await after(0);
      expect(new Set((await system.runs(task)).map(({ scheduledFor }) => scheduledFor)).size).toBe(450);
    });

    it('rows that are still to be written are out of reach of whatever an event has in its key', async () => {
      const task = await onEvents({ key: 'payload.id', absent: { topic: 'beat', within: '1h' } });
      await publish('beat', { id: 'a' });
      await after(0);
      system.clock.advance(450.5 * HOUR);
      await publish('beat', { id: 'a' });
      const now = system.clock.now();
      await system.store.dispatchEvents({
        now,
        limit: 10,
        match: (event, candidates) => matchEvent(event, candidates, now),
      });
      const rest = (await system.store.listWindows(task.id)).find(({ size }) => size > 0);
      await publish('beat', { id: rest?.key });
      await after(0);
      const at = (await system.runs(task)).map(({ scheduledFor }) => scheduledFor);
      expect([at.length, new Set(at).size]).toEqual([450, 450]);
    });

    it('is not missed when it came in time and no scheduler looked; it is when it came too late', async () => {
      const task = await onEvents({ absent: { topic: 'beat', within: '1h' } });
      await after(0);
      system.clock.advance(50 * MINUTE);
      await publish('beat');
      system.clock.advance(70 * MINUTE);
      await publish('beat');
      system.clock.advance(10 * MINUTE);
      await after(0);
      expect(await rows(task)).toEqual(['07:50:00 queued - event']);
      expect((await system.store.listWindows(task.id)).map(({ closesAt }) => closesAt)).toEqual([
        START + 3 * HOUR,
      ]);
    });

    it('one event may end a span and begin the next', async () => {
      const task = await onEvents({ topic: 'door.*', absent: { topic: 'door.closed', within: '5m' } });
      await publish('door.opened');
      await after(MINUTE);
      await publish('door.closed');
      await after(0);
      expect((await system.store.listWindows(task.id)).map(({ closesAt }) => closesAt)).toEqual([
        START + 6 * MINUTE,
      ]);
    });
  });

  describe('two schedulers', () => {
    let mine: Store;
    let other: Scheduler;
    beforeEach(async () => {
      const { bus, clock } = system;
      // A process of its own would have its own connections.
      mine = await openStore({ url: database?.url ?? `sqlite:${system.store.location}` });
      other = new Scheduler({ store: mine, bus, clock, logger: silentLogger });
    });
    afterEach(() => mine.close());
    const race = () => Promise.all([system.scheduler.runOnce(), other.runOnce()]);

    it('close a window once', async () => {
      const task = await onEvents({ topic: 'a', debounce: '30s' });
      await publish('a');
      await after(1);
      system.clock.advance(MINUTE);
      await race();
      expect(await rows(task)).toEqual(['06:00:30 queued - event']);
    });

    it('race over bursts, batches and silence: each event is in one run of a task, each span has one row', async () => {
      const burst = await onEvents({ topic: 'a', debounce: '30s', key: 'payload.k' });
      const three = await onEvents({ topic: 'a', batch: { size: 3, window: '10m' } });
      const silent = await onEvents({ absent: { topic: 'beat', within: '1m' } });
      await race();
      const ids: string[] = [];
      for (let n = 0; n < 40; n += 1) {
        ids.push((await publish('a', { k: n % 4 })).id);
        if (n % 5 === 0) await publish('beat');
        if (n % 3 === 0) await race();
        system.clock.advance(10 * SECOND);
      }
      system.clock.advance(5.5 * HOUR);
      await race();
      await race();
      for (const task of [burst, three]) {
        const taken = (await system.runs(task)).map(({ id }) => system.store.getRunEvents(id));
        const found = (await Promise.all(taken)).flatMap((one) => one?.events.map(({ id }) => id) ?? []);
        expect([...found].sort()).toEqual([...ids].sort());
      }
      // The last beat came at 350 s, and the clock stands at 20,200 s.
      const spans = (await system.runs(silent)).map(({ scheduledFor }) => (scheduledFor - START) / SECOND);
      expect(spans).toEqual(Array.from({ length: 330 }, (_, index) => 410 + index * 60));
      expect((await rows(silent)).filter((row) => row.includes('queued'))).toHaveLength(1);
    });
  });

  describe('a loop', () => {
    const caused = async (depth: number) => {
      const at = system.clock.now();
      const given = {
        id: newId('evt', at),
        topic: 'a',
        payload: null,
        dedupeKey: null,
        agentId: 'agt_x',
        createdAt: at,
      };
      await system.store.publishEvent({ ...given, causeRunId: 'run_x', depth });
    };

    it('ends with a row that says so', async () => {
      const task = await onEvents({ topic: 'a' });
      await caused(16);
      await caused(17);
      await after(0);
      expect((await rows(task)).sort()).toEqual(['06:00:00 queued - event', '06:00:00 skipped loop event']);
    });

    it('that spreads is held to a rate; what comes from outside is not', async () => {
      const task = await onEvents({ topic: 'a' });
      for (let n = 0; n < 62; n += 1) await caused(1);
      await publish('a');
      await after(0);
      const reasons = (await system.runs(task)).map(({ status, reason }) => reason ?? status);
      expect(reasons.filter((one) => one === 'queued')).toHaveLength(61);
      expect(reasons.filter((one) => one === 'loop_rate')).toHaveLength(2);
      await after(61 * SECOND);
      await caused(1);
      await after(0);
      expect((await system.runs(task)).at(-1)).toMatchObject({ status: 'queued' });
    });
  });
});
