import { describe, expect, test } from 'vitest';
import { newId } from '../../../src/domain/ids.js';
import type { PublishedEvent } from '../../../src/domain/event.js';
import type { DueTask, Store } from '../../../src/server/store/store.js';
import { leaseAs, runOf, seed, T0 } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

const publish = (store: Store, topic: string, overrides: Partial<PublishedEvent> = {}) =>
  store.publishEvent({
    id: newId('evt', T0),
    topic,
    payload: { n: 1 },
    dedupeKey: null,
    agentId: 'agt_1',
    createdAt: T0,
    traceId: null,
    ...overrides,
  });

const onTopic = (topic: string) =>
  ({ schedule: { kind: 'event', topic, timezone: 'UTC', overlap: 'allow', queue_limit: 100 } }) as const;

const matchAll = (event: PublishedEvent, candidates: DueTask[]) =>
  candidates.map(({ task }) => ({
    taskId: task.id,
    run: runOf({ trigger: 'event', eventId: event.id, params: { n: event.sequence } }),
  }));

export function exerciseEvents(subject: Subject): void {
  describe('events', () => {
    test('events are numbered in order and read as they were written', async () => {
      const { store } = subject();
      const { event, duplicate } = await publish(store, 'mail.received', { payload: ['x'] });
      const { event: next } = await publish(store, 'mail.received', { payload: undefined });
      expect(duplicate).toBe(false);
      expect(next.sequence).toBeGreaterThan(event.sequence);
      expect(await store.getEvent(event.id)).toEqual(event);
      expect(await store.getEvent(next.id)).toEqual(next);
      expect(next.payload).toBeNull();
      expect(await store.getEvent('evt_none')).toBeNull();
    });

    test('a dedupe key counts for a day or as long as the event says, for one agent and topic', async () => {
      const { store } = subject();
      const first = await publish(store, 'a', { dedupeKey: 'k' });
      const again = await publish(store, 'a', { dedupeKey: 'k', createdAt: T0 + 86_399_999 });
      expect(again).toEqual({ event: first.event, duplicate: true });
      const others = await Promise.all([
        publish(store, 'a', { dedupeKey: 'k', createdAt: T0 + 86_400_000 }),
        publish(store, 'a', { dedupeKey: 'k', agentId: 'agt_2' }),
        publish(store, 'b', { dedupeKey: 'k' }),
      ]);
      expect(others.map(({ duplicate }) => duplicate)).toEqual([false, false, false]);
      const longer = { dedupeKey: 'k', dedupeMs: 3 * 86_400_000, createdAt: T0 + 3 * 86_400_000 };
      const late = await publish(store, 'a', longer);
      expect(late).toEqual({ event: others[0]?.event, duplicate: true });
      const kept = await publish(store, 'c', longer);
      expect(kept.event).toEqual(await store.getEvent(kept.event.id));
      expect((await store.listEvents({ limit: 10 })).items).toHaveLength(5);
    });

    test('the same key at the same time is one event', async () => {
      const { store } = subject();
      const both = await Promise.all([1, 2].map(() => publish(store, 'a', { dedupeKey: 'k' })));
      expect(both.map(({ duplicate }) => duplicate)).toEqual([false, true]);
      expect(both[1]?.event.id).toBe(both[0]?.event.id);
    });

    test('events are listed newest first, or onward from a place, by topic and pattern', async () => {
      const { store } = subject();
      const made: PublishedEvent[] = [];
      for (const topic of ['mail.received', 'mail.sent', 'mail', 'door.open', 'mail.received.vip']) {
        made.push((await publish(store, topic)).event);
      }
      const find = async (query: object) =>
        (await store.listEvents({ limit: 10, ...query })).items.map(({ topic }) => topic);
      expect(await find({ topic: 'mail.received' })).toEqual(['mail.received']);
      expect(await find({ topic: 'mail.*' })).toEqual(['mail.sent', 'mail.received']);
      expect(await find({ topic: 'mail.#', after: 0 })).toEqual([
        'mail.received',
        'mail.sent',
        'mail',
        'mail.received.vip',
      ]);
      expect(await find({ after: made[2]?.sequence })).toEqual(['door.open', 'mail.received.vip']);
      for (const query of [{ topic: 'mail.#' }, { topic: 'mail.#', after: 0 }]) {
        const first = await store.listEvents({ ...query, limit: 3 });
        const rest = await store.listEvents({ ...query, limit: 3, cursor: first.nextCursor as string });
        expect([first.items.length, rest.items.length, rest.nextCursor]).toEqual([3, 1, null]);
      }
    });

    test('an event triggers each task whose pattern may fit, once, and is then done', async () => {
      const { store } = subject();
      const exact = await seed(store, onTopic('mail.received'));
      const word = await seed(store, onTopic('mail.*'));
      const any = await seed(store, onTopic('#'));
      await seed(store, onTopic('door.*'));
      await seed(store, onTopic('mail.received'), { state: 'paused' });
      const { event } = await publish(store, 'mail.received');
      expect((await store.stats(T0)).undispatchedEvents).toBe(1);
      const seen: string[][] = [];
      const match = (one: PublishedEvent, candidates: DueTask[]) => {
        seen.push(candidates.map(({ task }) => task.id).sort());
        return matchAll(one, candidates);
      };
      const result = await store.dispatchEvents({ now: T0 + 2, limit: 10, match });
      expect(result).toMatchObject({ events: 1, queued: 3, duplicates: 0, earliestRunAt: T0 });
      expect(seen).toEqual([[exact.task.id, word.task.id, any.task.id].sort()]);
      expect((await store.getEvent(event.id))?.dispatchedAt).toBe(T0 + 2);
      expect(await store.dispatchEvents({ now: T0 + 3, limit: 10, match })).toMatchObject({
        events: 0,
        queued: 0,
      });
      expect((await leaseAs(store)).map(({ run }) => run.eventId)).toEqual([event.id, event.id, event.id]);
      expect((await store.stats(T0)).undispatchedEvents).toBe(0);
    });

    test('events are worked off in order, a few at a time, with the same candidates in one batch', async () => {
      const { store } = subject();
      const { task } = await seed(store, onTopic('a'));
      const made: string[] = [];
      for (let index = 0; index < 3; index++) made.push((await publish(store, 'a')).event.id);
      const seen: { id: string; active: number }[] = [];
      const match = (event: PublishedEvent, candidates: DueTask[]) => {
        for (const due of candidates) {
          seen.push({ id: event.id, active: due.activeRuns });
          due.activeRuns += 1;
        }
        return matchAll(event, candidates);
      };
      expect((await store.dispatchEvents({ now: T0, limit: 2, match })).events).toBe(2);
      expect((await store.dispatchEvents({ now: T0, limit: 2, match })).events).toBe(1);
      expect(seen).toEqual(made.map((id, active) => ({ id, active })));
      expect((await store.listRuns({ taskId: task.id, limit: 10 })).items).toHaveLength(3);
    });

    test('events that make many runs may be worked off in parts, until none is taken', async () => {
      const { store } = subject();
      for (let index = 0; index < 40; index++) await seed(store, onTopic('a'));
      const made: string[] = [];
      for (let index = 0; index < 15; index++) made.push((await publish(store, 'a')).event.id);
      const seen: string[] = [];
      const match = (event: PublishedEvent, candidates: DueTask[]) => {
        seen.push(event.id);
        return matchAll(event, candidates);
      };
      let queued = 0;
      for (let events = 1; events > 0; ) {
        const result = await store.dispatchEvents({ now: T0, limit: 20, match });
        events = result.events;
        queued += result.queued;
      }
      expect(seen).toEqual(made);
      expect(queued).toBe(600);
      expect((await store.stats(T0)).undispatchedEvents).toBe(0);
    });

    test('an event gives a task one run at most', async () => {
      const { store } = subject();
      await seed(store, onTopic('a'));
      await publish(store, 'a');
      const twice = (event: PublishedEvent, candidates: DueTask[]) => [
        ...matchAll(event, candidates),
        ...matchAll(event, candidates),
      ];
      expect(await store.dispatchEvents({ now: T0, limit: 10, match: twice })).toMatchObject({
        queued: 1,
        duplicates: 1,
      });
    });

    test('cancelActive of a match cancels what the task has', async () => {
      const { store } = subject();
      const { task } = await seed(store, onTopic('a'));
      const old = await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      await publish(store, 'a');
      await store.dispatchEvents({
        now: T0,
        limit: 10,
        match: (event, candidates) =>
          matchAll(event, candidates).map((one) => ({ ...one, cancelActive: true })),
      });
      expect((await store.getRun(old.id))?.status).toBe('canceled');
      expect(await leaseAs(store)).toHaveLength(1);
    });
  });
}
