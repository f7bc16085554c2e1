import type { Clock } from '../../domain/clock.js';
import { isUnavailable } from '../../domain/errors.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import type { Bus, Observation } from '../bus/bus.js';
import type { DueDecision, DueTask, ScheduledResult, Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';
import { ClockWatch } from './clock-watch.js';
import { Backlog, BACKLOG_KEY } from './backlog.js';
import { decideDue } from './decide-due.js';
import { matchEvent } from './match-event.js';

export interface SchedulerOptions {
  store: Store;
  bus: Bus;
  clock: Clock;
  logger: Logger;
  /** How long to wait at most between two looks, milliseconds. */
  pollMs?: number;
  /** Tasks and events per transaction. */
  batch?: number;
  misfireAfterMs?: number;
  /** Time between the starts of two catch-up runs, whatever their tasks, milliseconds. */
  staggerMs?: number;
  /** Worker deaths that make a run dead. */
  maxDeaths?: number;
  /** How often stranded tasks are looked for, milliseconds. */
  reconcileMs?: number;
}

/** What one pass did. */
export interface PassResult {
  tasks: number;
  queued: number;
  skipped: number;
  missed: number;
  events: number;
  reclaimed: number;
}

const DEFAULTS = {
  pollMs: 1000,
  batch: 200,
  misfireAfterMs: 60_000,
  staggerMs: 100,
  maxDeaths: 3,
  reconcileMs: 30_000,
};

/** The most rows one task gets in one pass: a minutely task that slept for a month is worked off in slices. */
const MAX_PER_TASK = 500;

/**
 * Turns what is due into rows. Level-triggered: every pass looks at what is due in the store, nothing depends on an
 * earlier one (product.md, promise 3). Any number of schedulers may run.
 */
export class Scheduler {
  readonly #options: Required<SchedulerOptions>;
  readonly #watch: ClockWatch;
  readonly #unsubscribe: (() => void)[] = [];
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<unknown> | null = null;
  #again = false;
  #stopped = true;
  #stopping = false;
  #failures = 0;
  #reconciledAt = Number.NEGATIVE_INFINITY;
  /** The next free slot for the start of a catch-up run, epoch milliseconds. */
  #catchupAt = 0;
  /** What the first pass finds late; null once it is told. */
  #backlog: Backlog | null;
  /** Resolved when the first pass has ended well and what it found late is in the store (meta `backlog`). */
  readonly caughtUp: Promise<void>;
  #resolveCaughtUp = () => {};
  /** When the last pass ended well, epoch milliseconds. */
  lastTickAt: number | null = null;

  constructor(options: SchedulerOptions) {
    this.#options = { ...DEFAULTS, ...options };
    this.#watch = new ClockWatch(options.clock);
    this.#backlog = new Backlog(this.#options.misfireAfterMs);
    this.caughtUp = new Promise((resolve) => {
      this.#resolveCaughtUp = resolve;
    });
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#stopping = false;
    this.#unsubscribe.push(
      this.#options.bus.subscribe('schedule', () => this.wake()),
      this.#options.bus.subscribe('clock', () => this.wake()),
    );
    this.wake();
  }

  /** Lets a pass that has begun end, and begins no other. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopping = true;
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#running;
  }

  /** Looks now. Calls during a pass cause one more pass after it. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#running !== null) {
      this.#again = true;
      return;
    }
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#running = this.#pass().finally(() => {
      this.#running = null;
    });
  }

  async #pass(): Promise<void> {
    const { clock, logger, store, pollMs } = this.#options;
    let delay = pollMs;
    do {
      this.#again = false;
      try {
        await this.runOnce();
        this.#failures = 0;
        const next = await store.nextDueAt();
        delay = next === null ? pollMs : Math.max(0, Math.min(pollMs, next - clock.now()));
      } catch (error) {
        this.#failures += 1;
        // The store looks again by itself when it may be used; asking often is what lets work go on at once.
        delay = isUnavailable(error) ? pollMs : Math.min(30_000, pollMs * 2 ** Math.min(this.#failures, 5));
        if (this.#failures === 1 || !isUnavailable(error))
          logger.error({ err: error, retry_in_ms: delay }, 'scheduler pass failed; trying again');
      }
    } while (this.#again && !this.#stopped);
    if (!this.#stopped) this.#timer = setTimeout(() => this.wake(), delay);
  }

  /**
   * One pass: takes back expired leases, writes due occurrences, works off events, repairs stranded tasks.
   * Costs O(due), not O(tasks).
   */
  async runOnce(): Promise<PassResult> {
    const { clock, store, bus, logger, batch } = this.#options;
    const began = clock.monotonic();
    const observations: Observation[] = [];
    const jump = this.#watch.check();
    if (jump !== null) {
      logger.warn(
        { jump_ms: jump },
        'the wall clock jumped against the monotonic clock (sleep or clock change)',
      );
      observations.push({
        name: 'clock_jumps_total',
        labels: { direction: jump > 0 ? 'forward' : 'backward' },
        values: [1],
      });
    }
    const total: PassResult = { tasks: 0, queued: 0, skipped: 0, missed: 0, events: 0, reclaimed: 0 };
    total.reclaimed = await this.#reclaim(observations);
    for (;;) {
      const now = clock.now();
      // By task, because a transaction that is done again decides again.
      const decisions = new Map<string, DueDecision>();
      const decide = (due: DueTask) => {
        const decision = decideDue(due, {
          now,
          misfireAfterMs: this.#options.misfireAfterMs,
          nextCatchupAt: () => this.#nextCatchupAt(now),
          maxPerPass: MAX_PER_TASK,
        });
        decisions.set(due.task.id, decision);
        return decision;
      };
      const result = await store.scheduleDue({ now, limit: batch, decide });
      this.#backlog?.add(decisions, now);
      countCatchups(decisions, observations);
      total.tasks += result.tasks;
      this.#report(result, total, now, observations);
      if (result.tasks < batch && result.queued + result.skipped + result.missed < MAX_PER_TASK) break;
      if (this.#stopping) return total;
    }
    for (;;) {
      const now = clock.now();
      const result = await store.dispatchEvents({
        now,
        limit: batch,
        match: (event, candidates) => matchEvent(event, candidates, now),
      });
      total.events += result.events;
      if (result.woken > 0) bus.publish('work', { count: result.woken });
      this.#report(result, total, now, observations);
      if (result.events < batch) break;
    }
    await this.#reconcile(observations);
    await this.#tellBacklog();
    this.lastTickAt = clock.now();
    observations.push({
      name: 'scheduler_tick_duration_seconds',
      labels: {},
      values: [(clock.monotonic() - began) / 1000],
    });
    observations.push({
      name: 'scheduler_last_tick_timestamp_seconds',
      labels: {},
      values: [this.lastTickAt / 1000],
    });
    bus.publish('metrics', { observations });
    return total;
  }

  /** Slots one after the other, never in the past. */
  #nextCatchupAt(now: number): number {
    const slot = Math.max(now, this.#catchupAt);
    this.#catchupAt = slot + this.#options.staggerMs;
    return slot;
  }

  async #tellBacklog(): Promise<void> {
    if (this.#backlog === null) return;
    const { store, clock, logger } = this.#options;
    const summary = this.#backlog.summary(clock.now());
    await store.setMeta(BACKLOG_KEY, JSON.stringify(summary));
    if (summary.first !== null) logger.warn(summary, 'occurrences had come due while nothing ran');
    this.#backlog = null;
    this.#resolveCaughtUp();
  }

  async #reclaim(observations: Observation[]): Promise<number> {
    const { clock, store, bus, logger, maxDeaths } = this.#options;
    const { requeued, dead } = await store.reclaim({ now: clock.now(), limit: 500, maxDeaths });
    const count = requeued.length + dead.length;
    if (count === 0) return 0;
    logger.warn({ requeued: requeued.length, dead }, 'leases ran out and were taken back');
    observations.push({ name: 'lease_expirations_total', labels: {}, values: [count] });
    if (requeued.length > 0) bus.publish('work', { count: requeued.length });
    return count;
  }

  #report(result: ScheduledResult, total: PassResult, now: number, observations: Observation[]): void {
    const { bus, logger } = this.#options;
    total.queued += result.queued;
    total.skipped += result.skipped;
    total.missed += result.missed;
    if (result.skipped + result.missed > 0) {
      logger.info({ skipped: result.skipped, missed: result.missed }, 'occurrences recorded without a run');
      observations.push({
        name: 'schedule_misfires_total',
        labels: { policy: 'skip' },
        values: [result.missed],
      });
      observations.push({
        name: 'schedule_overlaps_total',
        labels: { policy: 'skip' },
        values: [result.skipped],
      });
    }
    if (result.cancelRequested.length > 0) bus.publish('cancel', { runIds: result.cancelRequested });
    // Work that is due later (jitter, stagger) is found by the workers' own look at the next run_at.
    if (result.queued > 0) bus.publish('work', { count: result.queued });
    if (result.duplicates > 0)
      logger.debug({ duplicates: result.duplicates, now }, 'another scheduler was first');
  }

  /** "Active means a due time is set and not older than the lag bound": a violation is repaired, counted and logged. */
  async #reconcile(observations: Observation[]): Promise<void> {
    const { clock, store, logger, reconcileMs } = this.#options;
    if (clock.monotonic() - this.#reconciledAt < reconcileMs) return;
    this.#reconciledAt = clock.monotonic();
    const stranded = await store.findStrandedTasks(clock.now() - 10 * reconcileMs, 100);
    for (const task of stranded) {
      const { schedule } = task.spec;
      if (task.nextDueAt !== null) {
        // A pass has just ended, and has not taken it: the next one tries again, and somebody should know.
        logger.error(
          { task_id: task.id, next_due_at: task.nextDueAt },
          'an active task is due for long and no pass has taken it',
        );
        observations.push({ name: 'tasks_stalled_total', labels: {}, values: [1] });
        this.#again = true;
        continue;
      }
      if (!isTimed(schedule)) continue;
      try {
        const next = recurrenceOf(schedule).next(task.lastRunAt ?? clock.now());
        const repaired = await store.setNextDue(task.id, task.version, next);
        logger.error(
          { task_id: task.id, next_due_at: next, repaired },
          'an active task had no due time; it was set again',
        );
        observations.push({ name: 'tasks_repaired_total', labels: {}, values: [1] });
      } catch (error) {
        logger.error(
          { task_id: task.id, err: error },
          'an active task has no due time and none can be computed',
        );
      }
    }
  }
}

function countCatchups(decisions: ReadonlyMap<string, DueDecision>, observations: Observation[]): void {
  let count = 0;
  for (const { runs } of decisions.values()) {
    for (const run of runs) if (run.status === 'queued' && run.trigger === 'catchup') count += 1;
  }
  if (count > 0)
    observations.push({
      name: 'schedule_misfires_total',
      labels: { policy: 'catch_up' },
      values: [count],
    });
}
