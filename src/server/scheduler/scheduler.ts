import { type Clock, systemTimers, type Timers } from '../../domain/clock.js';
import { Looker } from '../../domain/looker.js';
import { isUnavailable } from '../../domain/errors.js';
import { newId } from '../../domain/ids.js';
import { timeZoneDatabaseVersion } from '../../domain/recurrence/index.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import type { Bus } from '../bus/bus.js';
import type { DueTask, ScheduledResult, Store } from '../store/store.js';
import { LineLimit } from '../telemetry/line-limit.js';
import type { Logger } from '../telemetry/logger.js';
import { ObservationBuffer } from '../telemetry/observation-buffer.js';
import { reportReclaimed } from '../telemetry/report-reclaimed.js';
import type { Tracer } from '../telemetry/tracing.js';
import { ClockWatch } from './clock-watch.js';
import { Backlog, BACKLOG_KEY } from './backlog.js';
import type { PassResult, SchedulerContract } from './contract.js';
import { decideDue } from './decide-due.js';
import { closeWindow } from './event-window.js';
import { matchEvent } from './match-event.js';
import { Tally, type TallyTargets } from './tally.js';
import { ZoneMemory } from './zone-memory.js';

export interface SchedulerOptions {
  store: Store;
  bus: Bus;
  clock: Clock;
  /** The machine's when left out. */
  timers?: Timers;
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
  /** The version of the zone database; that of this process when left out. */
  zoneDatabase?: string;
  /** How often stranded tasks are looked for, milliseconds. */
  reconcileMs?: number;
  /** Where metrics go; onto the bus when left out. */
  observations?: ObservationBuffer;
  tracer?: Tracer | null;
  /** Called after each pass that ended well. */
  onPass?: () => void;
}

const DEFAULTS = {
  timers: systemTimers,
  pollMs: 1000,
  batch: 200,
  misfireAfterMs: 60_000,
  staggerMs: 100,
  maxDeaths: 3,
  zoneDatabase: timeZoneDatabaseVersion(),
  reconcileMs: 30_000,
};

/** The most rows one task gets in one pass: a minutely task that slept for a month is worked off in slices. */
const MAX_PER_TASK = 500;
/** Rows of windows after which a pass ends: the next one, at once, begins with what came due meanwhile. */
const MAX_WINDOW_ROWS = 2000;

/**
 * Turns what is due into rows. Level-triggered: every pass looks at what is due in the store, nothing depends on an
 * earlier one (product.md, promise 3). Any number of schedulers may run.
 */
export class Scheduler implements SchedulerContract {
  readonly #options: Required<Omit<SchedulerOptions, 'observations' | 'tracer' | 'onPass'>>;
  readonly #observations: ObservationBuffer;
  readonly #onPass: () => void;
  readonly #targets: TallyTargets;
  readonly #watch: ClockWatch;
  readonly #zones: ZoneMemory;
  readonly #unsubscribe: (() => void)[] = [];
  /** Ends the look at every `pollMs`, which nothing that happens in a pass can end. */
  #endBeat: (() => void) | null = null;
  /** Its own timer, for the next due time, is only a speed-up. */
  readonly #looker: Looker;
  /** Beats to leave out after passes that failed. */
  #idleBeats = 0;
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
  /** Of the pass that runs, for its log lines. */
  #passId = '';
  /** When the last pass ended well, epoch milliseconds. */
  lastTickAt: number | null = null;

