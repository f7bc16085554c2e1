import { describe, expect, test } from 'vitest';
import type { NewDelivery } from '../../../src/domain/delivery.js';
import { newId } from '../../../src/domain/ids.js';
import type { DeliveryOutcome, Store } from '../../../src/server/store/store.js';
import { endOf, leaseAs, runOf, seed, stepOf, T0 } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

const LEASE_MS = 60_000;

const messageOf = (overrides: Partial<NewDelivery> = {}): NewDelivery => ({
  id: newId('dlv', T0),
  agentId: 'agt_one',
  key: newId('req', T0),
  origin: 'step',
  taskId: null,
  runId: null,
  stepId: null,
  channel: 'channel.phone',
  message: { input: { text: 'hello' } },
  quietHours: 'defer',
  urgent: false,
  digestKey: null,
  status: 'pending',
  reason: null,
  dueAt: T0,
  createdAt: T0,
  ...overrides,
});

const outcomeOf = (
  taken: { id: string; leaseToken: number },
  overrides: Partial<DeliveryOutcome> = {},
): DeliveryOutcome => ({
  ...taken,
  status: 'delivered',
  reason: null,
  error: null,
  answer: { ok: true },
  dueAt: null,
  mergedInto: null,
  ...overrides,
});

async function begin(store: Store, id: string, options: { repeatable?: boolean; owner?: string } = {}) {
  const found = await store.getDelivery(id);
  const [taken] = await store.beginDeliveries({
    wanted: [{ id, leaseToken: found?.leaseToken ?? 0, repeatable: options.repeatable ?? false }],
    owner: options.owner ?? 'w1',
    now: T0,
    leaseMs: LEASE_MS,
  });
  return taken;
}

