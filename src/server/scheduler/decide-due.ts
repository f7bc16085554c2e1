import { newId } from '../../domain/ids.js';
import { parseDuration } from '../../domain/duration.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import { resumeOrderOf } from '../../domain/resume-order.js';
import type { RunTrigger } from '../../domain/run.js';
import {
  type ConditionSchedule,
  isSinceLast,
  type Schedule,
  type TimedSchedule,
} from '../../domain/schedule.js';
import type { DueDecision, DueTask, NewRun } from '../store/store.js';
import { spanFrom } from './event-span.js';

export interface DecideOptions {
  now: number;
  /**
   * When the scheduler looked at what is due, epoch milliseconds: before `now` where there was so much that working it
   * off took a while, which makes nothing late that came due in time.
   */
  lookedAt: number;
  /** An occurrence found later than this after its time counts as caught up, milliseconds. */
  misfireAfterMs: number;
  /** Rows written for one task in one pass; the rest follows in the next pass. */
  maxPerPass: number;
  /**
   * When the next catch-up run may start, epoch milliseconds: all tasks of a scheduler share one row of slots, so that
   * a restart is no storm.
   */
  nextCatchupAt: () => number;
}

/** The most occurrences an order to catch up makes run; older ones are recorded as missed. */
const MOST_ORDERED = 1000;

/**
 * Decides what becomes of every occurrence of a task that is due: exactly one row each (product.md, promise 1).
 * Pure: the same task, time and options give the same decision but for ids and the slots of catch-up runs.
 */
export function decideDue(due: DueTask, options: DecideOptions): DueDecision {
  const schedule = due.task.spec.schedule;
  if (schedule?.kind === 'condition') return decideObservation(due, schedule, options);
  // The span in which the first event must come begins with the task, or anew when it is resumed.
  if (schedule?.kind === 'event' && isSinceLast(schedule) && schedule.key === undefined)
    return { runs: [], nextDueAt: null, window: spanFrom(schedule, '', options.now) };
  if (!isTimed(schedule)) return { runs: [], nextDueAt: null };
  return decideOccurrences(due, schedule, options);
}

function decideOccurrences(due: DueTask, schedule: TimedSchedule, options: DecideOptions): DueDecision {
  const { task } = due;
  const { now } = options;
  const recurrence = recurrenceOf(schedule);
  const overlap = new OverlapLedger(due, schedule);
  const order = resumeOrderOf(task);
  const runs: NewRun[] = [];
  let dedupeAt = due.lastDedupeAt;
  let at = task.nextDueAt;
  while (at !== null && at <= now && runs.length < options.maxPerPass) {
    const next = recurrence.next(at);
    // While a task was paused nothing was due: what a person ordered since counts, not its own catch-up.
    const ordered = order !== null && at < order.before;
    const isLate = ordered || options.lookedAt - at > options.misfireAfterMs;
    const trigger: RunTrigger = isLate ? 'catchup' : 'schedule';
    const catchup = ordered ? { policy: order.catchup, max: MOST_ORDERED, window: null } : schedule.catchup;
    const missed = isLate ? whyMissed(at, next, catchup, now, recurrence.take.bind(recurrence)) : null;
    const run = newRun(due, schedule, at, trigger, now);
    if (task.snoozedUntil !== null && at < task.snoozedUntil) {
      Object.assign(run, { status: 'skipped', reason: 'snoozed', trigger: 'schedule' });
    } else if (ordered && order.catchup === 'skip') {
      Object.assign(run, { status: 'skipped', reason: 'paused', trigger: 'schedule' });
    } else if (missed !== null) {
      Object.assign(run, { status: 'missed', reason: missed, trigger: 'schedule' });
    } else if (isDuplicate(due, dedupeAt, now)) {
      Object.assign(run, { status: 'skipped', reason: 'dedupe' });
    } else {
      overlap.admit(run);
      if (run.status === 'queued') {
        dedupeAt = now;
        if (isLate) run.runAt = options.nextCatchupAt();
      }
    }
    runs.push(run);
    at = next;
  }
  return {
    runs: overlap.settle(runs),
    nextDueAt: at,
    ...(at === null ? { state: 'done' as const, stateReason: 'no further occurrence' } : {}),
    ...(overlap.cancelsActive ? { cancelActive: true } : {}),
    ...(task.snoozedUntil !== null && task.snoozedUntil <= now ? { snoozedUntil: null } : {}),
    ...(order !== null && (at === null || at >= order.before) ? { memory: null } : {}),
  };
}

