import { whyBroken } from '../../../src/domain/broken-schedule.js';
import { describe, expect, test } from 'vitest';
import { newId } from '../../../src/domain/ids.js';
import type { DueTask } from '../../../src/server/store/store.js';
import { CRON, endOf, everyRun, leaseAs, runOf, seed, T0, taskOf } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

const MINUTE = 60_000;

export function exerciseScheduling(subject: Subject): void {
  describe('scheduling', () => {
    test('a task that is due gets its run and its next due time together', async () => {
      const { store } = subject();
      const { task } = await seed(store, { schedule: CRON, priority: 3 }, { nextDueAt: T0 });
      const result = await store.scheduleDue({ now: T0, limit: 10, decide: everyRun(MINUTE) });
      expect(result).toEqual({
        tasks: 1,
        queued: 1,
        skipped: 0,
        missed: 0,
        duplicates: 0,
        cancelRequested: [],
        canceled: [],
        paused: [],
        earliestRunAt: T0,
      });
      expect((await store.getTask(task.id))?.nextDueAt).toBe(T0 + MINUTE);
      const { items } = await store.listRuns({ taskId: task.id, limit: 10 });
      expect(items).toMatchObject([
        {
          taskId: task.id,
          taskName: task.name,
          taskVersion: 1,
          agentId: task.agentId,
          status: 'queued',
          trigger: 'schedule',
          scheduledFor: T0,
          createdAt: T0,
          runAt: T0,
          startedAt: null,
          finishedAt: null,
          attempt: 0,
          deaths: 0,
          priority: 3,
          params: {},
        },
      ]);
    });

    test('a task that is not due, paused, done or canceled is left alone', async () => {
      const { store } = subject();
      await seed(store, { schedule: CRON }, { nextDueAt: T0 + 1 });
      await seed(store, { schedule: CRON }, { nextDueAt: T0 - 1, state: 'paused' });
      await seed(store, { schedule: CRON }, { nextDueAt: T0 - 1, state: 'canceled' });
      await seed(store, { schedule: CRON }, { nextDueAt: T0 - 1, state: 'done' });
      const result = await store.scheduleDue({ now: T0, limit: 10, decide: everyRun(MINUTE) });
      expect(result.tasks).toBe(0);
      expect((await store.listRuns({ limit: 10 })).items).toEqual([]);
    });

    test('the tasks that are due longest come first, and no more than asked for', async () => {
      const { store } = subject();
      const late = [5, 1, 3].map((minutes) => T0 - minutes * MINUTE);
      for (const nextDueAt of late) await seed(store, { schedule: CRON }, { nextDueAt });
      const seen: (number | null)[] = [];
      const result = await store.scheduleDue({
        now: T0,
        limit: 2,
        decide: (due) => {
          seen.push(due.task.nextDueAt);
          return { runs: [], nextDueAt: T0 + MINUTE };
        },
      });
      expect(result.tasks).toBe(2);
      expect(seen).toEqual([T0 - 5 * MINUTE, T0 - 3 * MINUTE]);
    });

    test('an occurrence is written once, also when the due time is set back', async () => {
      const { store } = subject();
      const { task } = await seed(store, { schedule: CRON }, { nextDueAt: T0 });
      await store.scheduleDue({ now: T0, limit: 10, decide: everyRun(MINUTE) });
      expect(await store.setNextDue(task.id, 1, T0)).toBe(true);
      const again = await store.scheduleDue({
        now: T0,
        limit: 10,
        decide: everyRun(MINUTE, { trigger: 'catchup' }),
      });
      expect(again).toMatchObject({ tasks: 1, queued: 0, duplicates: 1, earliestRunAt: null });
      expect((await store.listRuns({ limit: 10 })).items).toHaveLength(1);
      expect(await leaseAs(store)).toHaveLength(1);
      expect((await store.getTask(task.id))?.nextDueAt).toBe(T0 + MINUTE);
    });

    test('skipped and missed occurrences are records without work', async () => {
      const { store } = subject();
      const { task } = await seed(store, { schedule: CRON }, { nextDueAt: T0 });
      const result = await store.scheduleDue({
        now: T0,
        limit: 10,
        decide: () => ({
          runs: [
            runOf({ status: 'skipped', reason: 'overlap', trigger: 'schedule', scheduledFor: T0 - 2 }),
            runOf({ status: 'missed', reason: 'catchup_window', trigger: 'schedule', scheduledFor: T0 - 1 }),
          ],
          nextDueAt: null,
          state: 'done',
          stateReason: 'no further occurrence',
        }),
      });
      expect(result).toMatchObject({ queued: 0, skipped: 1, missed: 1 });
      expect(await leaseAs(store)).toEqual([]);
      expect(await store.getTask(task.id)).toMatchObject({
        state: 'done',
        stateReason: 'no further occurrence',
        nextDueAt: null,
      });
      const { items } = await store.listRuns({ limit: 10 });
      expect(items.map(({ status, reason, finishedAt }) => [status, reason, finishedAt])).toEqual([
        ['missed', 'catchup_window', T0],
        ['skipped', 'overlap', T0],
      ]);
    });

    test('decide is told what of the task is active', async () => {
      const { store } = subject();
      const { task } = await seed(store, { schedule: CRON }, { nextDueAt: T0 });
      for (let index = 0; index < 3; index++)
        await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [leased] = await leaseAs(store, { limit: 1 });
      const [waiting] = await leaseAs(store, { limit: 1 });
      await store.complete([endOf(waiting!, { status: 'waiting', runAt: T0 + MINUTE })], T0);
      expect(leased).toBeDefined();
      let seen: DueTask | undefined;
      await store.scheduleDue({
        now: T0,
        limit: 1,
        decide: (due) => {
          seen = due;
          return { runs: [], nextDueAt: null };
        },
      });
      expect(seen).toMatchObject({ activeRuns: 3, queuedRuns: 1, lastDedupeAt: null });
      expect(seen?.task).toMatchObject({ id: task.id, spec: task.spec, scopes: ['tool:*'] });
    });

    test('decide is told when the dedupe key was used last, and not of runs that did not count', async () => {
      const { store } = subject();
      const { task } = await seed(
        store,
        { schedule: CRON, dedupe: { key: 'brief', window: '30m' } },
        { nextDueAt: T0 + MINUTE },
      );
      await store.createRun({ taskId: task.id, run: runOf({ dedupeKey: 'brief' }), now: T0 });
      await store.createRun({
        taskId: task.id,
        run: runOf({ dedupeKey: 'brief', status: 'skipped', reason: 'dedupe' }),
        now: T0 + 5,
      });
      let lastDedupeAt: number | null | undefined;
      const decide = (due: DueTask) => {
        lastDedupeAt = due.lastDedupeAt;
        return { runs: [], nextDueAt: T0 + MINUTE };
      };
      await store.scheduleDue({ now: T0 + MINUTE, limit: 1, decide });
      expect(lastDedupeAt).toBe(T0);
      const [leased] = await leaseAs(store);
      await store.complete([endOf(leased!, { status: 'failed', reason: 'tool_error' })], T0);
      await store.scheduleDue({ now: T0 + MINUTE, limit: 1, decide });
      expect(lastDedupeAt).toBeNull();
    });

    test('cancelActive cancels what is queued, asks what runs, and spares the new run', async () => {
      const { store } = subject();
      const { task } = await seed(store, { schedule: CRON }, { nextDueAt: T0 });
      const first = await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      await leaseAs(store);
      const second = await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const decide = everyRun(MINUTE);
      const result = await store.scheduleDue({
        now: T0,
        limit: 1,
        decide: (due) => ({ ...decide(due), cancelActive: true }),
      });
      expect(result.cancelRequested).toEqual([first.id]);
      expect(result.canceled).toEqual([{ id: second.id, trigger: 'manual' }]);
      expect(await store.getRun(second.id)).toMatchObject({ status: 'canceled', finishedAt: T0 });
      const [leased] = await leaseAs(store);
      expect(leased?.run).toMatchObject({ trigger: 'schedule', status: 'running' });
      expect(await store.renewLeases({ workerId: 'w1', now: T0, leaseMs: 15_000 })).toEqual({
        renewed: 2,
        cancelRequested: [first.id],
      });
    });

    test('memory and snooze are written when decide says so, and only then', async () => {
      const { store } = subject();
      const { task } = await seed(
        store,
        { schedule: CRON },
        { nextDueAt: T0, memory: { seen: 1 }, snoozedUntil: T0 - 1 },
      );
      await store.scheduleDue({ now: T0, limit: 1, decide: () => ({ runs: [], nextDueAt: T0 }) });
      expect(await store.getTask(task.id)).toMatchObject({ memory: { seen: 1 }, snoozedUntil: T0 - 1 });
      await store.scheduleDue({
        now: T0,
        limit: 1,
        decide: () => ({ runs: [], nextDueAt: null, memory: { seen: 2 }, snoozedUntil: null }),
      });
      expect(await store.getTask(task.id)).toMatchObject({ memory: { seen: 2 }, snoozedUntil: null });
    });

    test('a task that decide throws on is paused with the reason; the others go on', async () => {
      const { store } = subject();
      const { task: bad } = await seed(store, { schedule: CRON }, { nextDueAt: T0 - 1 });
      const { task: good } = await seed(store, { schedule: CRON }, { nextDueAt: T0 });
      const decide = everyRun(MINUTE);
      const result = await store.scheduleDue({
        now: T0,
        limit: 10,
        decide: (due) => {
          if (due.task.id === bad.id) throw new Error('no such zone');
          return decide(due);
        },
      });
      const reason = 'error: no such zone';
      expect(result).toMatchObject({
        tasks: 2,
        queued: 1,
        paused: [{ id: bad.id, name: bad.name, reason }],
      });
      expect(await store.getTask(bad.id)).toMatchObject({ state: 'paused', stateReason: reason });
      expect((await store.listAudit({ limit: 1 })).items).toMatchObject([
        { actor: 'system', action: 'task.paused', target: bad.id, details: { name: bad.name, reason } },
      ]);
      expect(await store.listMeta('broken:', 10)).toEqual([{ key: `broken:${bad.id}`, value: String(T0) }]);
      expect(await store.getTask(good.id)).toMatchObject({ state: 'active', nextDueAt: T0 + MINUTE });
    });

    test('rows of missed occurrences leave word for those who tell people', async () => {
      const { store } = subject();
      const missAt = async (now: number) => {
        await seed(store, { schedule: CRON }, { nextDueAt: now - 1 });
        const decide = () => ({
          runs: [runOf({ status: 'missed', trigger: 'schedule', scheduledFor: now - 1 })],
          nextDueAt: now + MINUTE,
        });
        expect((await store.scheduleDue({ now, limit: 10, decide })).missed).toBe(1);
      };
      await missAt(T0);
      await missAt(T0 + 5);
      // The clock of another server is behind.
      await missAt(T0 + 1);
      await missAt(T0 - 1);
      expect(JSON.parse((await store.getMeta('missed')) as string)).toEqual({ since: T0 - 1, until: T0 + 5 });
    });

    test('a task whose decision can not be written is paused, none of it is kept, the others go on', async () => {
      const { store } = subject();
      const { task: bad } = await seed(store, { schedule: CRON }, { nextDueAt: T0 - 1 });
      const { task: good } = await seed(store, { schedule: CRON }, { nextDueAt: T0 });
      const decide = everyRun(MINUTE);
      const twice = newId('run', T0);
      const result = await store.scheduleDue({
        now: T0,
        limit: 10,
        decide: (due) =>
          due.task.id === bad.id
            ? {
                runs: [1, 2].map((at) => runOf({ id: twice, trigger: 'schedule', scheduledFor: at })),
                nextDueAt: null,
              }
            : decide(due),
      });
      expect(result).toMatchObject({ tasks: 2, queued: 1 });
      expect(await store.getTask(bad.id)).toMatchObject({ state: 'paused' });
      expect((await store.getTask(bad.id))?.stateReason).toMatch(/^error: /);
      expect((await store.listRuns({ taskId: bad.id, limit: 10 })).items).toEqual([]);
      expect((await store.listRuns({ taskId: good.id, limit: 10 })).items).toHaveLength(1);
    });

    test('a task whose stored spec is damaged is paused; the others go on', async ({ skip }) => {
      const { store, tamper, reopen } = subject();
      if (tamper === null) return skip('nobody else can open this database');
      const { task: bad } = await seed(store, { schedule: CRON }, { nextDueAt: T0 - 1 });
      const { task: good } = await seed(store, { schedule: CRON }, { nextDueAt: T0 });
      await tamper(
        `UPDATE task_version SET spec = '{broken' WHERE task_seq = (SELECT seq FROM task WHERE id = '${bad.id}')`,
      );
      const other = await reopen();
      const result = await other.scheduleDue({ now: T0, limit: 10, decide: everyRun(MINUTE) });
      expect(result).toMatchObject({ tasks: 2, queued: 1 });
      expect((await other.stats(T0)).tasks).toMatchObject({ active: 1, paused: 1 });
      expect((await other.getTask(good.id))?.nextDueAt).toBe(T0 + MINUTE);
      // It is shown all the same, with what is wrong, also among the others.
      const shown = await other.getTask(bad.id);
      expect(shown).toMatchObject({ name: bad.name, state: 'paused' });
      expect(whyBroken(shown?.spec.schedule)).toMatch(/^its definition can not be read: /);
      expect((await other.listTasks({ limit: 10 })).items.map(({ id }) => id)).toEqual([good.id, bad.id]);
    });

    test('the next due time is the earliest of the active tasks', async () => {
      const { store } = subject();
      expect(await store.nextDueAt()).toBeNull();
      await seed(store, { schedule: CRON }, { nextDueAt: T0 + 9 });
      await seed(store, { schedule: CRON }, { nextDueAt: T0 + 5 });
      await seed(store, { schedule: CRON }, { nextDueAt: T0 + 1, state: 'paused' });
      expect(await store.nextDueAt()).toBe(T0 + 5);
    });

    test('tasks that lost their due time, or are long overdue, are found and can be mended', async () => {
      const { store } = subject();
      const { task: lost } = await seed(store, { schedule: CRON });
      const { task: overdue } = await seed(store, { schedule: CRON }, { nextDueAt: T0 - 1000 });
      await seed(store, { schedule: CRON }, { nextDueAt: T0 });
      await seed(store, {});
      await seed(store, { schedule: { kind: 'event', topic: 'a.b' } as never });
      const found = await store.findStrandedTasks(T0 - 500, 10);
      expect(found.map(({ id }) => id)).toEqual([lost.id, overdue.id]);
      expect(await store.findStrandedTasks(T0 - 500, 1)).toHaveLength(1);
      expect((await store.stats(T0)).activeWithoutDue).toBe(1);
      expect(await store.setNextDue(lost.id, 7, T0)).toBe(false);
      expect(await store.setNextDue(lost.id, 1, T0 + MINUTE)).toBe(true);
      expect((await store.stats(T0)).activeWithoutDue).toBe(0);
    });

    test('priority, tags and concurrency key of a run are those of its task', async () => {
      const { store } = subject();
      const { agent } = await seed(store);
      const task = taskOf(agent, { name: 'other', schedule: CRON, runs_on: ['gpu'] }, { nextDueAt: T0 });
      await store.createTask(task);
      await store.scheduleDue({ now: T0, limit: 1, decide: everyRun(MINUTE) });
      expect(await leaseAs(store)).toEqual([]);
      expect(await leaseAs(store, { tags: ['gpu', 'big'] })).toHaveLength(1);
    });
  });
}
