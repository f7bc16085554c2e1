import { describe, expect, test } from 'vitest';
import { newId } from '../../../src/domain/ids.js';
import type { RunStatus } from '../../../src/domain/run.js';
import { endOf, leaseAs, runOf, seed, T0, taskOf } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

export function exerciseRuns(subject: Subject): void {
  describe('runs', () => {
    test('a run that is asked for is written with its work', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const wanted = runOf({ params: { a: { b: 1 } }, parentRunId: 'run_x', traceId: 'abc' });
      const run = await store.createRun({ taskId: task.id, run: wanted, now: T0 + 3 });
      expect(run).toMatchObject({
        id: wanted.id,
        status: 'queued',
        trigger: 'manual',
        params: { a: { b: 1 } },
        parentRunId: 'run_x',
        traceId: 'abc',
        createdAt: T0 + 3,
      });
      expect(await store.getRun(wanted.id)).toEqual(run);
      expect(await store.getRun(newId('run', T0))).toBeNull();
    });

    test('many manual runs of one instant are many runs', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const runs = await Promise.all(
        [1, 2, 3].map(() => store.createRun({ taskId: task.id, run: runOf(), now: T0 })),
      );
      expect(new Set(runs.map(({ id }) => id)).size).toBe(3);
    });

    test('of many calls at once, one that fails fails alone', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const run = runOf();
      const outcomes = await Promise.allSettled([
        store.createRun({ taskId: task.id, run: runOf(), now: T0 }),
        store.createRun({ taskId: 'tsk_none', run: runOf(), now: T0 }),
        store.createRun({ taskId: task.id, run, now: T0 }),
        store.createRun({ taskId: task.id, run, now: T0 }),
        store.createRun({ taskId: task.id, run: runOf(), now: T0 }),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
        'rejected',
        'fulfilled',
      ]);
      expect(outcomes[1]).toMatchObject({ reason: { code: 'PAO_NOT_FOUND', status: 404 } });
      expect((await store.listRuns({ limit: 10 })).items).toHaveLength(3);
    });

    test('inside the dedupe window a run is recorded as skipped, unless it is forced', async () => {
      const { store } = subject();
      const { task } = await seed(store, { dedupe: { key: 'k', window: '30m' } });
      const make = (now: number, force = false) =>
        store.createRun({ taskId: task.id, run: runOf({ dedupeKey: 'k' }), now, force });
      expect((await make(T0)).status).toBe('queued');
      expect(await make(T0 + 29 * 60_000)).toMatchObject({ status: 'skipped', reason: 'dedupe' });
      expect((await make(T0 + 29 * 60_000, true)).status).toBe('queued');
      expect((await make(T0 + 60 * 60_000)).status).toBe('queued');
      expect(await leaseAs(store, { now: T0 + 60 * 60_000 })).toHaveLength(3);
    });

    test('a canceled task gets no run', async () => {
      const { store } = subject();
      const { task } = await seed(store, {}, { state: 'canceled' });
      await expect(store.createRun({ taskId: task.id, run: runOf(), now: T0 })).rejects.toMatchObject({
        code: 'PAO_CONFLICT',
        status: 409,
      });
    });

    test('a queued or waiting run is canceled at once', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const queued = await store.createRun({ taskId: task.id, run: runOf({ runAt: T0 + 99 }), now: T0 });
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [leased] = await leaseAs(store);
      await store.complete([endOf(leased!, { status: 'waiting', runAt: T0 + 9 })], T0);
      for (const id of [queued.id, leased!.run.id]) {
        expect(await store.cancelRun(id, 'changed my mind', T0 + 5)).toMatchObject({
          cancelRequested: false,
          run: { status: 'canceled', reason: 'changed my mind', finishedAt: T0 + 5 },
        });
      }
      expect(await leaseAs(store, { now: T0 + 1000 })).toEqual([]);
      expect(await store.cancelRun('run_none', 'x', T0)).toBeNull();
    });

    test('a running run is asked to stop, and says so until it ends', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [leased] = await leaseAs(store);
      await store.cancelRun(leased!.run.id, 'first', T0);
      await store.cancelRun(leased!.run.id, 'second', T0);
      const renewed = await store.renewLeases({ workerId: 'w1', now: T0, leaseMs: 15_000 });
      expect(renewed.cancelRequested).toEqual([leased!.run.id]);
      await store.complete([endOf(leased!, { status: 'canceled', reason: 'first' })], T0);
      expect(await store.getRun(leased!.run.id)).toMatchObject({ status: 'canceled', reason: 'first' });
    });

    test('runs are listed newest first, and a page does not move when runs are added', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const made: string[] = [];
      for (let index = 0; index < 5; index++) {
        made.unshift((await store.createRun({ taskId: task.id, run: runOf(), now: T0 })).id);
      }
      const first = await store.listRuns({ limit: 2 });
      expect(first.items.map(({ id }) => id)).toEqual(made.slice(0, 2));
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const second = await store.listRuns({ limit: 2, cursor: first.nextCursor as string });
      expect(second.items.map(({ id }) => id)).toEqual(made.slice(2, 4));
      const third = await store.listRuns({ limit: 2, cursor: second.nextCursor as string });
      expect(third.items.map(({ id }) => id)).toEqual(made.slice(4));
      expect(third.nextCursor).toBeNull();
    });

    test('a page that is exactly full is the last when nothing follows', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      for (let index = 0; index < 2; index++)
        await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      expect((await store.listRuns({ limit: 2 })).nextCursor).toBeNull();
    });

    test('a cursor that no list gave is refused in words', async () => {
      const { store } = subject();
      for (const cursor of ['x', '', encodeURIComponent('"a"'), Buffer.from('"a"').toString('base64url')]) {
        await expect(store.listRuns({ limit: 2, cursor })).rejects.toMatchObject({
          code: 'PAO_INPUT_INVALID',
          status: 422,
        });
      }
    });

    test('runs are found by agent, task, status and time', async () => {
      const { store } = subject();
      const { agent, task } = await seed(store);
      const sibling = taskOf(agent, { name: 'sibling' });
      await store.createTask(sibling);
      const { task: stranger } = await seed(store);
      const at = async (
        taskId: string,
        scheduledFor: number,
        status: 'queued' | 'skipped' | 'missed' = 'queued',
        reason: string | null = null,
      ) => (await store.createRun({ taskId, run: runOf({ scheduledFor, status, reason }), now: T0 })).id;
      const succeeded = await at(task.id, T0 + 1);
      const [one] = await leaseAs(store);
      await store.complete([endOf(one!)], T0);
      const running = await at(task.id, T0 + 2);
      await leaseAs(store);
      const waiting = await at(task.id, T0 + 3);
      const [two] = await leaseAs(store);
      await store.complete([endOf(two!, { status: 'waiting', runAt: T0 })], T0);
      const skipped = await at(sibling.id, T0 + 4, 'skipped', 'budget');
      const queued = await at(sibling.id, T0 + 5);
      const foreign = await at(stranger.id, T0 + 6, 'missed', 'catchup_window');
      const find = async (query: object) =>
        (await store.listRuns({ limit: 10, ...query })).items.map(({ id }) => id);
      expect(await find({})).toEqual([foreign, queued, skipped, waiting, running, succeeded]);
      expect(await find({ agentId: agent.id })).toEqual([queued, skipped, waiting, running, succeeded]);
      expect(await find({ taskId: task.id })).toEqual([waiting, running, succeeded]);
      expect(await find({ taskId: task.id, agentId: stranger.agentId })).toEqual([]);
      expect(await find({ agentId: 'agt_none' })).toEqual([]);
      expect(await find({ since: T0 + 3, until: T0 + 5 })).toEqual([queued, skipped, waiting]);
      const ended = { statuses: ['skipped', 'missed', 'succeeded'] };
      expect(await find({ ...ended, reasons: ['budget', 'none'] })).toEqual([skipped]);
      expect(await find({ reasons: ['budget', 'catchup_window'] })).toEqual([foreign, skipped]);
      expect(await find({ ...ended, exceptReasons: ['budget', 'none'] })).toEqual([foreign, succeeded]);
      const exceptional = { statuses: ['skipped', 'missed'], exceptReasons: ['budget'] };
      expect(await find(exceptional)).toEqual([foreign]);
      const by = (...statuses: RunStatus[]) => find({ statuses });
      expect(await by('running')).toEqual([running]);
      expect(await by('queued', 'waiting')).toEqual([queued, waiting]);
      expect(await by('succeeded')).toEqual([succeeded]);
      expect(await by('skipped', 'missed')).toEqual([foreign, skipped]);
      expect(await by('succeeded', 'running', 'skipped')).toEqual([skipped, running, succeeded]);
      expect(await find({ statuses: ['queued', 'running'], taskId: task.id })).toEqual([running]);
      expect(await by()).toEqual([]);
    });
  });
}
