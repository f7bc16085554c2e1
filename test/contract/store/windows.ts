import { describe, expect, test } from 'vitest';
import { newId } from '../../../src/domain/ids.js';
import type { EventWindow, Store, WindowChange } from '../../../src/server/store/store.js';
import { endOf, leaseAs, runOf, seed, T0 } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

const ON_A = {
  schedule: { kind: 'event', topic: 'a', timezone: 'UTC', overlap: 'allow', queue_limit: 100 },
} as const;

const windowOf = (overrides: Partial<EventWindow> = {}): EventWindow => ({
  key: '',
  kind: 'together',
  openedAt: T0,
  closesAt: T0 + 1000,
  count: 1,
  size: 9,
  eventIds: ['evt_1'],
  ...overrides,
});

const publish = (store: Store, overrides: object = {}) =>
  store.publishEvent({
    id: newId('evt', T0),
    topic: 'a',
    payload: { n: 1 },
    dedupeKey: null,
    agentId: 'agt_1',
    createdAt: T0,
    ...overrides,
  });

/** Dispatches what waits; each event changes the window of its key (its payload). */
const dispatch = (store: Store, change: (open: EventWindow | null, others: number) => WindowChange) =>
  store.dispatchEvents({
    now: T0,
    limit: 10,
    match: (event, candidates) =>
      candidates.map(({ task }) => ({ taskId: task.id, key: String(event.payload), change })),
  });

