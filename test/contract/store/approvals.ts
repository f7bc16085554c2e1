import { describe, expect, test } from 'vitest';
import { newId } from '../../../src/domain/ids.js';
import type { LeasedRun, NewApproval, Store } from '../../../src/server/store/store.js';
import { endOf, leaseAs, runOf, seed, stepOf, T0 } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

const HOUR = 3_600_000;

const asks = (overrides: Partial<NewApproval> = {}): NewApproval => ({
  id: newId('apr', T0),
  stepId: 'ask',
  message: 'Send it?',
  data: { text: 'hello' },
  onTimeout: 'deny',
  requestedAt: T0,
  expiresAt: T0 + HOUR,
  ...overrides,
});

/** Begins to wait with a question. */
async function ask(store: Store, leased: LeasedRun, approval = asks()): Promise<NewApproval> {
  await store.complete(
    [endOf(leased, { status: 'waiting', reason: 'approval', runAt: T0 + HOUR, approvals: [approval] })],
    T0,
  );
  return approval;
}

async function leasedRun(store: Store, taskId: string): Promise<LeasedRun> {
  await store.createRun({ taskId, run: runOf(), now: T0 });
  return (await leaseAs(store, { limit: 1 }))[0] as LeasedRun;
}

const yes = (id: string, now = T0 + 1) =>
  ({ id, state: 'approved', by: 'agent:ana', comment: 'fine', now }) as const;

