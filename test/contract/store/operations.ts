import { describe, expect, test } from 'vitest';
import { newId } from '../../../src/domain/ids.js';
import { AUDIT_GENESIS, type AuditInput, verifyAudit } from '../../../src/domain/audit-chain.js';
import type { WorkerHeartbeat } from '../../../src/server/store/store.js';
import { CRON, endOf, leaseAs, runOf, seed, stepOf, T0 } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

const entry = (action: string): AuditInput => ({
  at: T0,
  actor: 'agent:agt_1',
  action,
  target: null,
  details: { b: 1, a: { d: [1, null], c: 'ü' } },
});

const beat = (id: string, overrides: Partial<WorkerHeartbeat> = {}): WorkerHeartbeat => ({
  id,
  kind: 'worker',
  slot: 'w1',
  pid: 12,
  host: 'here',
  version: '1.0.0',
  tags: ['gpu'],
  startedAt: T0,
  lastSeenAt: T0,
  slotsTotal: 8,
  slotsBusy: 1,
  ...overrides,
});

export function exerciseOperations(subject: Subject): void {
  test('room on the disk is looked after, and work is taken while there is some', async () => {
    const { store } = subject();
    const { task } = await seed(store);
    const looked = await store.tendSpace();
    expect(looked.full).toBe(false);
    expect(await store.space()).toMatchObject({ full: false });
    await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
  });

  describe('operations', () => {
    test('it says which schema it has, and migrates once', async () => {
      const { store } = subject();
      const { current, wanted } = await store.schemaVersion();
      expect(current).toBe(wanted);
      expect(await store.migrate(T0)).toEqual({ from: wanted, to: wanted });
    });

    test('it answers, and says how large it is', async () => {
      const { store } = subject();
      const { durationMs, sizeBytes, walBytes } = await store.ping();
      expect(durationMs).toBeGreaterThanOrEqual(0);
      expect(sizeBytes + walBytes).toBeGreaterThan(10_000);
    });

    test('values are kept by key', async () => {
      const { store } = subject();
      expect(await store.getMeta('a')).toBeNull();
      await store.setMeta('a', '1');
      await store.setMeta('a', '2');
      expect(await store.getMeta('a')).toBe('2');
    });

    test('a value is swapped by one of those who saw the same one, and listed by its prefix', async () => {
      const { store } = subject();
      expect(await store.swapMeta('swap:b', 'seen', 'new')).toBe(false);
      const tries = ['1', '2', '3'].map((value) => store.swapMeta('swap:b', null, value));
      expect((await Promise.all(tries)).filter(Boolean)).toHaveLength(1);
      const value = (await store.getMeta('swap:b')) as string;
      expect(await store.swapMeta('swap:b', 'other', 'x')).toBe(false);
      expect(await store.swapMeta('swap:b', value, 'x')).toBe(true);
      await store.swapMeta('swap:a', null, 'y');
      await store.setMeta('swaq', 'outside');
      const both = [
        { key: 'swap:a', value: 'y' },
        { key: 'swap:b', value: 'x' },
      ];
      expect(await store.listMeta('swap:', 10)).toEqual(both);
      expect(await store.listMeta('swap:', 1)).toEqual(both.slice(0, 1));
      expect(await store.swapMeta('swap:a', 'y', null)).toBe(true);
      expect(await store.getMeta('swap:a')).toBeNull();
    });

    test('an answer is kept, replaced, and deleted when it is old', async () => {
      const { store } = subject();
      expect(await store.getAnswer('a')).toBeNull();
      await store.keepAnswer('a', '"first"', T0);
      await store.keepAnswer('a', '"second"', T0 + 1);
      await store.keepAnswer('b', '"other"', T0 + 2);
      expect(await store.getAnswer('a')).toEqual({ answer: '"second"', at: T0 + 1 });
      const bounds = { runsBefore: T0, eventsBefore: T0, answersBefore: T0 + 2, tokensBefore: T0 + 2 };
      expect(await store.prune({ ...bounds, limit: 10 })).toBe(1);
      expect([await store.getAnswer('a'), (await store.getAnswer('b'))?.at]).toEqual([null, T0 + 2]);
    });

    test('the figures of an empty store are zero', async () => {
      const { store } = subject();
      expect(await store.stats(T0)).toEqual({
        tasks: { active: 0, paused: 0, canceled: 0, done: 0 },
        due: 0,
        scheduled: 0,
        leased: 0,
        dead: 0,
        oldestDueAt: null,
        oldestRunningStartedAt: null,
        activeWithoutDue: 0,
        nextDueAt: null,
        undispatchedEvents: 0,
        deliveries: { pending: 0, deferred: 0, sending: 0, unknown: 0 },
        oldestDeliveryDueAt: null,
      });
    });

    test('the figures tell due from scheduled from leased', async () => {
      const { store } = subject();
      const { task } = await seed(store, { schedule: CRON }, { nextDueAt: T0 + 50 });
      for (const runAt of [T0 - 9, T0 - 5, T0, T0 + 1, T0 + 2]) {
        await store.createRun({ taskId: task.id, run: runOf({ runAt }), now: T0 });
      }
      await leaseAs(store, { limit: 1, now: T0 + 4 });
      expect(await store.stats(T0)).toMatchObject({
        due: 2,
        scheduled: 2,
        leased: 1,
        oldestDueAt: T0 - 5,
        oldestRunningStartedAt: T0 + 4,
        nextDueAt: T0 + 50,
      });
    });

    test('the audit chain holds, across stores and calls at once', async () => {
      const { store, reopen } = subject();
      expect(await verifyAudit(store)).toMatchObject({
        ok: true,
        entries: 0,
        brokenAt: null,
        head: AUDIT_GENESIS,
      });
      const other = await reopen();
      await Promise.all(
        Array.from({ length: 30 }, (_, n) => (n % 2 ? store : other).appendAudit(entry(`a${n}`))),
      );
      const verdict = await verifyAudit(store);
      expect(verdict).toMatchObject({ ok: true, entries: 30, brokenAt: null });
      const page = await store.listAudit({ limit: 20 });
      const rest = await store.listAudit({ limit: 20, cursor: page.nextCursor as string });
      expect(page.items[0]?.hash).toBe(verdict.head);
      const sequences = [...page.items, ...rest.items].map(({ sequence }) => sequence);
      expect(sequences).toEqual(Array.from({ length: 30 }, (_, n) => 30 - n));
      expect(rest.items.at(-1)).toMatchObject({ ...entry('a0'), action: expect.stringMatching(/^a/) });
    });

    test('the audit log is listed by who, what, of which, and since when, however far back', async () => {
      const { store } = subject();
      const add = (more: Partial<ReturnType<typeof entry>>) => store.appendAudit({ ...entry('x'), ...more });
      await add({ action: 'task.created', target: 'tsk_1', details: { name: 'say "hi"' } });
      await add({ action: 'task.paused', target: 'tsk_1', actor: 'agent:b' });
      await add({ action: 'tasking', target: 'tsk_2', at: T0 + 10 });
      const list = async (query: object) => {
        const { items, nextCursor } = await store.listAudit({ limit: 50, ...query });
        expect(nextCursor).toBeNull();
        return items.map(({ sequence }) => sequence);
      };
      expect(await list({})).toEqual([3, 2, 1]);
      expect(await list({ actor: 'agent:b' })).toEqual([2]);
      expect(await list({ action: 'task.*' })).toEqual([2, 1]);
      expect(await list({ action: 'tasking' })).toEqual([3]);
      expect(await list({ object: 'tsk_1', actor: entry('x').actor })).toEqual([1]);
      expect(await list({ object: 'say "hi"' })).toEqual([1]);
      expect(await list({ since: T0 + 10 })).toEqual([3]);
      const first = await store.listAudit({ limit: 1, action: 'task.*' });
      expect(first.items.map(({ sequence }) => sequence)).toEqual([2]);
      expect(await list({ action: 'task.*', cursor: first.nextCursor })).toEqual([1]);
    });

    test.for([
      ['changed', "UPDATE audit_log SET actor = 'system' WHERE sequence = 3", 3],
      ['changed in its details', `UPDATE audit_log SET details = '{"b":2}' WHERE sequence = 3`, 3],
      ['taken out', 'DELETE FROM audit_log WHERE sequence = 3', 4],
      ['the first', 'DELETE FROM audit_log WHERE sequence = 1', 2],
      ['not the only one', "UPDATE audit_log SET actor = 'system' WHERE sequence IN (2, 5)", 2],
    ] as const)('an audit record that was %s is found', async ([_what, sql, first], { skip }) => {
      const { store, tamper } = subject();
      if (tamper === null) return skip('nobody else can open this database');
      for (let index = 1; index <= 5; index++) await store.appendAudit(entry(`a${index}`));
      await tamper(sql);
      const verdict = await verifyAudit(store);
      expect(verdict).toMatchObject({ ok: false, brokenAt: first, broken: { sequence: first } });
    });

    test('processes are known by their heartbeats, until they are forgotten', async () => {
      const { store } = subject();
      await store.heartbeat(beat('wrk_1'));
      await store.heartbeat(beat('wrk_2', { slot: 'w2' }));
      await store.heartbeat(beat('wrk_3', { slot: 'w3' }));
      await store.forgetWorker('wrk_3');
      await store.forgetWorker('wrk_unknown');
      await store.heartbeat(beat('wrk_1', { lastSeenAt: T0 + 5, slotsBusy: 3 }));
      expect(await store.listWorkers()).toEqual([
        beat('wrk_1', { lastSeenAt: T0 + 5, slotsBusy: 3 }),
        beat('wrk_2', { slot: 'w2' }),
      ]);
      expect(await store.forgetWorkers(T0 + 1)).toBe(1);
      expect((await store.listWorkers()).map(({ id }) => id)).toEqual(['wrk_1']);
    });

    test('old history is deleted, a few rows at a time; what is active or recent stays', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const make = async (now: number) => (await store.createRun({ taskId: task.id, run: runOf(), now })).id;
      const waiting = await make(T0 - 1000);
      const [first] = await leaseAs(store);
      await store.complete([endOf(first!, { status: 'waiting', runAt: T0 + 99_999 })], T0);
      const old: string[] = [];
      for (let index = 0; index < 3; index++) {
        old.push(await make(T0 - 900));
        const [leased] = await leaseAs(store);
        await store.complete([endOf(leased!, { finishedAt: T0 - 800 + index, steps: [stepOf()] })], T0);
      }
      const recent = await make(T0 - 700);
      const [leased] = await leaseAs(store);
      await store.complete([endOf(leased!, { finishedAt: T0 })], T0);
      const publish = (createdAt: number) =>
        store.publishEvent({
          id: newId('evt', T0),
          topic: 'a',
          payload: null,
          dedupeKey: null,
          agentId: 'a',
          createdAt,
          traceId: null,
        });
      await publish(T0 - 900);
      await store.dispatchEvents({ now: T0, limit: 10, match: () => [] });
      await publish(T0 - 900);
      const bounds = {
        runsBefore: T0 - 100,
        eventsBefore: T0 - 100,
        answersBefore: T0 - 100,
        tokensBefore: T0 - 100,
      };
      expect(await store.prune({ ...bounds, limit: 2 })).toBe(2);
      expect(await store.prune({ ...bounds, limit: 100 })).toBe(2);
      expect(await store.prune({ ...bounds, limit: 100 })).toBe(0);
      expect((await store.listRuns({ limit: 10 })).items.map(({ id }) => id)).toEqual([recent, waiting]);
      expect(await store.listSteps(old[0] as string)).toEqual([]);
      expect((await store.listEvents({ limit: 10 })).items).toHaveLength(1);
      const { event } = await publish(T0);
      expect(event.sequence).toBe(3);
    });
  });
}