export function exerciseWindows(subject: Subject): void {
  describe('windows of events', () => {
    test('an event opens a window, the next one changes it, and a change may end in runs', async () => {
      const { store } = subject();
      const { task } = await seed(store, ON_A);
      for (const payload of ['x', 'y', 'x']) await publish(store, { payload });
      const seen: [string | null, number][] = [];
      const result = await dispatch(store, (open, others) => {
        seen.push([open?.key ?? null, others]);
        const key = seen.length === 2 ? 'y' : 'x';
        if (open === null) return { window: windowOf({ key, closesAt: T0 + seen.length * 1000 }), runs: [] };
        return { window: null, runs: [runOf({ trigger: 'event', events: { count: 2, ids: ['evt_none'] } })] };
      });
      expect(seen).toEqual([
        [null, 0],
        [null, 1],
        ['x', 0],
      ]);
      expect(result).toMatchObject({ events: 3, queued: 1 });
      expect(await store.listWindows(task.id)).toEqual([windowOf({ key: 'y', closesAt: T0 + 2000 })]);
      expect(await store.nextWindowAt()).toBe(T0 + 2000);
      const [run] = (await store.listRuns({ taskId: task.id, limit: 5 })).items;
      expect(await store.getRunEvents(run?.id as string)).toEqual({ count: 2, events: [] });
    });

    test('a window closes when its time is up, not before, and not while an event waits', async () => {
      const { store } = subject();
      const { task } = await seed(store, ON_A);
      const { event } = await publish(store, { payload: '' });
      await dispatch(store, () => ({ window: windowOf({ eventIds: [event.id] }), runs: [] }));
      const close = (now: number) =>
        store.closeWindows({
          now,
          limit: 10,
          close: (due, window) => ({
            window: null,
            runs: [
              runOf({
                trigger: 'event',
                scheduledFor: window.closesAt,
                params: { task: due.task.name, key: window.key },
                eventId: window.eventIds[0] as string,
                events: { count: window.count, ids: window.eventIds },
              }),
            ],
          }),
        });
      expect(await close(T0 + 999)).toMatchObject({ tasks: 0, queued: 0 });
      await publish(store, { topic: 'b' });
      expect(await close(T0 + 1000)).toMatchObject({ tasks: 0, queued: 0 });
      await store.dispatchEvents({ now: T0, limit: 10, match: () => [] });
      expect(await close(T0 + 1000)).toMatchObject({ tasks: 1, queued: 1 });
      expect(await close(T0 + 1000)).toMatchObject({ tasks: 0, queued: 0 });
      expect(await store.nextWindowAt()).toBeNull();
      const [leased] = await leaseAs(store, { now: T0 + 1000 });
      expect(leased?.run).toMatchObject({ eventId: event.id, params: { task: task.name, key: '' } });
      expect((await store.getRunEvents(leased?.run.id as string))?.events).toEqual([
        { ...event, dispatchedAt: T0 },
      ]);
      expect((await store.listRunsOfEvent(event.id, 5)).map(({ id }) => id)).toEqual([leased?.run.id]);
    });

    test('a window of a paused task closes as well, and one whose decision fails is gone with a reason', async () => {
      const { store } = subject();
      const { task } = await seed(store, ON_A);
      await publish(store, { payload: '' });
      await dispatch(store, () => ({ window: windowOf(), runs: [] }));
      await store.updateTask({ ...task, version: 2, state: 'paused' }, 1, 'test');
      const states: string[] = [];
      const result = await store.closeWindows({
        now: T0 + 1000,
        limit: 10,
        close: ({ task: { state } }) => {
          states.push(state);
          throw new Error('no');
        },
      });
      expect([states, result.tasks, result.queued]).toEqual([['paused'], 1, 0]);
      expect(await store.listWindows(task.id)).toEqual([]);
      expect(await store.getTask(task.id)).toMatchObject({ state: 'paused', stateReason: 'error: no' });
    });

    test('a change may leave one more window behind, from an event and from a window that closes', async () => {
      const { store } = subject();
      const { task } = await seed(store, ON_A);
      const rest = (key: string) => windowOf({ kind: 'absent', key, closesAt: T0 - 1000, size: 300 });
      await publish(store, { payload: '' });
      await dispatch(store, () => ({
        window: windowOf(),
        rest: rest('\u0001 1'),
        runs: [runOf({ trigger: 'event' })],
      }));
      const sizes = async () =>
        Object.fromEntries((await store.listWindows(task.id)).map(({ key, size }) => [key, size]));
      expect(await sizes()).toEqual({ '': 9, '\u0001 1': 300 });
      await store.closeWindows({
        now: T0,
        limit: 10,
        close: (_due, window) => ({ window: { ...window, size: 100 }, rest: rest('\u0001 2'), runs: [] }),
      });
      expect(await sizes()).toEqual({ '': 9, '\u0001 1': 100, '\u0001 2': 300 });
    });

    test('a decision about a due task may open a window', async () => {
      const { store } = subject();
      const { task } = await seed(store, ON_A, { nextDueAt: T0 });
      const open = windowOf({ kind: 'absent', closesAt: T0 + 5000, eventIds: [], count: 0, size: 0 });
      await store.scheduleDue({
        now: T0,
        limit: 10,
        decide: () => ({ runs: [], nextDueAt: null, window: open }),
      });
      expect(await store.listWindows(task.id)).toEqual([open]);
      expect((await store.getTask(task.id))?.nextDueAt).toBeNull();
    });

    test('an event knows the run it was published from; a task knows how often it ran of late', async () => {
      const { store } = subject();
      const { task } = await seed(store, ON_A);
      const run = await store.createRun({ taskId: task.id, run: runOf(), now: T0 - 30_000 });
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 - 70_000 });
      const outside = (await publish(store)).event;
      const { event } = await publish(store, { causeRunId: run.id, depth: 3 });
      expect(outside).toMatchObject({ causeRunId: null, depth: 0 });
      expect(await store.getEvent(event.id)).toMatchObject({ causeRunId: run.id, depth: 3 });
      expect(await store.listEventsOfRun(run.id, 5)).toEqual([event]);
      const recent: (number | undefined)[] = [];
      await store.dispatchEvents({
        now: T0,
        limit: 10,
        match: (_event, [due]) => {
          recent.push(due?.recentRuns);
          return [];
        },
      });
      expect(recent).toEqual([undefined, 1]);
    });

    test('what a step saw is kept with the end of its run, and is lost with a lease that was lost', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [first] = await leaseAs(store);
      if (first === undefined) throw new Error('nothing was leased');
      expect(await store.getStepMemory(task.id, 'one')).toBeNull();
      const stepMemory = [{ stepId: 'one', hash: 'h1' }];
      await store.complete([endOf({ ...first, leaseToken: first.leaseToken + 1 }, { stepMemory })], T0);
      expect(await store.getStepMemory(task.id, 'one')).toBeNull();
      await store.complete([endOf(first, { stepMemory })], T0);
      expect(await store.getStepMemory(task.id, 'one')).toEqual({
        hash: 'h1',
        runId: first.run.id,
        at: T0 + 10,
      });
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [second] = await leaseAs(store);
      if (second === undefined) throw new Error('nothing was leased');
      await store.complete([endOf(second, { stepMemory: [{ stepId: 'one', hash: 'h2' }] })], T0);
      expect(await store.getStepMemory(task.id, 'one')).toMatchObject({ hash: 'h2', runId: second.run.id });
      expect(await store.getStepMemory(task.id, 'two')).toBeNull();
    });
  });
}