export function exerciseApprovals(subject: Subject): void {
  describe('approvals', () => {
    test('a question is kept as it was asked, found by run, by task and in lists', async () => {
      const { store } = subject();
      const { agent, task } = await seed(store);
      const leased = await leasedRun(store, task.id);
      const { id } = await ask(store, leased);
      const approval = await store.getApproval(id);
      expect(approval).toEqual({
        ...asks({ id }),
        runId: leased.run.id,
        taskId: task.id,
        taskName: task.name,
        agentId: agent.id,
        state: 'pending',
        decidedAt: null,
        decidedBy: null,
        comment: null,
      });
      expect(await store.findApproval(leased.run.id, 'ask')).toEqual(approval);
      expect(await store.findOpenApproval(task.id, 'ask')).toEqual(approval);
      expect(await store.findOpenApproval(task.id, 'other')).toBeNull();
      expect(await store.findApproval('run_none', 'ask')).toBeNull();
      expect(await store.getApproval('apr_none')).toBeNull();
      const list = (query: object) => store.listApprovals({ limit: 10, ...query });
      expect((await list({ agentId: agent.id, states: ['pending'] })).items).toEqual([approval]);
      expect((await list({ agentId: 'agt_none' })).items).toEqual([]);
      expect((await list({ states: ['denied', 'expired'] })).items).toEqual([]);
    });

    test('lists go page by page, newest first', async () => {
      const { store } = subject();
      const ids: string[] = [];
      for (let index = 0; index < 5; index++) {
        const { task } = await seed(store);
        ids.unshift((await ask(store, await leasedRun(store, task.id))).id);
      }
      const first = await store.listApprovals({ limit: 3 });
      const second = await store.listApprovals({ limit: 3, cursor: first.nextCursor as string });
      expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids);
      expect(second.nextCursor).toBeNull();
    });

    test('an answer is taken once, wakes the run, and may change what is approved', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const leased = await leasedRun(store, task.id);
      const { id } = await ask(store, leased);
      expect(await leaseAs(store)).toEqual([]);
      const decided = await store.decideApproval({ ...yes(id), data: { text: 'shorter' } });
      expect(decided).toMatchObject({
        decided: true,
        approval: { state: 'approved', decidedBy: 'agent:ana', decidedAt: T0 + 1, comment: 'fine' },
      });
      expect(decided?.approval.data).toEqual({ text: 'shorter' });
      const again = await store.decideApproval({ ...yes(id), state: 'denied', by: 'agent:bob' });
      expect(again).toEqual({ decided: false, approval: decided?.approval });
      const [back] = await leaseAs(store, { now: T0 + 1 });
      expect(back?.run).toMatchObject({ id: leased.run.id, attempt: 1 });
      expect(await store.decideApproval(yes('apr_none'))).toBeNull();
    });

    test('an answer that comes too late changes nothing; only expiry does', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const { id } = await ask(store, await leasedRun(store, task.id));
      const late = T0 + HOUR;
      expect(await store.decideApproval(yes(id, late))).toMatchObject({
        decided: false,
        approval: { state: 'pending' },
      });
      const expired = await store.decideApproval({
        id,
        state: 'expired',
        by: 'timeout',
        comment: null,
        now: late,
      });
      expect(expired).toMatchObject({ decided: true, approval: { state: 'expired', decidedBy: 'timeout' } });
    });

    test('a run whose question nobody answered ends as skipped with it, and its other questions are closed', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const leased = await leasedRun(store, task.id);
      const [first, other] = [asks(), asks({ stepId: 'other' })];
      await store.complete(
        [
          endOf(leased, {
            status: 'waiting',
            reason: 'approval',
            runAt: T0 + HOUR,
            approvals: [first, other],
          }),
        ],
        T0,
      );
      const late = T0 + HOUR;
      const timeout = { state: 'expired', by: 'timeout', comment: null, now: late } as const;
      await store.decideApproval({ id: first.id, ...timeout });
      const [back] = await leaseAs(store, { now: late });
      const left = stepOf({ stepId: 'send', status: 'skipped', reason: 'expired', finishedAt: late });
      await store.complete(
        [endOf(back as LeasedRun, { status: 'skipped', reason: 'expired', steps: [left], finishedAt: late })],
        late,
      );
      expect(await store.getRun(leased.run.id)).toMatchObject({ status: 'skipped', reason: 'expired' });
      expect(await store.listSteps(leased.run.id)).toMatchObject([{ status: 'skipped', reason: 'expired' }]);
      expect((await store.getApproval(first.id))?.state).toBe('expired');
      expect((await store.getApproval(other.id))?.state).toBe('canceled');
    });

    test('an answer and its audit record are written together, or not at all', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const { id } = await ask(store, await leasedRun(store, task.id));
      const circular: Record<string, unknown> = {};
      circular.self = circular;
      await expect(
        store.decideApproval({ ...yes(id), audit: { action: 'approval.approved', details: circular } }),
      ).rejects.toThrow(/circular/i);
      expect(await store.getApproval(id)).toMatchObject({ state: 'pending', decidedAt: null });
      await store.decideApproval({
        ...yes(id),
        audit: { action: 'approval.approved', details: { step: 'ask' } },
      });
      const again = { action: 'approval.denied', details: {} };
      await store.decideApproval({ ...yes(id), state: 'denied', audit: again });
      const { items } = await store.listAudit({ limit: 10 });
      expect(items.filter(({ target }) => target === id)).toEqual([
        expect.objectContaining({
          at: T0 + 1,
          actor: 'agent:ana',
          action: 'approval.approved',
          details: { step: 'ask' },
        }),
      ]);
    });

    test('of two answers at the same time one counts', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const { id } = await ask(store, await leasedRun(store, task.id));
      const both = await Promise.all([
        store.decideApproval(yes(id)),
        store.decideApproval({ ...yes(id), state: 'denied', by: 'agent:bob' }),
      ]);
      expect(both.filter((one) => one?.decided)).toHaveLength(1);
      expect(both[0]?.approval.decidedBy).toBe(both[1]?.approval.decidedBy);
    });

    test('one question is open for a task and step; the next run has its turn when it is answered', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const first = await ask(store, await leasedRun(store, task.id));
      const other = await leasedRun(store, task.id);
      const second = await ask(store, other);
      expect(await store.getApproval(second.id)).toBeNull();
      expect((await store.findOpenApproval(task.id, 'ask'))?.id).toBe(first.id);
      await store.decideApproval(yes(first.id));
      const woken = await leaseAs(store, { now: T0 + 1 });
      expect(woken).toHaveLength(2);
      const again = woken.find(({ run }) => run.id === other.run.id) as LeasedRun;
      const third = await ask(store, again);
      expect((await store.findOpenApproval(task.id, 'ask'))?.id).toBe(third.id);
    });

    test('the question goes with its run', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const leased = await leasedRun(store, task.id);
      const { id } = await ask(store, leased);
      await store.cancelRun(leased.run.id, 'canceled', T0 + 5);
      expect(await store.getApproval(id)).toMatchObject({ state: 'canceled', decidedAt: T0 + 5 });
      expect(await store.findOpenApproval(task.id, 'ask')).toBeNull();
      expect(await store.decideApproval(yes(id, T0 + 6))).toMatchObject({ decided: false });
    });

    test('a worker that lost its lease asks nothing', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const leased = await leasedRun(store, task.id);
      const { id } = await ask(store, { ...leased, leaseToken: leased.leaseToken + 1 });
      expect(await store.getApproval(id)).toBeNull();
    });
  });

  describe('runs that wait for an event', () => {
    const publish = (store: Store, topic: string) =>
      store.publishEvent({
        id: newId('evt', T0),
        topic,
        payload: null,
        dedupeKey: null,
        agentId: 'agt_1',
        createdAt: T0,
      });
    const waitFor = (store: Store, leased: LeasedRun, topic: string, after = 0) =>
      store.complete(
        [
          endOf(leased, {
            status: 'waiting',
            reason: 'event',
            runAt: T0 + HOUR,
            eventWaits: [{ stepId: 'wait', topic, after }],
          }),
        ],
        T0,
      );
    const dispatch = (store: Store, now = T0 + 1) =>
      store.dispatchEvents({ now, limit: 100, match: () => [] });
    const dueIds = async (store: Store, now: number) =>
      (await leaseAs(store, { now })).map(({ run }) => run.id);

    test.each(['mail.received', 'mail.*', 'mail.#', '#', '*.received'])(
      '%s is woken by mail.received',
      async (topic) => {
        const { store } = subject();
        const { task } = await seed(store);
        const leased = await leasedRun(store, task.id);
        const { event } = await publish(store, 'before');
        await dispatch(store, T0);
        await waitFor(store, leased, topic, event.sequence);
        expect(await leaseAs(store)).toEqual([]);
        await publish(store, 'mail.received');
        expect((await dispatch(store)).woken).toBe(1);
        expect(await dueIds(store, T0 + 1)).toEqual([leased.run.id]);
      },
    );

    test('another topic does not wake it', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      await waitFor(store, await leasedRun(store, task.id), 'mail.received');
      await publish(store, 'calendar.changed');
      expect((await dispatch(store)).woken).toBe(0);
      expect(await leaseAs(store, { now: T0 + 1 })).toEqual([]);
    });

    test('an event that came before the wait was written is not lost', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const leased = await leasedRun(store, task.id);
      await publish(store, 'mail.received');
      await dispatch(store, T0);
      await waitFor(store, leased, 'mail.received', 0);
      expect(await dueIds(store, T0)).toEqual([leased.run.id]);
    });

    test('a run that came back waits no more, and one that was canceled neither', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const back = await leasedRun(store, task.id);
      await waitFor(store, back, 'mail.received');
      expect(await dueIds(store, T0 + HOUR)).toEqual([back.run.id]);
      const canceled = await leasedRun(store, task.id);
      await waitFor(store, canceled, 'mail.received');
      await store.cancelRun(canceled.run.id, 'canceled', T0);
      await publish(store, 'mail.received');
      expect((await dispatch(store)).woken).toBe(0);
    });
  });
}
