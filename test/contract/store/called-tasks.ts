import { describe, expect, test } from 'vitest';
import { endOf, leaseAs, runOf, seed, stepOf, T0, taskOf } from '../fixtures.js';
import type { LeasedRun, Store } from '../../../src/server/store/store.js';
import type { Subject } from '../store-contract.js';

const FAR = T0 + 3_600_000;

/** A run that has called another task and waits for it, and the run it called. */
async function calling(store: Store): Promise<{ caller: string; called: string }> {
  const { agent, task } = await seed(store);
  const other = taskOf(agent, { name: 'called' });
  await store.createTask(other);
  const caller = await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
  const [leased] = (await leaseAs(store)) as [LeasedRun];
  const called = await store.createRun({
    taskId: other.id,
    run: runOf({ parentRunId: caller.id }),
    now: T0,
  });
  await store.complete([waitingOn(leased, called.id)], T0);
  return { caller: caller.id, called: called.id };
}

const waitingOn = (leased: LeasedRun, runId: string) =>
  endOf(leased, {
    status: 'waiting',
    reason: 'task',
    runAt: FAR,
    steps: [
      stepOf({
        stepId: 'sub',
        tool: 'task.run',
        status: 'waiting',
        finishedAt: null,
        output: { run_id: runId },
      }),
    ],
  });

export function exerciseCalledTasks(subject: Subject): void {
  describe('tasks that are called', () => {
    test('the end of a run makes the one that waits for it due', async () => {
      const { store } = subject();
      const { caller, called } = await calling(store);
      const [leased] = await leaseAs(store);
      expect(leased?.run.id).toBe(called);
      expect(await leaseAs(store)).toEqual([]);
      await store.complete([endOf(leased as LeasedRun, { finishedAt: T0 + 4 })], T0 + 4);
      expect(await store.nextRunAt()).toBe(T0 + 4);
      expect((await leaseAs(store, { now: T0 + 4 })).map(({ run }) => run.id)).toEqual([caller]);
    });

    test('one that ended before its caller came to wait makes it due as well', async () => {
      const { store } = subject();
      const { agent, task } = await seed(store);
      const other = taskOf(agent, { name: 'called' });
      await store.createTask(other);
      const caller = await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [leased] = (await leaseAs(store)) as [LeasedRun];
      const called = await store.createRun({
        taskId: other.id,
        run: runOf({ parentRunId: caller.id }),
        now: T0,
      });
      const [quick] = (await leaseAs(store)) as [LeasedRun];
      await store.complete([endOf(quick, { finishedAt: T0 + 2 })], T0 + 2);
      await store.complete([waitingOn(leased, called.id)], T0 + 3);
      expect((await leaseAs(store, { now: T0 + 3 })).map(({ run }) => run.id)).toEqual([caller.id]);
    });

    test('a caller that is canceled asks the run it waits for to stop', async () => {
      const { store } = subject();
      const { caller, called } = await calling(store);
      await store.cancelRun(caller, 'by hand', T0 + 1);
      const [leased] = (await leaseAs(store, { now: T0 + 1 })) as [LeasedRun];
      expect(leased).toMatchObject({ run: { id: called }, cancelRequested: true });
      await store.complete([endOf(leased, { status: 'canceled' })], T0 + 1);
      expect(await store.getRun(called)).toMatchObject({ status: 'canceled', reason: 'caller_ended' });
    });

    test('a caller that is canceled asks a run that a worker has to stop', async () => {
      const { store } = subject();
      const { caller, called } = await calling(store);
      await leaseAs(store, { workerId: 'w2' });
      await store.cancelRun(caller, 'by hand', T0 + 1);
      const { cancelRequested } = await store.renewLeases({ workerId: 'w2', now: T0 + 1, leaseMs: 15_000 });
      expect(cancelRequested).toEqual([called]);
    });

    test('a run that nobody waits for goes on when the one that started it ends', async () => {
      const { store } = subject();
      const { agent, task } = await seed(store);
      const other = taskOf(agent, { name: 'called' });
      await store.createTask(other);
      const caller = await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [leased] = (await leaseAs(store)) as [LeasedRun];
      await store.createRun({ taskId: other.id, run: runOf({ parentRunId: caller.id }), now: T0 });
      const step = stepOf({ tool: 'task.run', output: { run_id: caller.id } });
      await store.complete([endOf(leased, { status: 'failed', reason: 'tool_error', steps: [step] })], T0);
      expect(await leaseAs(store)).toMatchObject([{ cancelRequested: false }]);
    });
  });

  describe('steps whose outcome was lost', () => {
    const ended = async (store: Store) => {
      const { task } = await seed(store);
      const run = await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [leased] = (await leaseAs(store)) as [LeasedRun];
      const step = stepOf({
        status: 'unknown',
        reason: 'unknown_outcome',
        output: null,
        idempotencyKey: 'k',
      });
      await store.recordSteps(
        [
          {
            runId: run.id,
            leaseToken: leased.leaseToken,
            steps: [step],
            reserve: { key: 'k', stepId: 'one' },
          },
        ],
        T0,
      );
      const settle = (status: 'succeeded' | 'failed', stepId = 'one') =>
        store.resolveStep({
          runId: run.id,
          stepId,
          status,
          reason: 'resolved',
          output: { a: 1 },
          error: null,
        });
      return { task, run, leased, settle };
    };

    test('are settled once, when their run has ended', async () => {
      const { store } = subject();
      const { run, leased, settle } = await ended(store);
      expect(await settle('succeeded')).toBe(false);
      await store.complete([endOf(leased, { status: 'partial', reason: 'unknown_outcome' })], T0);
      expect(await settle('succeeded', 'other')).toBe(false);
      expect(await settle('succeeded')).toBe(true);
      expect(await settle('failed')).toBe(false);
      expect(await store.listSteps(run.id)).toMatchObject([
        { status: 'succeeded', reason: 'resolved', output: { a: 1 } },
      ]);
    });

    test('keep their key when they were done, and free it when they were not', async () => {
      const { store } = subject();
      for (const status of ['succeeded', 'failed'] as const) {
        const { task, leased, settle } = await ended(store);
        await store.complete([endOf(leased, { status: 'partial', reason: 'unknown_outcome' })], T0);
        await settle(status);
        const again = await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
        const [next] = (await leaseAs(store)) as [LeasedRun];
        const { held } = await store.recordSteps(
          [
            {
              runId: again.id,
              leaseToken: next.leaseToken,
              steps: [],
              reserve: { key: 'k', stepId: 'one' },
            },
          ],
          T0,
        );
        expect(held.length).toBe(status === 'succeeded' ? 1 : 0);
        await store.complete([endOf(next)], T0);
      }
    });
  });
}