export function exerciseDeliveries(subject: Subject): void {
  describe('deliveries', () => {
    test('is written as it was given, and found by id, key, run, status, channel and agent', async () => {
      const { store } = subject();
      const given = messageOf({
        runId: 'run_1',
        stepId: 'ping',
        taskId: 'tsk_1',
        urgent: true,
        digestKey: 'd',
      });
      const other = messageOf({
        agentId: 'agt_two',
        channel: 'channel.mail',
        status: 'suppressed',
        dueAt: null,
      });
      await store.enqueueDeliveries([given, other]);
      const found = await store.getDelivery(given.id);
      expect(found).toMatchObject({ ...given, status: 'pending', attempts: 0, leaseToken: 0, answer: null });
      expect(await store.findDelivery(given.agentId, given.key)).toEqual(found);
      expect(await store.findDelivery('agt_two', given.key)).toBeNull();
      const ids = async (query: Partial<Parameters<Store['listDeliveries']>[0]>) =>
        (await store.listDeliveries({ limit: 10, ...query })).items.map(({ id }) => id);
      expect(await ids({})).toEqual([other.id, given.id]);
      expect(await ids({ runIds: ['run_1', 'run_2'] })).toEqual([given.id]);
      expect(await ids({ statuses: ['suppressed'] })).toEqual([other.id]);
      expect(await ids({ channel: 'channel.mail' })).toEqual([other.id]);
      expect(await ids({ agentId: 'agt_one' })).toEqual([given.id]);
      const first = await store.listDeliveries({ limit: 1 });
      const second = await store.listDeliveries({ limit: 1, cursor: first.nextCursor as string });
      expect([...first.items, ...second.items].map(({ id }) => id)).toEqual([other.id, given.id]);
      expect(second.nextCursor).toBeNull();
    });

    test('the same key of an agent is written once', async () => {
      const { store } = subject();
      const first = messageOf({ key: 'briefing/2026-01-05' });
      const again = messageOf({ key: 'briefing/2026-01-05' });
      const others = messageOf({ key: 'briefing/2026-01-05', agentId: 'agt_two' });
      expect(await store.enqueueDeliveries([first])).toEqual({ written: [first.id] });
      expect(await store.enqueueDeliveries([again, others])).toEqual({ written: [others.id] });
    });

    test('is written in the transaction of its step, and not by who lost the lease', async () => {
      const { store } = subject();
      const { task, agent } = await seed(store);
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [leased] = await leaseAs(store);
      if (leased === undefined) throw new Error('nothing was leased');
      const of = (stepId: string) => messageOf({ agentId: agent.id, runId: leased.run.id, stepId });
      const recorded = of('one');
      const lost = of('lost');
      const entry = { runId: leased.run.id, steps: [stepOf()] };
      await store.recordSteps(
        [
          {
            ...entry,
            leaseToken: leased.leaseToken,
            deliveries: [recorded],
            reserve: { key: 'k', stepId: 'one' },
          },
        ],
        T0,
      );
      await store.recordSteps([{ ...entry, leaseToken: leased.leaseToken - 1, deliveries: [lost] }], T0);
      await store.complete(
        [{ ...endOf(leased), leaseToken: leased.leaseToken - 1, deliveries: [of('late')] }],
        T0,
      );
      const ended = of('end');
      await store.complete([endOf(leased, { deliveries: [ended] })], T0);
      const { items } = await store.listDeliveries({ runIds: [leased.run.id], limit: 10 });
      expect(items.map(({ id }) => id)).toEqual([ended.id, recorded.id]);
      expect((await store.getRun(leased.run.id))?.status).toBe('succeeded');
    });

    test('comes due in its order, and tells when the next one does', async () => {
      const { store } = subject();
      const [late, soon, now] = [5000, 1000, 0].map((ms) => messageOf({ dueAt: T0 + ms }));
      await store.enqueueDeliveries([late, soon, now] as NewDelivery[]);
      const due = async (at: number) =>
        (await store.dueDeliveries({ now: at, limit: 10 })).map(({ id }) => id);
      expect(await due(T0)).toEqual([now?.id]);
      expect(await due(T0 + 5000)).toEqual([now?.id, soon?.id, late?.id]);
      expect(await store.nextDeliveryAt()).toBe(T0);
      const taken = await begin(store, now?.id as string);
      await store.settleDeliveries([outcomeOf(taken as { id: string; leaseToken: number })], T0);
      expect(await store.nextDeliveryAt()).toBe(T0 + 1000);
      expect((await store.stats(T0 + 2000)).deliveries).toEqual({
        pending: 2,
        deferred: 0,
        sending: 0,
        unknown: 0,
      });
      expect((await store.stats(T0 + 2000)).oldestDeliveryDueAt).toBe(T0 + 1000);
    });

    test('two that want the same one: one of them begins it', async () => {
      const fresh = subject();
      const other = await fresh.reopen();
      const messages = Array.from({ length: 8 }, () => messageOf());
      await fresh.store.enqueueDeliveries(messages);
      const wanted = messages.map(({ id }) => ({ id, leaseToken: 0, repeatable: false }));
      const taken = await Promise.all(
        [fresh.store, other].map((store, index) =>
          store.beginDeliveries({ wanted, owner: `w${index}`, now: T0, leaseMs: LEASE_MS }),
        ),
      );
      expect(
        taken
          .flat()
          .map(({ id }) => id)
          .sort(),
      ).toEqual(messages.map(({ id }) => id).sort());
      expect(await fresh.store.dueDeliveries({ now: T0, limit: 10 })).toEqual([]);
    });

    test('what became of it is written once, by who began it', async () => {
      const { store } = subject();
      const message = messageOf();
      await store.enqueueDeliveries([message]);
      const taken = (await begin(store, message.id)) as { id: string; leaseToken: number };
      expect(await store.getDelivery(message.id)).toMatchObject({ status: 'sending', attempts: 1 });
      const late = { ...taken, leaseToken: taken.leaseToken - 1 };
      expect(await store.settleDeliveries([outcomeOf(late)], T0)).toEqual({ refused: [message.id] });
      const again = outcomeOf(taken, {
        status: 'pending',
        reason: 'rate_limited',
        error: { kind: 'rate_limited', message: 'slowly' },
        answer: null,
        dueAt: T0 + 2000,
        digestKey: 'joined',
      });
      expect(await store.settleDeliveries([again], T0 + 1)).toEqual({ refused: [] });
      expect(await store.getDelivery(message.id)).toMatchObject({
        status: 'pending',
        reason: 'rate_limited',
        dueAt: T0 + 2000,
        error: { kind: 'rate_limited' },
        finishedAt: null,
        digestKey: 'joined',
      });
      const second = (await begin(store, message.id)) as { id: string; leaseToken: number };
      await store.settleDeliveries([outcomeOf(second, { mergedInto: 'dlv_lead' })], T0 + 3);
      expect(await store.getDelivery(message.id)).toMatchObject({
        status: 'delivered',
        digestKey: 'joined',
        attempts: 2,
        answer: { ok: true },
        mergedInto: 'dlv_lead',
        finishedAt: T0 + 3,
      });
      expect(await store.settleDeliveries([outcomeOf(second, { status: 'failed' })], T0)).toEqual({
        refused: [message.id],
      });
    });

    test('whoever dies while sending leaves an unknown outcome, unless it may be repeated', async () => {
      const { store } = subject();
      const [once, safe, others] = [messageOf(), messageOf(), messageOf()];
      await store.enqueueDeliveries([once, safe, others]);
      await begin(store, once.id);
      await begin(store, safe.id, { repeatable: true });
      await begin(store, others.id, { owner: 'w2' });
      expect(await store.reclaimDeliveries({ now: T0 + 1 })).toEqual({ requeued: [], unknown: [] });
      expect(await store.reclaimDeliveries({ now: T0 + 1, owner: 'w1' })).toEqual({
        requeued: [safe.id],
        unknown: [once.id],
      });
      expect(await store.reclaimDeliveries({ now: T0 + LEASE_MS })).toEqual({
        requeued: [],
        unknown: [others.id],
      });
      expect(await store.getDelivery(once.id)).toMatchObject({ status: 'unknown', reason: 'lease_lost' });
      expect((await store.dueDeliveries({ now: T0 + LEASE_MS, limit: 10 })).map(({ id }) => id)).toEqual([
        safe.id,
      ]);
      expect((await store.stats(T0)).deliveries.unknown).toBe(2);
    });

    test('a person resolves one of unknown outcome, sends it again, or stops it', async () => {
      const { store } = subject();
      const message = messageOf();
      await store.enqueueDeliveries([message]);
      const resolve = (status: 'pending' | 'delivered' | 'failed' | 'suppressed') =>
        store.resolveDelivery({ id: message.id, status, reason: 'by hand', now: T0 + 5 });
      const taken = (await begin(store, message.id)) as { id: string; leaseToken: number };
      expect(await resolve('pending')).toMatchObject({ changed: false, delivery: { status: 'sending' } });
      await store.settleDeliveries([outcomeOf(taken, { status: 'unknown' })], T0);
      expect(await resolve('delivered')).toMatchObject({ changed: true, delivery: { status: 'delivered' } });
      expect(await resolve('failed')).toMatchObject({ changed: false, delivery: { status: 'delivered' } });
      expect(await resolve('pending')).toMatchObject({
        changed: true,
        delivery: { status: 'pending', dueAt: T0 + 5, finishedAt: null },
      });
      expect(await resolve('suppressed')).toMatchObject({
        changed: true,
        delivery: { status: 'suppressed' },
      });
      expect(
        await store.resolveDelivery({ id: 'dlv_none', status: 'pending', reason: '', now: T0 }),
      ).toBeNull();
    });

    test('what waits for a quiet time is brought forward, and not held by who looked before', async () => {
      const { store } = subject();
      const waits = (overrides: Partial<NewDelivery>) =>
        messageOf({
          status: 'deferred',
          reason: 'quiet_hours',
          dueAt: T0 + 50_000,
          taskId: 'tsk_1',
          ...overrides,
        });
      const quiet = waits({});
      const away = waits({ reason: 'vacation' });
      const due = waits({ dueAt: T0 - 5 });
      const others = [
        waits({ reason: 'digest' }),
        waits({ agentId: 'agt_two' }),
        waits({ taskId: 'tsk_2' }),
        messageOf({ dueAt: T0 + 50_000, taskId: 'tsk_1' }),
      ];
      await store.enqueueDeliveries([quiet, away, due, ...others]);
      expect(await store.bringForward({ agentId: 'agt_one', taskId: 'tsk_1', now: T0 })).toBe(3);
      const ready = async () =>
        (await store.dueDeliveries({ now: T0, limit: 10 })).map(({ id }) => id).sort();
      expect(await ready()).toEqual([quiet.id, away.id, due.id].sort());
      expect(await store.getDelivery(due.id)).toMatchObject({ status: 'deferred', dueAt: T0 - 5 });
      const late = outcomeOf(
        { id: quiet.id, leaseToken: 0 },
        { status: 'deferred', reason: 'quiet_hours', dueAt: T0 + 50_000 },
      );
      expect(await store.settleDeliveries([late], T0)).toEqual({ refused: [quiet.id] });
      expect(await store.bringForward({ taskId: 'tsk_2', now: T0 })).toBe(1);
      expect(await store.bringForward({ agentId: 'agt_two', now: T0 })).toBe(1);
    });

    test('old ones are pruned once they are settled, not those of unknown outcome', async () => {
      const { store } = subject();
      const [done, lost, open] = [messageOf(), messageOf(), messageOf()];
      await store.enqueueDeliveries([done, lost, open]);
      for (const [message, status] of [
        [done, 'delivered'],
        [lost, 'unknown'],
      ] as const) {
        const taken = (await begin(store, message.id)) as { id: string; leaseToken: number };
        await store.settleDeliveries([outcomeOf(taken, { status })], T0);
      }
      await store.prune({
        runsBefore: T0 + 1,
        eventsBefore: T0,
        answersBefore: T0,
        tokensBefore: T0,
        limit: 100,
      });
      const { items } = await store.listDeliveries({ limit: 10 });
      expect(items.map(({ id }) => id).sort()).toEqual([lost.id, open.id].sort());
    });
  });
}