  constructor(options: SchedulerOptions) {
    this.#options = { ...DEFAULTS, ...options };
    this.#looker = new Looker(() => this.#pass(), this.#options.timers);
    this.#watch = new ClockWatch(options.clock);
    this.#zones = new ZoneMemory(options.store, this.#options.zoneDatabase);
    this.#backlog = new Backlog(this.#options.misfireAfterMs);
    this.caughtUp = new Promise((resolve) => {
      this.#resolveCaughtUp = resolve;
    });
    this.#onPass = options.onPass ?? (() => {});
    this.#observations =
      options.observations ??
      new ObservationBuffer((observations) => options.bus.publish('metrics', { observations }));
    this.#targets = {
      observations: this.#observations,
      logger: options.logger,
      tracer: options.tracer ?? null,
      limit: new LineLimit(() => options.clock.monotonic()),
    };
  }

  start(): void {
    if (!this.#looker.isStopped) return;
    this.#stopping = false;
    this.#idleBeats = 0;
    this.#unsubscribe.push(
      this.#options.bus.subscribe('schedule', () => this.wake()),
      this.#options.bus.subscribe('clock', () => this.wake()),
    );
    this.#endBeat = this.#options.timers.setInterval(() => this.#beat(), this.#options.pollMs);
    this.#looker.start();
  }

  /** Lets a pass that has begun end, and begins no other. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#endBeat?.();
    this.#endBeat = null;
    await this.#looker.stop();
  }

  /** Looks now. Calls during a pass cause one more pass after it. */
  wake(): void {
    this.#looker.wake();
  }

  #beat(): void {
    if (this.#idleBeats > 0) this.#idleBeats -= 1;
    else if (!this.#looker.isLooking) this.wake();
  }

  /** A pass, and how long it is until something is due when that is before the next beat. */
  async #pass(): Promise<number | null> {
    const { clock, logger, store, pollMs } = this.#options;
    try {
      await this.runOnce();
      this.#failures = 0;
      const [due, window] = await Promise.all([store.nextDueAt(), store.nextWindowAt()]);
      const next = due === null || window === null ? (due ?? window) : Math.min(due, window);
      return next !== null && next - clock.now() < pollMs ? Math.max(0, next - clock.now()) : null;
    } catch (error) {
      this.#failures += 1;
      // The store looks again by itself when it may be used; asking often is what lets work go on at once.
      const delay = isUnavailable(error)
        ? pollMs
        : Math.min(30_000, pollMs * 2 ** Math.min(this.#failures, 5));
      this.#idleBeats = Math.floor(delay / pollMs) - 1;
      if (this.#failures === 1 || !isUnavailable(error))
        logger.error(
          { err: error, pass_id: this.#passId, retry_in_ms: delay },
          'scheduler pass failed; trying again',
        );
      return null;
    }
  }

  /**
   * One pass: takes back expired leases, writes due occurrences, works off events, repairs stranded tasks.
   * Costs O(due), not O(tasks).
   */
  async runOnce(): Promise<PassResult> {
    const { clock, store, bus, logger, batch } = this.#options;
    const began = clock.monotonic();
    this.#passId = newId('pas', clock.now());
    const observations = this.#observations;
    const jump = this.#watch.check();
    if (jump !== null) {
      logger.warn(
        { jump_ms: jump, pass_id: this.#passId },
        'the wall clock jumped against the monotonic clock (sleep or clock change)',
      );
      observations.add('clock_jumps_total', { direction: jump > 0 ? 'forward' : 'backward' });
    }
    const total: PassResult = { tasks: 0, queued: 0, skipped: 0, missed: 0, events: 0, reclaimed: 0 };
    total.reclaimed = await this.#reclaim();
    const { misfireAfterMs } = this.#options;
    let lookedAt = clock.now();
    let last = lookedAt;
    for (;;) {
      const now = clock.now();
      // It slept in the middle of the pass: what came due meanwhile was not looked at.
      if (now - last > misfireAfterMs) lookedAt = now;
      last = now;
      const tally = new Tally();
      const decide = (due: DueTask) => {
        const decision = decideDue(due, {
          now,
          lookedAt,
          misfireAfterMs,
          nextCatchupAt: () => this.#nextCatchupAt(now),
          maxPerPass: MAX_PER_TASK,
        });
        const { schedule } = due.task.spec;
        if (isTimed(schedule)) this.#zones.used(recurrenceOf(schedule).tzid, now);
        return tally.due(due, decision);
      };
      const result = await store.scheduleDue({ now, limit: batch, decide });
      await this.#zones.write(now);
      this.#backlog?.add(tally.decisions, lookedAt);
      total.tasks += result.tasks;
      tally.commit(result, now, this.#targets);
      this.#report(result, total, now);
      if (result.tasks < batch && result.queued + result.skipped + result.missed < MAX_PER_TASK) break;
      if (this.#stopping) return total;
    }
    for (;;) {
      const now = clock.now();
      const tally = new Tally();
      const result = await store
        .dispatchEvents({
          now,
          limit: batch,
          match: (event, candidates) => tally.event(event, candidates, matchEvent(event, candidates, now)),
        })
        .catch((error: unknown) => {
          observations.add('event_deliveries_total', { outcome: 'retry' });
          throw error;
        });
      total.events += result.events;
      if (result.woken > 0) bus.publish('work', { count: result.woken });
      tally.commit(result, now, this.#targets);
      this.#report(result, total, now);
      if (result.events === 0) break;
      if (this.#stopping) return total;
    }
    await this.#closeWindows(total);
    await this.#reconcile();
    await this.#tellBacklog();
    this.lastTickAt = clock.now();
    observations.observe('scheduler_tick_duration_seconds', {}, (clock.monotonic() - began) / 1000);
    observations.set('scheduler_last_tick_timestamp_seconds', {}, this.lastTickAt / 1000);
    this.#onPass();
    return total;
  }

  /** Windows of events whose time is up, once every event has been looked at. */
  async #closeWindows(total: PassResult): Promise<void> {
    const { clock, store, batch } = this.#options;
    for (let rows = 0; rows < MAX_WINDOW_ROWS; ) {
      const now = clock.now();
      const tally = new Tally();
      const result = await store.closeWindows({
        now,
        limit: batch,
        close: (due, window) => tally.window(due, window, closeWindow(due, window, now)),
      });
      tally.commit(result, now, this.#targets);
      this.#report(result, total, now);
      // A window of many spans that passed is worked off in slices.
      rows += result.queued + result.skipped + result.missed;
      if (result.tasks === 0 || this.#stopping) return;
    }
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
    // Said to people by the start itself.
    if (summary.first !== null) logger.info(summary, 'occurrences had come due while nothing ran');
    this.#backlog = null;
    this.#resolveCaughtUp();
  }

  async #reclaim(): Promise<number> {
    const { clock, store, bus, logger, maxDeaths } = this.#options;
    const { requeued, dead, canceled } = await store.reclaim({ now: clock.now(), limit: 500, maxDeaths });
    const count = requeued.length + dead.length + canceled.length;
    if (count === 0) return 0;
    logger.warn({ run_ids: requeued, dead, pass_id: this.#passId }, 'leases ran out and were taken back');
    await reportReclaimed({ requeued, dead, canceled }, { store, observer: this.#observations });
    if (requeued.length > 0) bus.publish('work', { count: requeued.length });
    return count;
  }

  #report(result: ScheduledResult, total: PassResult, now: number): void {
    const { bus, logger } = this.#options;
    total.queued += result.queued;
    total.skipped += result.skipped;
    total.missed += result.missed;
    if (result.cancelRequested.length > 0) bus.publish('cancel', { runIds: result.cancelRequested });
    if (result.canceled.length > 0) bus.publish('run', { runIds: result.canceled.map(({ id }) => id) });
    // Work that is due later (jitter, stagger) is found by the workers' own look at the next run_at.
    if (result.queued > 0) bus.publish('work', { count: result.queued });
    for (const { id, name, reason } of result.paused) {
      this.#observations.add('tasks_auto_paused_total');
      logger.warn(
        { task_id: id, task: name, reason, pass_id: this.#passId },
        'a task can not be scheduled and was paused',
      );
    }
    // Whoever tells people looks then.
    if (result.paused.length > 0 || result.missed > 0) bus.publish('notice', {});
    if (result.duplicates > 0)
      logger.debug({ duplicates: result.duplicates, now }, 'another scheduler was first');
  }

  /** "Active means a due time is set and not older than the lag bound": a violation is repaired, counted and logged. */
  async #reconcile(): Promise<void> {
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
        this.#observations.add('tasks_stalled_total');
        this.wake();
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
        this.#observations.add('tasks_repaired_total');
      } catch (error) {
        logger.error(
          { task_id: task.id, err: error },
          'an active task has no due time and none can be computed',
        );
      }
    }
  }
}
