import { describe, expect, test } from 'vitest';
import { agentOf, CRON, leaseAs, runOf, seed, T0, taskOf } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

export function exerciseTasks(subject: Subject): void {
  describe('tasks', () => {
    test('a task is read as it was written', async () => {
      const { store } = subject();
      const { agent, task } = await seed(
        store,
        { title: 'Ünïcode', schedule: CRON, params: { n: 1.5 }, tags: ['a'] },
        {
          nextDueAt: T0 + 5,
          snoozedUntil: T0,
          stateReason: 'why',
          memory: { a: null },
          createdInRun: 'run_x',
          spawnDepth: 2,
        },
      );
      expect(await store.getTask(task.id)).toEqual(task);
      expect(await store.findTaskByName(agent.id, task.name)).toEqual(task);
      expect(await store.findTasksByName(task.name)).toEqual([task]);
      expect(await store.getTask('tsk_none')).toBeNull();
      expect(await store.findTaskByName(agent.id, 'none')).toBeNull();
      expect(await store.findTasksByName('none')).toEqual([]);
    });

    test('a name is taken once for each agent, and free again when its task is canceled', async () => {
      const { store } = subject();
      const { agent, task } = await seed(store);
      const { task: namesake } = await seed(store);
      await expect(store.createTask(taskOf(agent))).rejects.toMatchObject({
        code: 'PAO_CONFLICT',
        status: 409,
      });
      expect(await store.findTasksByName(task.name)).toEqual([task, namesake]);
      await store.updateTask({ ...task, state: 'canceled' }, 1, 'x');
      const again = taskOf(agent);
      await store.createTask(again);
      expect((await store.findTaskByName(agent.id, task.name))?.id).toBe(again.id);
      expect((await store.getTask(task.id))?.state).toBe('canceled');
      await expect(store.updateTask({ ...task, state: 'active' }, 2, 'x')).rejects.toMatchObject({
        code: 'PAO_CONFLICT',
      });
      expect(await store.countTasks(agent.id)).toBe(1);
    });

    test('a task of an agent that is not there is refused', async () => {
      const { store } = subject();
      await expect(store.createTask(taskOf(agentOf('nobody')))).rejects.toMatchObject({
        code: 'PAO_NOT_FOUND',
      });
    });

    test('a change is written only over the version it was made from', async () => {
      const { store } = subject();
      const { task } = await seed(store, { title: 'one' });
      const changed = {
        ...task,
        spec: { ...task.spec, title: 'two' },
        state: 'paused' as const,
        updatedAt: T0 + 9,
      };
      expect(await store.updateTask(changed, 2, 'agent:me')).toBe(false);
      expect(await store.getTask(task.id)).toEqual(task);
      const both = await Promise.all([
        store.updateTask(changed, 1, 'agent:me'),
        store.updateTask({ ...changed, stateReason: 'other' }, 1, 'agent:you'),
      ]);
      expect(both).toEqual([true, false]);
      expect(await store.getTask(task.id)).toEqual({ ...changed, version: 2 });
      expect(await store.updateTask({ ...changed, id: 'tsk_none' }, 1, 'x')).toBe(false);
      const second = { version: 2, spec: changed.spec, changedBy: 'agent:me', changedAt: T0 + 9 };
      const first = { version: 1, spec: task.spec, changedBy: task.createdBy, changedAt: T0 };
      const none = { items: [], nextCursor: null };
      expect(await store.listTaskVersions(task.id, { limit: 2 })).toEqual({
        items: [second, first],
        nextCursor: null,
      });
      const page = await store.listTaskVersions(task.id, { limit: 1 });
      expect(page.items).toEqual([second]);
      expect(await store.listTaskVersions(task.id, { limit: 1, cursor: page.nextCursor as string })).toEqual({
        items: [first],
        nextCursor: null,
      });
      expect(await store.listTaskVersions('tsk_none', { limit: 2 })).toEqual(none);
      await expect(store.listTaskVersions(task.id, { limit: 1, cursor: 'no' })).rejects.toThrow(/cursor/);
    });

    test('tasks are listed newest first, by agent, state and words, page by page', async () => {
      const { store } = subject();
      const { agent, task } = await seed(store, { title: 'Morning BRIEFING' });
      const paused = taskOf(agent, { name: 'Invoice-check' }, { state: 'paused' });
      await store.createTask(paused);
      const { task: foreign } = await seed(store, { name: 'foreign_100%' });
      const find = async (query: object) =>
        (await store.listTasks({ limit: 10, ...query })).items.map(({ id }) => id);
      expect(await find({})).toEqual([foreign.id, paused.id, task.id]);
      expect(await find({ agentId: agent.id })).toEqual([paused.id, task.id]);
      expect(await find({ states: ['paused', 'done'] })).toEqual([paused.id]);
      expect(await find({ states: [] })).toEqual([]);
      expect(await find({ search: 'briefing' })).toEqual([task.id]);
      expect(await find({ search: 'INVOICE' })).toEqual([paused.id]);
      expect(await find({ search: '%' })).toEqual([foreign.id]);
      const first = await store.listTasks({ limit: 2 });
      await seed(store);
      const second = await store.listTasks({ limit: 2, cursor: first.nextCursor as string });
      expect(second.items.map(({ id }) => id)).toEqual([task.id]);
      expect(second.nextCursor).toBeNull();
    });

    test('canceling the runs of a task leaves those of others', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      const { task: other } = await seed(store);
      const running = await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      await leaseAs(store);
      const queued = await store.createRun({ taskId: task.id, run: runOf({ serial: true }), now: T0 });
      const spared = await store.createRun({ taskId: other.id, run: runOf(), now: T0 });
      expect(await store.cancelRunsOfTask(task.id, 'deleted', T0)).toEqual({
        cancelRequested: [running.id],
        canceled: [{ id: queued.id, trigger: 'manual' }],
      });
      expect(await store.getRun(queued.id)).toMatchObject({ status: 'canceled', reason: 'deleted' });
      expect((await store.getRun(spared.id))?.status).toBe('queued');
      expect(await store.cancelRunsOfTask('tsk_none', 'x', T0)).toEqual({
        cancelRequested: [],
        canceled: [],
      });
    });

    test('tasks are counted by state as they move', async () => {
      const { store } = subject();
      const { task } = await seed(store);
      await seed(store, {}, { state: 'paused' });
      expect((await store.stats(T0)).tasks).toEqual({ active: 1, paused: 1, canceled: 0, done: 0 });
      await store.updateTask({ ...task, state: 'canceled' }, 1, 'x');
      expect((await store.stats(T0)).tasks).toEqual({ active: 0, paused: 1, canceled: 1, done: 0 });
    });
  });
}
