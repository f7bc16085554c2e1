import { describe, expect, test } from 'vitest';
import { CRON, endOf, leaseAs, runOf, seed, stepOf, T0, taskOf } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

export function exerciseLeasing(subject: Subject): void {
  describe('leasing', () => {
    test('a leased run has all that a worker needs, and is marked as running', async () => {
      const { store } = subject();
      const { agent, task } = await seed(
        store,
        { schedule: CRON },
        { memory: { seen: 3 }, scopes: ['tool:a.*'] },
      );
      const run = await store.createRun({
        taskId: task.id,
        run: runOf({ params: { a: 1 }, traceId: 't1' }),
        now: T0,
      });
      const [leased] = await leaseAs(store, { now: T0 + 7 });
      expect(leased).toEqual({
        run: { ...run, status: 'running', startedAt: T0 + 7, attempt: 1, workerId: 'w1' },
        leaseToken: 1,
        leaseExpiresAt: T0 + 15_007,
        spec: task.spec,
        taskScopes: ['tool:a.*'],
        agentScopes: agent.scopes,
        agentBudget: null,
        agentDisabled: false,
        steps: [],
        cancelRequested: false,
        memory: { seen: 3 },
      });
      expect(await store.getRun(run.id)).toEqual(leased?.run);
      expect(await leaseAs(store, { workerId: 'w2' })).toEqual([]);
      expect(await store.stats(T0 + 7)).toMatchObject({ leased: 1, due: 0, oldestRunningStartedAt: T0 + 7 });
    });

    test('work comes by priority, then by the time it is due; what is not due does not come', async () => {
      const { store } = subject();
      const { agent, task } = await seed(store);
      const urgent = taskOf(agent, { name: 'urgent', priority: 1 });
      await store.createTask(urgent);
      const order: string[] = [];
      for (const [taskId, runAt] of [
        [task.id, T0 - 5],
        [urgent.id, T0],
        [task.id, T0 - 9],
        [urgent.id, T0 + 1],
      ] as const) {
        order.push((await store.createRun({ taskId, run: runOf({ runAt }), now: T0 })).id);
      }
      const leased = await leaseAs(store);
      expect(leased.map(({ run }) => run.id)).toEqual([order[1], order[2], order[0]]);
      expect(await store.nextRunAt()).toBe(T0 + 1);
      expect(await leaseAs(store, { now: T0 + 1 })).toHaveLength(1);
      expect(await store.nextRunAt()).toBeNull();
    });

    test('no more is leased than asked for', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      for (let index = 0; index < 5; index++)
        await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      expect(await leaseAs(store, { limit: 2 })).toHaveLength(2);
      expect(await leaseAs(store, { limit: 9 })).toHaveLength(3);
    });

    test('work goes only to workers that have all its tags, and does not hold up other work', async () => {
      const { store } = subject();
      const { agent, task } = await seed(store);
      const gpu = taskOf(agent, { name: 'gpu', runs_on: ['gpu', 'big'], priority: 1 });
      await store.createTask(gpu);
      for (let index = 0; index < 100; index++) {
        await store.createRun({ taskId: gpu.id, run: runOf({ runAt: T0 - 10 }), now: T0 });
      }
      const plain = await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      expect((await leaseAs(store, { tags: ['gpu'] })).map(({ run }) => run.id)).toEqual([plain.id]);
      expect(await store.nextRunAt({ tags: ['gpu'] })).toBeNull();
      expect(await store.nextRunAt()).toBe(T0 - 10);
      expect(await leaseAs(store, { limit: 200, tags: ['big', 'gpu', 'x'] })).toHaveLength(100);
    });

    test('the version a run was made from is the one it runs with', async () => {
      const { store } = subject();
      const { task } = await seed(store, { title: 'old' });
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      await store.updateTask({ ...task, spec: { ...task.spec, title: 'new' } }, 1, 'agent:x');
      const [leased] = await leaseAs(store);
      expect(leased).toMatchObject({ run: { taskVersion: 1 }, spec: { title: 'old' } });
    });

    test('what a disabled agent left is handed out with the fact', async () => {
      const { store } = subject();
      const { agent, task } = await seed(store);
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      await store.updateAgent({ ...agent, disabledAt: T0, scopes: [] });
      expect(await leaseAs(store)).toMatchObject([{ agentDisabled: true, agentScopes: [] }]);
    });

    test('steps that are carried over from a replayed run come with it', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const run = await store.createRun({
        taskId: task.id,
        run: runOf({ trigger: 'replay', carriedSteps: [stepOf()] }),
        now: T0,
      });
      expect((await leaseAs(store))[0]?.steps).toEqual([{ ...stepOf(), runId: run.id }]);
    });

    test('a renewed lease lasts longer; without it the run is taken back', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      for (let index = 0; index < 3; index++)
        await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const mine = await leaseAs(store, { limit: 2 });
      await leaseAs(store, { workerId: 'w2' });
      expect(await store.renewLeases({ workerId: 'w1', now: T0 + 10_000, leaseMs: 15_000 })).toEqual({
        renewed: 2,
        cancelRequested: [],
      });
      const { requeued } = await store.reclaim({ now: T0 + 20_000, limit: 10, maxDeaths: 3 });
      expect(requeued).toHaveLength(1);
      expect(mine.map(({ run }) => run.id)).not.toContain(requeued[0]);
    });

    test('with the runs a worker knows of, a lease it never heard of runs out', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      for (let index = 0; index < 2; index++)
        await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [known] = await leaseAs(store, { limit: 1 });
      const [unheard] = await leaseAs(store, { limit: 1 });
      const renewed = await store.renewLeases({
        workerId: 'w1',
        now: T0 + 10_000,
        leaseMs: 15_000,
        runIds: [known!.run.id],
      });
      expect(renewed.renewed).toBe(1);
      const { requeued } = await store.reclaim({ now: T0 + 16_000, limit: 10, maxDeaths: 3 });
      expect(requeued).toEqual([unheard!.run.id]);
    });

    test('a run that a worker died of is leased alone', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const runs = [];
      for (let index = 0; index < 4; index++) {
        runs.push(await store.createRun({ taskId: task.id, run: runOf({ runAt: T0 + index }), now: T0 }));
      }
      const now = T0 + 10;
      const all = await leaseAs(store, { now });
      // The second and the fourth lose their worker; the others are handed back.
      await store.complete(
        [0, 2].map((at) => endOf(all[at]!, { status: 'queued', runAt: T0 + at, interrupted: true })),
        now,
      );
      await store.reclaim({ now, workerId: 'w1', limit: 10, maxDeaths: 3 });
      const ids = async () => (await leaseAs(store, { now })).map(({ run }) => run.id);
      expect(await ids()).toEqual([runs[0]?.id]);
      expect(await ids()).toEqual([runs[1]?.id]);
      expect(await ids()).toEqual([runs[2]?.id]);
      expect(await ids()).toEqual([runs[3]?.id]);
      expect(await ids()).toEqual([]);
    });

    test('a run whose stored task is damaged fails with a reason; the others are leased', async ({
      skip,
    }) => {
      const { store, tamper, reopen } = subject();
      if (tamper === null) return skip('nobody else can open this database');
      const { task: bad } = await seed(store);
      const { task: good } = await seed(store);
      const lost = await store.createRun({ taskId: bad.id, run: runOf(), now: T0 });
      const fine = await store.createRun({ taskId: good.id, run: runOf(), now: T0 });
      await tamper(
        `UPDATE task_version SET spec = '[' WHERE task_seq = (SELECT seq FROM task WHERE id = '${bad.id}')`,
      );
      const other = await reopen();
      expect((await leaseAs(other)).map(({ run }) => run.id)).toEqual([fine.id]);
      expect(await other.getRun(lost.id)).toMatchObject({ status: 'failed', reason: 'invalid_task' });
    });
  });
}
