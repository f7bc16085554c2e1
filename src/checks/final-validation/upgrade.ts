import { pages } from '../../client/pao-client.js';
import type { Check } from '../check.js';
import { CheckSkipped } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import type { SnapshotTask, World } from './world.js';
import type { PaoClient } from '../../client/pao-client.js';
import { ApiError } from '../../client/problem-error.js';
import { CHECK_TAG } from '../live-system.js';

const group = 'Upgrade';
/** Due times of each task that are kept and compared. */
const OCCURRENCES = 5;

/** What an upgrade may not change. */
export const upgradeChecks: Check<World>[] = [
  {
    id: 'upgrade.tasks',
    title: 'Every task of before the upgrade is there, in the state it was in',
    group,
    requires: ['server'],
    async run(world, tools) {
      const before = snapshotOf(world);
      const lost: string[] = [];
      const changed: string[] = [];
      for (const { id, name, state } of before.tasks) {
        const now = await taskOrNull(world.client, id, tools.signal);
        if (now === null) lost.push(name);
        // A task that was due once may be done by now.
        else if (now.state !== state && now.state !== 'done')
          changed.push(`${name}: ${state}, now ${now.state}`);
      }
      const evidence = { tasks: before.tasks.length, taken_at: before.taken_at, lost, changed };
      ensure(
        lost.length === 0,
        `${lost.length} tasks are gone: ${lost.slice(0, 5).join(', ')}.`,
        'pao task list',
        evidence,
      );
      ensure(
        changed.length === 0,
        `Tasks changed: ${changed.slice(0, 5).join('; ')}.`,
        'pao task list',
        evidence,
      );
      return evidence;
    },
  },
  {
    id: 'upgrade.due_times',
    title: 'Every schedule means the same instants as before the upgrade',
    group,
    requires: ['server'],
    needs: ['upgrade.tasks'],
    async run(world, tools) {
      const { tasks, taken_at: from } = snapshotOf(world);
      for (const { id, name, next } of tasks) {
        const now = await occurrences(world.client, id, from, tools.signal);
        ensureEqual(`The next due times of ${name}`, now, next, `pao task next ${name}`);
      }
      return { tasks: tasks.length, compared: tasks.reduce((sum, { next }) => sum + next.length, 0) };
    },
  },
];

function snapshotOf({ options: { before } }: World): NonNullable<World['options']['before']> {
  if (before !== null) return before;
  throw new CheckSkipped(
    'There is no snapshot of before the upgrade.',
    'pao final-validation --target URL --save-snapshot FILE',
  );
}

/** The tasks that people made, with the instants they are due at from now on. */
export async function takeSnapshot(
  client: PaoClient,
  signal: AbortSignal,
): Promise<{ taken_at: string; tasks: SnapshotTask[] }> {
  const takenAt = new Date().toISOString();
  const tasks: SnapshotTask[] = [];
  for await (const task of pages((cursor) => client.listTasks({ limit: 100, cursor, signal }))) {
    if (task.state === 'canceled' || task.tags?.includes(CHECK_TAG)) continue;
    const { id, name, state } = task;
    tasks.push({ id, name, state, next: await occurrences(client, id, takenAt, signal) });
  }
  return { taken_at: takenAt, tasks };
}

async function occurrences(
  client: PaoClient,
  id: string,
  from: string,
  signal: AbortSignal,
): Promise<string[]> {
  const { items } = await client.occurrences(id, { from, count: OCCURRENCES, signal });
  return items.map(({ at }) => new Date(at).toISOString());
}

async function taskOrNull(client: PaoClient, id: string, signal: AbortSignal) {
  try {
    return await client.getTask(id, { signal });
  } catch (error) {
    if (error instanceof ApiError && error.httpStatus === 404) return null;
    throw error;
  }
}
