import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import type { Task } from '../../domain/task.js';
import { parseDuration } from '../../domain/duration.js';
import { decideDue, newRun } from '../scheduler/decide-due.js';
import type { DueDecision, DueTask, Store } from '../store/store.js';

/** Why a run did not happen that came due before a restore. */
export const RESTORED = 'restored';
/** Tasks, runs and occurrences are counted up to this many; more is told as "or more". */
const MAX_COUNTED = 1000;
const ACTIVE = ['queued', 'running', 'waiting'] as const;

/** What an older state of a database would do again, or late, if it simply went on. */
export interface LeftOver {
  /** Tasks that came due, with how many of the occurrences would run and how many would be recorded as missed. */
  tasks: { name: string; dueSince: number; wouldRun: number; wouldMiss: number }[];
  /** Runs that were queued, running or waiting. */
  runs: number;
  /** Events that no task has seen yet. */
  events: number;
}

/** Looks what would be caught up; changes nothing. */
export async function findLeftOver(store: Store, now: number, misfireAfterMs: number): Promise<LeftOver> {
  const late = await store.findStrandedTasks(now + 1, MAX_COUNTED);
  const tasks = late
    .filter((task) => task.nextDueAt !== null && task.nextDueAt <= now)
    .map((task) => {
      const { wouldRun, wouldMiss } = foresee(task, now, misfireAfterMs);
      return { name: task.name, dueSince: task.nextDueAt as number, wouldRun, wouldMiss };
    });
  const { items } = await store.listRuns({ statuses: [...ACTIVE], limit: MAX_COUNTED });
  return { tasks, runs: items.length, events: (await store.stats(now)).undispatchedEvents };
}

export const isNothing = ({ tasks, runs, events }: LeftOver): boolean =>
  tasks.length === 0 && runs === 0 && events === 0;

function foresee(task: Task, now: number, misfireAfterMs: number): { wouldRun: number; wouldMiss: number } {
  let [wouldRun, wouldMiss] = [0, 0];
  let at = task.nextDueAt;
  while (at !== null && at <= now && wouldRun + wouldMiss < MAX_COUNTED) {
    const due: DueTask = {
      task: { ...task, nextDueAt: at },
      activeRuns: 0,
      queuedRuns: 0,
      lastDedupeAt: null,
    };
    const decision = decideDue(due, {
      now,
      lookedAt: now,
      misfireAfterMs,
      maxPerPass: 100,
      nextCatchupAt: () => now,
    });
    for (const { status } of decision.runs) {
      if (status === 'queued') wouldRun += 1;
      else wouldMiss += 1;
    }
    if (decision.runs.length === 0) break;
    at = decision.nextDueAt;
  }
  return { wouldRun, wouldMiss };
}

/** Goes on from `now`: what came due before it is left out, and each has a row that says so. */
export async function leaveOut(store: Store, now: number): Promise<void> {
  for (;;) {
    const { tasks } = await store.scheduleDue({ now, limit: 500, decide: (due) => decideLeftOut(due, now) });
    if (tasks < 500 && (await nothingDue(store, now))) break;
  }
  for (;;) if ((await store.dispatchEvents({ now, limit: 500, match: () => [] })).events < 500) break;
  await cancelRuns(store, now);
}

/** Stops every task that would start by itself; what was queued is canceled and can be replayed. */
export async function pauseAll(store: Store, now: number): Promise<number> {
  let paused = 0;
  let cursor: string | undefined;
  do {
    const page = await store.listTasks({ states: ['active'], limit: 500, cursor });
    for (const task of page.items) {
      if (task.spec.schedule === undefined) continue;
      const changed: Task = {
        ...task,
        state: 'paused',
        stateReason: 'restored from a backup',
        updatedAt: now,
      };
      if (await store.updateTask(changed, task.version, 'system')) paused += 1;
    }
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  await cancelRuns(store, now);
  return paused;
}

async function nothingDue(store: Store, now: number): Promise<boolean> {
  const next = await store.nextDueAt();
  return next === null || next > now;
}

function decideLeftOut(due: DueTask, now: number): DueDecision {
  const { schedule } = due.task.spec;
  if (schedule?.kind === 'condition') {
    // Looks that were slept through are not made up for, so they leave no row either.
    const every = parseDuration(schedule.every);
    const at = due.task.nextDueAt ?? now;
    return { runs: [], nextDueAt: at + Math.max(1, Math.floor((now - at) / every) + 1) * every };
  }
  if (!isTimed(schedule)) return { runs: [], nextDueAt: null };
  const recurrence = recurrenceOf(schedule);
  const decision: DueDecision = { runs: [], nextDueAt: due.task.nextDueAt };
  while (decision.nextDueAt !== null && decision.nextDueAt <= now && decision.runs.length < 100) {
    const run = newRun(due, schedule, decision.nextDueAt, 'schedule', now);
    decision.runs.push({ ...run, status: 'missed', reason: RESTORED });
    decision.nextDueAt = recurrence.next(decision.nextDueAt);
  }
  if (decision.nextDueAt === null)
    Object.assign(decision, { state: 'done', stateReason: 'no further occurrence' });
  return decision;
}

/** Messages that waited when the backup was made: they were sent since then, or are of yesterday. */
async function suppressMessages(store: Store, now: number): Promise<void> {
  // No attempt has a lease for as long as that.
  await store.reclaimDeliveries({ now: now + 86_400_000 });
  for (;;) {
    const { items } = await store.listDeliveries({ statuses: ['pending', 'deferred'], limit: 500 });
    if (items.length === 0) return;
    for (const { id } of items)
      await store.resolveDelivery({ id, status: 'suppressed', reason: RESTORED, now });
  }
}

async function cancelRuns(store: Store, now: number): Promise<void> {
  await suppressMessages(store, now);
  const running = await store.listRuns({ statuses: ['running'], limit: 10_000 });
  const workers = new Set(running.items.flatMap(({ workerId }) => (workerId === null ? [] : [workerId])));
  // Whoever had them when the backup was made is not there any more.
  for (const workerId of workers) await store.reclaim({ now, workerId, limit: 10_000, maxDeaths: 1_000_000 });
  for (;;) {
    const { items } = await store.listRuns({ statuses: [...ACTIVE], limit: 500 });
    if (items.length === 0) return;
    for (const { id } of items) {
      const result = await store.cancelRun(id, RESTORED, now);
      if (result?.cancelRequested) throw new Error(`Run ${id} is leased by a worker that is not there.`);
    }
  }
}
