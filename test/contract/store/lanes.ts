import { describe, expect, test } from 'vitest';
import type { LeasedRun, Store } from '../../../src/server/store/store.js';
import { endOf, leaseAs, runOf, seed, T0, taskOf } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

const ids = (leased: LeasedRun[]) => leased.map(({ run }) => run.id);
const end = (store: Store, leased: LeasedRun[]) =>
  store.complete(
    leased.map((one) => endOf(one)),
    T0,
  );

export function exerciseLanes(subject: Subject): void {
  describe('concurrency keys and serial runs', () => {
    const fill = async (store: Store, taskId: string, count: number, overrides = {}) => {
      const made: string[] = [];
      for (let index = 0; index < count; index++) {
        made.push(
          (await store.createRun({ taskId, run: runOf({ runAt: T0 - 10, ...overrides }), now: T0 })).id,
        );
      }
      return made;
    };

    test('no more of one key are leased than its limit, in one batch or over several', async () => {
      const { store } = subject();
      const { task } = await seed(store, { concurrency: { key: 'k', limit: 2 } });
      const made = await fill(store, task.id, 5);
      const first = await leaseAs(store);
      expect(ids(first)).toEqual(made.slice(0, 2));
      expect(await leaseAs(store, { workerId: 'w2' })).toEqual([]);
      await end(store, first.slice(0, 1));
      expect(ids(await leaseAs(store))).toEqual([made[2]]);
      expect(await leaseAs(store)).toEqual([]);
    });

    test('tasks of one agent share a key; tasks of two agents do not', async () => {
      const { store } = subject();
      const concurrency = { key: 'k', limit: 1 };
      const { agent, task } = await seed(store, { concurrency });
      const sibling = taskOf(agent, { name: 'sibling', concurrency });
      await store.createTask(sibling);
      const { task: stranger } = await seed(store, { concurrency });
      const [a] = await fill(store, task.id, 1);
      await fill(store, sibling.id, 1);
      const [c] = await fill(store, stranger.id, 1);
      expect(ids(await leaseAs(store))).toEqual([a, c]);
    });

    test('a long blocked key does not hold up what is behind it', async () => {
      const { store } = subject();
      const { agent, task } = await seed(store, { priority: 1, concurrency: { key: 'k', limit: 1 } });
      const free = taskOf(agent, { name: 'free' });
      await store.createTask(free);
      await Promise.all(
        Array.from({ length: 5000 }, () =>
          store.createRun({ taskId: task.id, run: runOf({ runAt: T0 - 10 }), now: T0 }),
        ),
      );
      const behind = await fill(store, free.id, 3, { runAt: T0 });
      expect(await leaseAs(store, { limit: 1 })).toHaveLength(1);
      expect(ids(await leaseAs(store))).toEqual(behind);
      // Counted as due, but nothing a worker should wake up for.
      expect((await store.stats(T0)).due).toBe(4999);
      expect(await store.nextRunAt()).toBeNull();
    });

    test('all of a blocked key run in the end, one at a time', async () => {
      const { store } = subject();
      const { task } = await seed(store, { concurrency: { key: 'k', limit: 1 } });
      const made = await fill(store, task.id, 20);
      const order: string[] = [];
      for (let turn = 0; turn < 20; turn++) {
        const leased = await leaseAs(store);
        expect(leased).toHaveLength(1);
        order.push(...ids(leased));
        await end(store, leased);
      }
      expect(order).toEqual(made);
    });

    test('a more urgent run of a key goes first, also when it came later', async () => {
      const { store } = subject();
      const concurrency = { key: 'k', limit: 1 };
      const { agent, task } = await seed(store, { concurrency });
      const urgent = taskOf(agent, { name: 'urgent', priority: 1, concurrency });
      await store.createTask(urgent);
      await fill(store, task.id, 3);
      const first = await leaseAs(store);
      await leaseAs(store);
      const [late] = await fill(store, urgent.id, 1);
      await end(store, first);
      expect(ids(await leaseAs(store))).toEqual([late]);
    });

    test('a key is free while its run waits for another attempt', async () => {
      const { store } = subject();
      const { agent, task } = await seed(store, { concurrency: { key: 'k', limit: 1 } });
      const free = taskOf(agent, { name: 'free' });
      await store.createTask(free);
      const made = await fill(store, task.id, 2);
      const [first] = await leaseAs(store);
      expect(await leaseAs(store)).toEqual([]);
      await store.complete(
        [endOf(first!, { status: 'queued', reason: 'tool_error', runAt: T0 + 60_000 })],
        T0,
      );
      // There is other work, so that nobody needs to look for what was forgotten.
      const [other] = await fill(store, free.id, 1, { runAt: T0 });
      expect(ids(await leaseAs(store))).toEqual([made[1], other]);
    });

    test('every way out of a lane wakes the next: cancel, reclaim, death', async () => {
      const { store } = subject();
      const { task } = await seed(store, { concurrency: { key: 'k', limit: 1 } });
      const made = await fill(store, task.id, 4);
      await leaseAs(store);
      await leaseAs(store);
      await store.reclaim({ now: T0, workerId: 'w1', limit: 10, maxDeaths: 1 });
      expect((await store.getRun(made[0] as string))?.status).toBe('dead');
      // The one that was woken is canceled before a worker takes it.
      await store.cancelRun(made[1] as string, 'no', T0);
      expect(ids(await leaseAs(store))).toEqual([made[2]]);
      await store.reclaim({ now: T0, workerId: 'w1', limit: 10, maxDeaths: 3 });
      expect(ids(await leaseAs(store))).toEqual([made[2]]);
      await store.cancelRun(made[2] as string, 'no', T0);
      await store.reclaim({ now: T0, workerId: 'w1', limit: 10, maxDeaths: 9 });
      expect((await store.getRun(made[2] as string))?.status).toBe('canceled');
      expect(ids(await leaseAs(store))).toEqual([made[3]]);
    });

    test('a parked run that is canceled leaves the others alone', async () => {
      const { store } = subject();
      const { task } = await seed(store, { concurrency: { key: 'k', limit: 1 } });
      const made = await fill(store, task.id, 3);
      const first = await leaseAs(store);
      await leaseAs(store);
      await store.cancelRun(made[1] as string, 'no', T0);
      expect(await leaseAs(store)).toEqual([]);
      await end(store, first);
      expect(ids(await leaseAs(store))).toEqual([made[2]]);
    });

    test('work of one key that asks for different tags does not block itself', async () => {
      const { store } = subject();
      const concurrency = { key: 'k', limit: 1 };
      const { agent, task } = await seed(store, { concurrency });
      const gpu = taskOf(agent, { name: 'gpu', concurrency, runs_on: ['gpu'], priority: 1 });
      await store.createTask(gpu);
      await fill(store, task.id, 2);
      const first = await leaseAs(store);
      await fill(store, gpu.id, 1);
      await leaseAs(store, { tags: ['gpu'] });
      await end(store, first);
      expect(await leaseAs(store)).toHaveLength(1);
    });

    test('two serial runs of a task are never leased together; those of two tasks are', async () => {
      const { store } = subject();
      const { agent, task } = await seed(store);
      const other = taskOf(agent, { name: 'other' });
      await store.createTask(other);
      const made = await fill(store, task.id, 2, { serial: true });
      const [free] = await fill(store, task.id, 1);
      const [elsewhere] = await fill(store, other.id, 1, { serial: true });
      const leased = await leaseAs(store);
      expect(ids(leased)).toEqual([made[0], free, elsewhere]);
      await end(store, leased.slice(1));
      expect(await leaseAs(store)).toEqual([]);
      await end(store, leased.slice(0, 1));
      expect(ids(await leaseAs(store))).toEqual([made[1]]);
    });

    test('a serial run that waits keeps the others of its task back, and goes on before them', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const made = await fill(store, task.id, 2, { serial: true });
      const [first] = await leaseAs(store);
      await store.complete([endOf(first!, { status: 'waiting', runAt: T0 + 60_000 })], T0);
      expect(await leaseAs(store)).toEqual([]);
      const again = await leaseAs(store, { now: T0 + 60_000 });
      expect(ids(again)).toEqual([made[0]]);
      await end(store, again);
      expect(ids(await leaseAs(store))).toEqual([made[1]]);
    });

    test('work that was parked and forgotten is found again', async ({ skip }) => {
      const { store, tamper } = subject();
      if (tamper === null) return skip('nobody else can open this database');
      const { task } = await seed(store, { concurrency: { key: 'k', limit: 1 } });
      const made = await fill(store, task.id, 2);
      const [first] = await leaseAs(store);
      expect(await leaseAs(store)).toEqual([]);
      await tamper(`DELETE FROM due_work WHERE seq = (SELECT seq FROM run WHERE id = '${first!.run.id}')`);
      expect(ids(await leaseAs(store))).toEqual([made[1]]);
    });
  });
}
