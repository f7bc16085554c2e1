import { describe, expect, test } from 'vitest';
import type { RunStatus } from '../../../src/domain/run.js';
import type { Store } from '../../../src/server/store/store.js';
import { endOf, leaseAs, runOf, seed, stepOf, T0 } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

async function leaseOne(store: Store, input = {}) {
  const { task } = await seed(store, input);
  await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
  const [leased] = await leaseAs(store);
  return { task, leased: leased! };
}

export function exerciseCompleting(subject: Subject): void {
  describe('steps and ends', () => {
    test('a run that ends has its result and steps, and is gone from the queue', async () => {
      const { store } = subject();
      const { task, leased } = await leaseOne(store);
      const step = stepOf({
        usage: { inputTokens: 3, outputTokens: 4, estimated: true },
        idempotencyKey: 'k',
      });
      const end = endOf(leased, {
        status: 'partial',
        reason: 'tool_error',
        output: { a: [1] },
        steps: [step],
      });
      expect(await store.complete([end], T0 + 20)).toEqual({ fenced: [] });
      expect(await store.getRun(leased.run.id)).toEqual({
        ...leased.run,
        status: 'partial',
        reason: 'tool_error',
        output: { a: [1] },
        finishedAt: T0 + 10,
      });
      expect(await store.listSteps(leased.run.id)).toEqual([{ ...step, runId: leased.run.id }]);
      expect(await store.getTask(task.id)).toMatchObject({ lastRunAt: T0, version: 1 });
      expect(await store.stats(T0)).toMatchObject({ due: 0, leased: 0, scheduled: 0 });
    });

    test.each<RunStatus>(['succeeded', 'partial', 'failed', 'dead', 'canceled', 'skipped'])(
      'a run can end as %s and never moves again',
      async (status) => {
        const { store } = subject();
        const { leased } = await leaseOne(store);
        await store.complete([endOf(leased, { status: status as 'failed' })], T0);
        expect((await store.getRun(leased.run.id))?.status).toBe(status);
        expect(await store.complete([endOf(leased)], T0)).toEqual({ fenced: [leased.run.id] });
        expect(await store.cancelRun(leased.run.id, 'late', T0)).toMatchObject({
          cancelRequested: false,
          run: { status },
        });
        expect((await store.stats(T0)).dead).toBe(status === 'dead' ? 1 : 0);
      },
    );

    test('a run that was asked to cancel when its work was done stays done, and says so', async () => {
      const { store } = subject();
      const ends = [
        ['succeeded', null, 'cancel_too_late'],
        ['partial', null, 'cancel_too_late'],
        ['partial', 'tool_error', 'tool_error'],
        ['failed', 'tool_error', 'tool_error'],
        // The worker knows that it was told to stop, not why.
        ['canceled', 'canceled', 'overlap'],
      ] as const;
      for (const [status, reason, wanted] of ends) {
        const { leased } = await leaseOne(store);
        expect(await store.cancelRun(leased.run.id, 'overlap', T0)).toMatchObject({ cancelRequested: true });
        await store.complete([endOf(leased, { status, reason })], T0);
        expect(await store.getRun(leased.run.id)).toMatchObject({ status, reason: wanted });
      }
    });

    test('another attempt is queued for later, with the count and the steps kept', async () => {
      const { store } = subject();
      const { leased } = await leaseOne(store);
      const error = { kind: 'timeout', message: 'too slow', step: 'one' };
      const step = stepOf();
      await store.complete(
        [endOf(leased, { status: 'queued', reason: 'tool_error', error, runAt: T0 + 2000, steps: [step] })],
        T0,
      );
      expect(await store.getRun(leased.run.id)).toMatchObject({
        status: 'queued',
        reason: 'tool_error',
        error,
        runAt: T0 + 2000,
        startedAt: T0,
        finishedAt: null,
        attempt: 1,
      });
      expect(await leaseAs(store, { now: T0 + 1999 })).toEqual([]);
      const [again] = await leaseAs(store, { now: T0 + 2000 });
      expect(again).toMatchObject({ leaseToken: 2, run: { attempt: 2, startedAt: T0, runAt: T0 + 2000 } });
      expect(again?.steps).toEqual([{ ...step, runId: leased.run.id }]);
    });

    test('a run that comes back from waiting goes on with the same attempt', async () => {
      const { store } = subject();
      const { leased } = await leaseOne(store);
      await store.complete([endOf(leased, { status: 'waiting', runAt: T0 + 5 })], T0);
      expect(await store.getRun(leased.run.id)).toMatchObject({ status: 'waiting', attempt: 1 });
      expect((await leaseAs(store, { now: T0 + 5 }))[0]?.run).toMatchObject({
        status: 'running',
        attempt: 1,
      });
    });

    test('an attempt that is handed back untouched does not count', async () => {
      const { store } = subject();
      const { leased } = await leaseOne(store);
      await store.complete([endOf(leased, { status: 'queued', runAt: T0, interrupted: true })], T0);
      expect(await store.getRun(leased.run.id)).toMatchObject({ status: 'queued', attempt: 0, deaths: 0 });
      expect((await leaseAs(store))[0]?.run.attempt).toBe(1);
    });

    test('many attempts end together; what is fenced among them is not written', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      for (let index = 0; index < 3; index++)
        await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [a, b, c] = await leaseAs(store);
      const stale = endOf(b!, { leaseToken: b!.leaseToken + 1, status: 'failed', steps: [stepOf()] });
      expect(await store.complete([endOf(a!), stale, endOf(c!)], T0)).toEqual({ fenced: [b!.run.id] });
      expect((await store.getRun(a!.run.id))?.status).toBe('succeeded');
      expect((await store.getRun(b!.run.id))?.status).toBe('running');
      expect(await store.listSteps(b!.run.id)).toEqual([]);
      expect((await store.getRun(c!.run.id))?.status).toBe('succeeded');
      expect(await store.complete([endOf(b!)], T0)).toEqual({ fenced: [] });
    });

    test('a worker that lost its lease writes nothing', async () => {
      const { store } = subject();
      const { leased } = await leaseOne(store);
      await store.reclaim({ now: T0 + 20_000, limit: 10, maxDeaths: 3 });
      const write = { runId: leased.run.id, leaseToken: leased.leaseToken, steps: [stepOf()] };
      expect(await store.recordSteps([write], T0)).toEqual({ fenced: [leased.run.id], held: [] });
      expect(await store.complete([endOf(leased, { memory: { stale: true } })], T0)).toEqual({
        fenced: [leased.run.id],
      });
      const [again] = await leaseAs(store, { workerId: 'w2', now: T0 + 20_000 });
      expect(again?.leaseToken).toBeGreaterThan(leased.leaseToken);
      expect(await store.complete([endOf(leased)], T0)).toEqual({ fenced: [leased.run.id] });
      expect(await store.renewLeases({ workerId: 'w1', now: T0, leaseMs: 1 })).toMatchObject({ renewed: 0 });
      expect(await store.listSteps(leased.run.id)).toEqual([]);
      expect(await store.getRun(leased.run.id)).toMatchObject({ status: 'running', workerId: 'w2' });
      expect((await store.getTask(leased.run.taskId))?.memory).toBeNull();
    });

    test('a step is written again as it goes on', async () => {
      const { store } = subject();
      const { leased } = await leaseOne(store);
      const { runId, leaseToken } = { runId: leased.run.id, leaseToken: leased.leaseToken };
      const begun = stepOf({ status: 'running', finishedAt: null, output: null });
      await store.recordSteps(
        [{ runId, leaseToken, steps: [begun, stepOf({ stepId: 'two', position: 1 })] }],
        T0,
      );
      await store.recordSteps([{ runId, leaseToken, steps: [stepOf({ attempts: 2, output: 0 })] }], T0);
      const steps = await store.listSteps(runId);
      expect(steps.map(({ stepId, status, attempts, output }) => [stepId, status, attempts, output])).toEqual(
        [
          ['one', 'succeeded', 2, 0],
          ['two', 'succeeded', 1, { text: 'hello' }],
        ],
      );
    });

    test('what a condition remembers is written with the end, and only when it is given', async () => {
      const { store } = subject();
      const { task, leased } = await leaseOne(store);
      await store.complete([endOf(leased, { memory: { last: 5 } })], T0);
      expect((await store.getTask(task.id))?.memory).toEqual({ last: 5 });
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [next] = await leaseAs(store);
      expect(next?.memory).toEqual({ last: 5 });
      await store.complete([endOf(next!)], T0);
      expect((await store.getTask(task.id))?.memory).toEqual({ last: 5 });
    });

    test('an idempotency key is held by the step that took it first', async () => {
      const { store } = subject();
      const { task, leased } = await leaseOne(store);
      const reserve = { key: 'briefing/1', stepId: 'one' };
      const running = stepOf({ status: 'running', finishedAt: null, output: null });
      const take = (from: typeof leased) =>
        store.recordSteps(
          [{ runId: from.run.id, leaseToken: from.leaseToken, steps: [running], reserve }],
          T0,
        );
      expect(await take(leased)).toEqual({ fenced: [], held: [] });
      expect(await take(leased)).toEqual({ fenced: [], held: [] });
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [second] = await leaseAs(store);
      const holder = { runId: leased.run.id, stepId: 'one', status: 'running', output: null };
      expect(await take(second!)).toEqual({
        fenced: [],
        held: [{ runId: second!.run.id, key: 'briefing/1', holder }],
      });
      expect(await store.listSteps(second!.run.id)).toEqual([]);
      await store.complete([endOf(leased, { steps: [stepOf({ output: { id: 7 } })] })], T0);
      expect((await take(second!)).held[0]?.holder).toEqual({
        ...holder,
        status: 'succeeded',
        output: { id: 7 },
      });
    });

    test.each([
      ['failed', true],
      ['skipped', true],
      ['succeeded', false],
      ['unknown', false],
    ] as const)('a key whose step ended as %s is free again: %s', async (status, free) => {
      const { store } = subject();
      const { task, leased } = await leaseOne(store);
      const reserve = { key: 'k', stepId: 'one' };
      const { runId, leaseToken } = { runId: leased.run.id, leaseToken: leased.leaseToken };
      await store.recordSteps([{ runId, leaseToken, steps: [stepOf({ status: 'running' })], reserve }], T0);
      await store.complete([endOf(leased, { status: 'failed', steps: [stepOf({ status })] })], T0);
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [next] = await leaseAs(store);
      const { held } = await store.recordSteps(
        [{ runId: next!.run.id, leaseToken: next!.leaseToken, steps: [], reserve }],
        T0,
      );
      expect(held).toHaveLength(free ? 0 : 1);
    });

    test('the same key of two agents is two keys', async () => {
      const { store } = subject();
      const reserve = { key: 'k', stepId: 'one' };
      for (let index = 0; index < 2; index++) {
        const { leased } = await leaseOne(store);
        const { held } = await store.recordSteps(
          [{ runId: leased.run.id, leaseToken: leased.leaseToken, steps: [], reserve }],
          T0,
        );
        expect(held).toEqual([]);
      }
    });
  });
}