/** Why a late occurrence is not run, or null when it is. */
function whyMissed(
  at: number,
  next: number | null,
  catchup: { policy: string; max: number; window: string | null },
  now: number,
  take: (after: number, count: number) => number[],
): string | null {
  const { policy, max, window } = catchup;
  if (window !== null && now - at > parseDuration(window)) return 'catchup_window';
  if (policy === 'skip') return 'catchup_skip';
  if (policy === 'latest') return next !== null && next <= now ? 'catchup_latest' : null;
  const later = take(at, max).filter((instant) => instant <= now).length;
  return later >= max ? 'catchup_max' : null;
}

/** A condition is observed on a fixed grid; looks that were slept through are not made up for. */
function decideObservation(due: DueTask, schedule: ConditionSchedule, options: DecideOptions): DueDecision {
  const { task } = due;
  const every = parseDuration(schedule.every);
  const at = task.nextDueAt ?? options.now;
  const nextDueAt = at + Math.max(1, Math.floor((options.now - at) / every) + 1) * every;
  const run = newRun(due, schedule, at, 'condition', options.now);
  if (task.snoozedUntil !== null && at < task.snoozedUntil)
    Object.assign(run, { status: 'skipped', reason: 'snoozed' });
  else new OverlapLedger(due, schedule).admit(run);
  return { runs: [run], nextDueAt };
}

/** Builds a run of a task, queued for the given instant; policies may then change it. */
export function newRun(
  due: DueTask,
  schedule: Schedule | undefined,
  at: number,
  trigger: RunTrigger,
  now: number,
): NewRun {
  const { task } = due;
  return {
    id: newId('run', now),
    status: 'queued',
    reason: null,
    trigger,
    scheduledFor: at,
    runAt: at + jitterOf(task.id, at, schedule?.jitter),
    params: {},
    eventId: null,
    parentRunId: null,
    dedupeKey: task.spec.dedupe?.key ?? null,
    traceId: null,
    serial: schedule !== undefined && schedule.overlap !== 'allow',
  };
}

/** Whether a dedupe window is still open. */
export function isDuplicate(due: DueTask, lastAt: number | null, now: number): boolean {
  const { dedupe } = due.task.spec;
  return dedupe !== undefined && lastAt !== null && now - lastAt < parseDuration(dedupe.window);
}

/**
 * Spreads starts over `jitter`: the same instant for the same occurrence, whoever computes it (FNV-1a, 32 bit).
 * @returns milliseconds from 0 up to the jitter.
 */
export function jitterOf(taskId: string, at: number, jitter: string | undefined): number {
  if (jitter === undefined) return 0;
  let hash = 0x811c9dc5;
  for (const char of `${taskId}/${at}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
  return Math.floor((hash / 0x1_0000_0000) * parseDuration(jitter));
}

/** Applies a task's overlap policy to new runs, counting those it has admitted itself. */
export class OverlapLedger {
  #active: number;
  #queued: number;
  #caughtUp = 0;
  cancelsActive = false;

  constructor(
    due: DueTask,
    private readonly schedule: Schedule,
  ) {
    this.#active = due.activeRuns;
    this.#queued = due.queuedRuns;
  }

  /** Lets a queued run through or turns it into a `skipped` row. */
  admit(run: NewRun): void {
    const { overlap, queue_limit: limit } = this.schedule;
    // Occurrences that are caught up together wait for each other; they were never meant to meet.
    const others = run.trigger === 'catchup' ? this.#active - this.#caughtUp : this.#active;
    const blocked =
      (overlap === 'skip' && others > 0) ||
      (overlap === 'queue' &&
        others > 0 &&
        this.#queued - (run.trigger === 'catchup' ? this.#caughtUp : 0) >= limit);
    if (blocked) {
      run.status = 'skipped';
      run.reason = 'overlap';
      return;
    }
    if (overlap === 'cancel_previous' && this.#active > 0) this.cancelsActive = true;
    this.#active += 1;
    this.#queued += 1;
    if (run.trigger === 'catchup') this.#caughtUp += 1;
  }

  /** With `cancel_previous`, only the newest of several new runs is left to run. */
  settle(runs: NewRun[]): NewRun[] {
    if (this.schedule.overlap !== 'cancel_previous') return runs;
    const queued = runs.filter((run) => run.status === 'queued');
    for (const run of queued.slice(0, -1)) Object.assign(run, { status: 'skipped', reason: 'overlap' });
    return runs;
  }
}
