import { describe, expect, test } from 'vitest';
import { endOf, leaseAs, runOf, seed, stepOf, T0 } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

export function exerciseReclaiming(subject: Subject): void {
  describe('lost workers', () => {
    test('only leases that ran out are taken back', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [leased] = await leaseAs(store);
      const none = { requeued: [], dead: [], canceled: [] };
      expect(await store.reclaim({ now: T0 + 14_999, limit: 10, maxDeaths: 3 })).toEqual(none);
      expect(await store.reclaim({ now: T0 + 15_000, limit: 10, maxDeaths: 3 })).toEqual({
        ...none,
        requeued: [leased!.run.id],
      });
      expect(await store.getRun(leased!.run.id)).toMatchObject({
        status: 'queued',
        reason: 'lease_lost',
        deaths: 1,
        attempt: 1,
      });
    });

    test('a worker that is known to be dead loses its leases at once, others keep theirs', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      for (let index = 0; index < 3; index++)
        await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const mine = await leaseAs(store, { limit: 2 });
      await leaseAs(store, { workerId: 'w2' });
      const { requeued } = await store.reclaim({ now: T0, workerId: 'w1', limit: 1, maxDeaths: 3 });
      expect(requeued).toHaveLength(1);
      requeued.push(...(await store.reclaim({ now: T0, workerId: 'w1', limit: 9, maxDeaths: 3 })).requeued);
      expect(requeued.sort()).toEqual(mine.map(({ run }) => run.id).sort());
      expect((await store.stats(T0)).leased).toBe(1);
    });

    test('the third death makes a run dead, and what was under way is unknown', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const { id } = await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      for (let death = 1; death <= 3; death++) {
        const [leased] = await leaseAs(store);
        expect(leased?.leaseToken).toBe(death);
        const steps = [stepOf(), stepOf({ stepId: 'two', position: 1, status: 'running', finishedAt: null })];
        await store.recordSteps([{ runId: id, leaseToken: death, steps }], T0);
        const { requeued, dead } = await store.reclaim({ now: T0, workerId: 'w1', limit: 10, maxDeaths: 3 });
        expect([requeued, dead]).toEqual(death < 3 ? [[id], []] : [[], [id]]);
        const statuses = (await store.listSteps(id)).map(({ status }) => status);
        expect(statuses).toEqual(['succeeded', death < 3 ? 'running' : 'unknown']);
      }
      expect(await store.getRun(id)).toMatchObject({
        status: 'dead',
        reason: 'poison',
        deaths: 3,
        attempt: 3,
        error: { kind: 'poison' },
        finishedAt: T0,
      });
      expect(await leaseAs(store)).toEqual([]);
      expect((await store.stats(T0)).dead).toBe(1);
    });

    test('a run that was asked to stop is canceled when its worker dies, or hands it back', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      for (let index = 0; index < 2; index++)
        await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [lost] = await leaseAs(store, { limit: 1 });
      const [given] = await leaseAs(store, { workerId: 'w2' });
      for (const leased of [lost, given]) {
        const asked = await store.cancelRun(leased!.run.id, 'by me', T0);
        expect(asked).toMatchObject({ cancelRequested: true, run: { status: 'running' } });
      }
      expect(await store.reclaim({ now: T0, workerId: 'w1', limit: 10, maxDeaths: 3 })).toEqual({
        requeued: [],
        dead: [],
        canceled: [lost!.run.id],
      });
      await store.complete([endOf(given!, { status: 'queued', runAt: T0, interrupted: true })], T0);
      for (const leased of [lost, given]) {
        expect(await store.getRun(leased!.run.id)).toMatchObject({ status: 'canceled', reason: 'by me' });
      }
    });
  });
}
