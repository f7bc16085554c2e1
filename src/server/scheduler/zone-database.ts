import { whyBroken } from '../../domain/broken-schedule.js';
import type { Clock } from '../../domain/clock.js';
import { PaoError } from '../../domain/errors.js';
import { localParts, type Recurrence } from '../../domain/recurrence/index.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import type { Run } from '../../domain/run.js';
import type { Task } from '../../domain/task.js';
import { ZONE_CHANGE_KEY, type ZoneChange } from '../../domain/zone-change.js';
import type { Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';
import { newRun } from './decide-due.js';
import { rememberedOffset } from './zone-memory.js';

const VERSION_KEY = 'zone_database';
const HOUR = 3_600_000;
/** No zone ever moved its clock by more; an occurrence that moved is looked for this far before its old time. */
const FURTHEST = 26 * HOUR;
const LISTED = 100;
/** Local times that a change of the zone database can bring back: those of a day, by the minute. */
const MOST_AGAIN = 1500;

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
    // One that can not be read is paused, with its reason, when it is due.
    if (whyBroken(task.spec.schedule) !== null) continue;
    const recurrence = recurrenceOf(task.spec.schedule);
    const last = await lastOccurrence(task, store);
    const again = last === null ? [] : await comeAgain(recurrence, last, task, known, store);
    for (const at of again) await leaveOut(task, at, change.at, store);
    const next = recurrence.next(again.at(-1) ?? lastSettled(task, nextDueAt, last?.scheduledFor));
    if (next === nextDueAt || !(await store.setNextDue(task.id, task.version, next))) continue;
    change.moved += 1;
    if (change.tasks.length < LISTED)
      change.tasks.push({ id: task.id, name: task.name, from: nextDueAt, to: next });
    logger.warn(
      { task_id: task.id, name: task.name, from: iso(nextDueAt), to: iso(next), left_out: again.map(iso) },
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

/** The newest occurrence that has its row; null when none of the newest runs is one. */
async function lastOccurrence(task: Task, store: Store): Promise<Run | null> {
  const { items } = await store.listRuns({ taskId: task.id, limit: 50 });
  return items.find(({ trigger }) => trigger === 'schedule' || trigger === 'catchup') ?? null;
}

/** The instant after which the next occurrence is still open: what came before has its row, or was never due. */
function lastSettled(task: Task, nextDueAt: number, last: number | undefined): number {
  const changed = Math.min(task.updatedAt, nextDueAt - 1);
  return Math.max(last ?? Number.NEGATIVE_INFINITY, changed, nextDueAt - FURTHEST);
}

/**
 * Occurrences after the last one whose local time had come before it, by the clock as it was: 08:30 ran, and with an
 * offset that is smaller now 08:30 of the same day lies ahead once more.
 */
async function comeAgain(
  recurrence: Recurrence,
  { scheduledFor: last, taskVersion }: Run,
  task: Task,
  version: string,
  store: Store,
): Promise<number[]> {
  // Of a task that was changed since, the last occurrence says nothing about the ones that are named now.
  if (!recurrence.localTimesOnce || taskVersion !== task.version) return [];
  const was = await rememberedOffset(store, recurrence.tzid, last, version);
  if (was === null || was <= localParts(recurrence.tzid, last).offset) return [];
  const lastLocal = last + was * 1000;
  return recurrence
    .take(last, MOST_AGAIN)
    .filter((at) => at + localParts(recurrence.tzid, at).offset * 1000 <= lastLocal);
}

/** Writes the row that says why, which also keeps anything else from running it. */
async function leaveOut(task: Task, at: number, now: number, store: Store): Promise<void> {
  const due = { task, activeRuns: 0, queuedRuns: 0, lastDedupeAt: null };
  const run = newRun(due, task.spec.schedule, at, 'schedule', now);
  Object.assign(run, { status: 'skipped', reason: 'zone_database' });
  try {
    await store.createRun({ taskId: task.id, run, now, force: true });
  } catch (error) {
    // A start that died on the way had written it.
    if (!(error instanceof PaoError) || error.code !== 'PAO_CONFLICT') throw error;
  }
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
