import type { Clock } from '../../domain/clock.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import type { Task } from '../../domain/task.js';
import { ZONE_CHANGE_KEY, type ZoneChange } from '../../domain/zone-change.js';
import type { Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';

const VERSION_KEY = 'zone_database';
const HOUR = 3_600_000;
/** No zone ever moved its clock by more; an occurrence that moved is looked for this far before its old time. */
const FURTHEST = 26 * HOUR;
const LISTED = 100;

/**
 * Compares the zone database of this process (`process.versions.tz`, with Node) with the one the due times in the store
 * were computed with. When they differ, every due time is computed anew; what moved is logged, written to the audit log,
 * and kept for `pao task explain` and the start screen.
 * @returns the change; null when there was none.
 */
export async function applyZoneDatabase(options: {
  store: Store;
  clock: Clock;
  logger: Logger;
  version: string;
}): Promise<ZoneChange | null> {
  const { store, clock, logger, version } = options;
  const known = await store.getMeta(VERSION_KEY);
  if (known === version) return null;
  if (known === null) {
    await store.setMeta(VERSION_KEY, version);
    return null;
  }
  const change: ZoneChange = { from: known, to: version, at: clock.now(), moved: 0, tasks: [] };
  for await (const task of timedTasks(store)) {
    const { nextDueAt } = task;
    if (nextDueAt === null || !isTimed(task.spec.schedule)) continue;
    const next = recurrenceOf(task.spec.schedule).next(await lastSettled(task, nextDueAt, store));
    if (next === nextDueAt || !(await store.setNextDue(task.id, task.version, next))) continue;
    change.moved += 1;
    if (change.tasks.length < LISTED)
      change.tasks.push({ id: task.id, name: task.name, from: nextDueAt, to: next });
    logger.warn(
      { task_id: task.id, name: task.name, from: iso(nextDueAt), to: iso(next) },
      'the due time of a task moved with the zone database',
    );
  }
  const { tasks, ...counts } = change;
  await store.appendAudit({
    at: change.at,
    actor: 'system',
    action: 'zone_database.changed',
    target: null,
    details: {
      ...counts,
      tasks: tasks.map(({ from, to, ...task }) => ({ ...task, from: iso(from), to: iso(to) })),
    },
  });
  await store.setMeta(ZONE_CHANGE_KEY, JSON.stringify(change));
  // Last: a start that dies on the way does all of it again.
  await store.setMeta(VERSION_KEY, version);
  logger.warn(counts, 'the zone database changed; due times were computed anew');
  return change;
}

/** The instant after which the next occurrence is still open: what came before has its row, or was never due. */
async function lastSettled(task: Task, nextDueAt: number, store: Store): Promise<number> {
  const { items } = await store.listRuns({ taskId: task.id, limit: 50 });
  const newest = items.find(({ trigger }) => trigger === 'schedule' || trigger === 'catchup');
  const changed = Math.min(task.updatedAt, nextDueAt - 1);
  return Math.max(newest?.scheduledFor ?? Number.NEGATIVE_INFINITY, changed, nextDueAt - FURTHEST);
}

async function* timedTasks(store: Store): AsyncGenerator<Task> {
  let cursor: string | undefined;
  do {
    const page = await store.listTasks({ states: ['active', 'paused'], limit: 500, cursor });
    yield* page.items;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());
