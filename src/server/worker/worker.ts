import { type Clock, systemTimers } from '../../domain/clock.js';
import { Looker } from '../../domain/looker.js';
import { isUnavailable } from '../../domain/errors.js';
import type { Bus, LifecycleEntry } from '../bus/bus.js';
import type { Completion, LeasedRun, Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';
import { ObservationBuffer } from '../telemetry/observation-buffer.js';
import type { Tracer } from '../telemetry/tracing.js';
import { CompletionWriter } from './completion-writer.js';
import { interruptedCompletion, type RunExecutor } from './run-executor.js';
import { RunReport } from './run-report.js';
import type { TaskPings } from './task-pings.js';
import { SuspectTurn } from './suspect-turn.js';

export interface WorkerOptions {
  store: Store;
  bus: Bus;
  clock: Clock;
  logger: Logger;
  executor: RunExecutor;
  workerId: string;
  /** Runs executed at once. */
  concurrency: number;
  leaseMs: number;
  tags: string[];
  /** Told of each batch that was leased, before any of it begins. */
  onLeased?: (runIds: string[]) => void;
  /** How long to wait at most between two looks, milliseconds. */
  pollMs?: number;
  /** Where metrics go; onto the bus when left out. */
  observations?: ObservationBuffer;
  tracer?: Tracer | null;
  /** Ask for the dead-man URLs of tasks. */
  pings?: TaskPings;
}

/** The most runs leased in one go; a batch costs one commit whatever its size. */
const MAX_BATCH = 500;
/**
 * A lease covers about this much work: so many times what a lease takes, as each costs the store the same whatever it
 * brings; enough to keep busy, too little to hoard.
 */
const HORIZON = { leases: 20, leastMs: 40, mostMs: 250 };

interface ActiveRun {
  leased: LeasedRun;
  controller: AbortController;
}

/** Leases due runs, executes them and writes what became of them. */
export class Worker {
  readonly #options: Required<Omit<WorkerOptions, 'observations' | 'tracer' | 'pings'>>;
  readonly #report: RunReport;
  readonly #writer: CompletionWriter;
  readonly #waiting: LeasedRun[] = [];
  readonly #active = new Map<string, ActiveRun>();
  readonly #unsubscribe: (() => void)[] = [];
  readonly #looker = new Looker(() => this.#fill(), systemTimers);
  #stopping = false;
  /** False while results can not be written (disk full): nothing new is taken. */
  #healthy = true;
  /** The store could not be asked for work the last time. */
  #leaseFailed = false;
  #suspect: LeasedRun | null = null;
  readonly #turn: SuspectTurn;
  #idle: (() => void)[] = [];
  readonly #observations: ObservationBuffer;
  /** Runs executed at once, now. */
  #concurrency: number;
  #rate = 0;
  /** What a lease that brought something took of late, milliseconds. */
  #leaseMs = 0;
  #rateSince = 0;
  #rateCount = 0;
  /** Runs that ended here since the start. */
  finished = 0;

  constructor(options: WorkerOptions) {
    this.#options = { pollMs: 1000, onLeased: () => {}, ...options };
    this.#concurrency = options.concurrency;
    this.#observations =
      options.observations ??
      new ObservationBuffer((observations) => options.bus.publish('metrics', { observations }));
    this.#report = new RunReport({
      observations: this.#observations,
      logger: options.logger,
      tracer: options.tracer ?? null,
      pings: options.pings ?? null,
      monotonic: () => options.clock.monotonic(),
    });
    this.#turn = new SuspectTurn({
      handBack: () => this.#handBackSuspect(),
      goOn: () => this.wake(),
    });
    this.#writer = new CompletionWriter({
      store: options.store,
      clock: options.clock,
      logger: options.logger,
      onFenced: (runIds) => this.#fenced(runIds),
      onWritten: (completions) => this.#written(completions),
      onHealth: (healthy) => {
        this.#healthy = healthy;
      },
    });
  }

  get busy(): number {
    return this.#active.size;
  }

  /** Runs executed at once, now; {@link setConcurrency} may have lowered it. */
  get concurrency(): number {
    return this.#concurrency;
  }

  /** Does fewer runs at once, or more again. What runs goes on. */
  setConcurrency(concurrency: number): void {
    this.#concurrency = concurrency;
    this.#pump();
    if (this.#room() > 0) this.wake();
  }

  /** Ids of the runs it has: those that wait for their turn, those that run, and those whose end is not written yet. */
  held(): string[] {
    const ids = [...this.#active.keys(), ...this.#waiting.map(({ run }) => run.id), ...this.#writer.runIds()];
    if (this.#suspect !== null) ids.push(this.#suspect.run.id);
    return ids;
  }

  start(): void {
    const { bus } = this.#options;
    this.#unsubscribe.push(
      bus.subscribe('work', () => this.wake()),
      bus.subscribe('clock', () => this.wake()),
      bus.subscribe('cancel', ({ runIds }) => this.cancel(runIds)),
    );
    this.#looker.start();
  }

  /** Stops taking work, lets what runs finish within the grace period, and hands the rest back uncounted. */
  async stop(graceMs: number): Promise<{ finished: number; handedBack: number }> {
    this.#stopping = true;
    const before = this.finished;
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    const looked = this.#looker.stop();
    let handedBack = 0;
    const handBack = (leased: LeasedRun) => {
      handedBack += 1;
      this.#writer.add(interruptedCompletion(leased, this.#options.clock.now()));
    };
    const handBackWaiting = () => {
      for (const leased of this.#waiting.splice(0)) handBack(leased);
      // One that runs already ends like the others.
      if (this.#suspect !== null && !this.#active.has(this.#suspect.run.id)) handBack(this.#suspect);
      this.#suspect = null;
      this.#turn.end();
    };
    handBackWaiting();
    if (this.#active.size > 0) {
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([
        new Promise<void>((resolve) => this.#idle.push(resolve)),
        new Promise<void>((resolve) => {
          timer = setTimeout(resolve, graceMs);
        }),
      ]);
      clearTimeout(timer);
    }
    if (this.#active.size > 0) {
      handedBack += this.#active.size;
      const ended = new Promise<void>((resolve) => this.#idle.push(resolve));
      for (const { controller } of this.#active.values()) controller.abort('interrupted');
      await ended;
    }
    // A look that was under way when it was stopped may have brought more.
    await Promise.race([looked, new Promise((resolve) => setTimeout(resolve, graceMs).unref())]);
    handBackWaiting();
    // What can not be written by then is taken back when its lease runs out.
    await Promise.race([
      this.#writer.flush(),
      new Promise((resolve) => setTimeout(resolve, graceMs + 2000).unref()),
    ]);
    this.#writer.close();
    this.#observations.flush();
    return { finished: this.finished - before, handedBack };
  }

  /** Aborts runs that are executed here; others are not ours. */
  cancel(runIds: string[]): void {
    for (const id of runIds) this.#active.get(id)?.controller.abort('canceled');
  }

  /** Looks for work now. */
  wake(): void {
    this.#looker.wake();
  }

  /** @returns the milliseconds until the next look. */
  async #fill(): Promise<number> {
    const { store, clock, logger, pollMs, tags } = this.#options;
    try {
      const leased = await this.#lease();
      this.#leaseFailed = false;
      // What ends here looks again.
      if (this.#room() === 0) return pollMs;
      if (leased > 0) {
        this.wake();
        return pollMs;
      }
      const next = await store.nextRunAt({ tags });
      // Due work that may not be leased now (a key is taken) is looked at again when something ends here, or by the poll.
      if (next !== null && next > clock.now()) return Math.max(1, Math.min(pollMs, next - clock.now()));
    } catch (error) {
      // Once for as long as it lasts: the poll asks again every second.
      if (!this.#leaseFailed || !isUnavailable(error))
        logger.error({ err: error }, 'no work could be leased; trying again');
      this.#leaseFailed = true;
    }
    return pollMs;
  }

  /** How many more runs may be taken now. */
  #room(): number {
    if (this.#stopping || !this.#healthy || this.#suspect !== null || this.#turn.othersFirst) return 0;
    if (this.#writer.size > 4 * MAX_BATCH) return 0;
    // Also under pressure: a database that is slow is spared by larger batches, not by smaller ones.
    const horizon = Math.max(HORIZON.leastMs, Math.min(HORIZON.mostMs, HORIZON.leases * this.#leaseMs));
    const ahead = Math.min(MAX_BATCH, Math.ceil(this.#rate * horizon));
    const target = Math.max(this.#concurrency, ahead);
    const held = this.#waiting.length + this.#active.size;
    return held > target / 2 && this.#active.size >= this.#concurrency ? 0 : Math.max(0, target - held);
  }

  async #lease(): Promise<number> {
    const limit = this.#room();
    if (limit === 0) return 0;
    const { store, clock, workerId, leaseMs, tags } = this.#options;
    // First, so that no work is leased that can not be begun.
    await this.#options.executor.prepare();
    const began = clock.monotonic();
    const leased = await store.lease({ workerId, now: clock.now(), limit, leaseMs, tags });
    if (leased.length > 0) this.#leaseMs += (clock.monotonic() - began - this.#leaseMs) / 8;
    if (leased.length > 0) this.#options.onLeased(leased.map(({ run }) => run.id));
    this.#options.bus.record?.(leased.filter(({ run }) => run.attempt === 1).map(startEntry(clock.now())));
    for (const run of leased) {
      this.#supersede(run.run.id);
      // A run that took a worker with it runs alone, so that it can only harm itself the next time.
      if (run.run.deaths > 0) this.#suspect = run;
      else this.#waiting.push(run);
    }
    this.#pump();
    if (this.#suspect !== null && !this.#active.has(this.#suspect.run.id)) this.#turn.wait();
    return leased.length;
  }

  /** A run that is leased anew while it is executed here was lost meanwhile (a long pause): what goes on of it counts for nothing. */
  #supersede(runId: string): void {
    const active = this.#active.get(runId);
    if (active === undefined) return;
    this.#active.delete(runId);
    active.controller.abort('lease_lost');
  }

  #pump(): void {
    while (!this.#stopping && this.#active.size < this.#concurrency) {
      const next = this.#waiting.shift() ?? this.#takeSuspect();
      if (next === undefined) return;
      this.#execute(next);
      if (next.run.deaths > 0) return;
    }
  }

  /** The suspect begins when nothing else runs, itself included; it is cleared when it ends, and until then nothing is taken. */
  #takeSuspect(): LeasedRun | undefined {
    if (this.#suspect === null || this.#active.size > 0) return undefined;
    this.#turn.begin();
    return this.#suspect;
  }

  /** What runs here does not end: another worker may have nothing to do. */
  #handBackSuspect(): void {
    const leased = this.#suspect;
    if (leased === null || this.#active.has(leased.run.id)) return;
    this.#suspect = null;
    this.#writer.add(interruptedCompletion(leased, this.#options.clock.now()));
  }

  #execute(leased: LeasedRun): void {
    const controller = new AbortController();
    this.#active.set(leased.run.id, { leased, controller });
    const { clock } = this.#options;
    const [beganAt, began] = [clock.now(), clock.monotonic()];
    this.#report.started(leased, beganAt);
    const ended = (completion: Completion | null) => {
      if (completion === null) this.#report.lost(leased, beganAt, clock.now());
      else this.#report.ended(leased, beganAt, (clock.monotonic() - began) / 1000);
      this.#ended(leased, completion);
    };
    if (leased.cancelRequested) controller.abort('canceled');
    this.#options.executor.execute(leased, controller.signal, this.#observations).then(
      (completion) => ended(completion),
      (error: unknown) => {
        this.#options.logger.error({ err: error, run_id: leased.run.id }, 'the executor failed');
        // Not the run's fault: it goes back uncounted, and whoever takes it next goes on after its last recorded step.
        if (isUnavailable(error)) {
          ended(interruptedCompletion(leased, this.#options.clock.now() + this.#options.pollMs));
          return;
        }
        ended({
          runId: leased.run.id,
          leaseToken: leased.leaseToken,
          steps: [],
          status: 'failed',
          reason: 'internal_error',
          error: {
            kind: 'internal_error',
            message: 'pao itself failed while executing this run; see the log.',
          },
          output: null,
          finishedAt: clock.now(),
        });
      },
    );
  }

  #ended(leased: LeasedRun, completion: Completion | null): void {
    if (this.#active.get(leased.run.id)?.leased !== leased) return;
    this.#active.delete(leased.run.id);
    if (this.#suspect?.run.id === leased.run.id) {
      this.#suspect = null;
    }
    // null: the lease was lost on the way; its new holder writes the end.
    if (completion !== null) this.#writer.add(completion);
    this.#measureRate();
    this.#pump();
    if (this.#active.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
    if (this.#room() > 0) this.wake();
  }

  #measureRate(): void {
    this.#rateCount += 1;
    const now = this.#options.clock.monotonic();
    if (now - this.#rateSince < 100) return;
    this.#rate = this.#rateCount / (now - this.#rateSince);
    this.#rateSince = now;
    this.#rateCount = 0;
  }

  #fenced(runIds: string[]): void {
    this.#options.logger.warn({ run_ids: runIds }, 'the lease was lost; the result was refused');
    this.#report.fenced(runIds);
    for (const id of runIds) this.#active.get(id)?.controller.abort('lease_lost');
  }

  #written(completions: Completion[]): void {
    const { bus } = this.#options;
    this.finished += completions.filter((done) => done.interrupted !== true).length;
    this.#report.written(completions);
    bus.publish('run', { runIds: completions.map((done) => done.runId) });
    if (completions.some(({ deliveries }) => deliveries !== undefined)) bus.publish('delivery', { count: 1 });
    bus.record?.(completions.map(endEntry));
    const handedBack = completions.filter((done) => done.interrupted === true).length;
    if (handedBack > 0) bus.publish('work', { count: handedBack });
    const again = completions.some((done) => done.status === 'queued');
    // A run that ended may have held a key that others wait for; a retry has a new run_at to wait for.
    if (again || this.#room() > 0) this.wake();
  }
}

const startEntry =
  (at: number) =>
  ({ run }: LeasedRun): LifecycleEntry => ({
    type: 'run.started',
    at,
    subject: run.id,
    data: {
      task_id: run.taskId,
      task_name: run.taskName,
      trigger: run.trigger,
      scheduled_for: new Date(run.scheduledFor).toISOString(),
    },
  });

/** A run that goes back to the queue or waits is told as well: `run.queued`, `run.waiting`. */
const endEntry = (completion: Completion): LifecycleEntry => ({
  type: `run.${completion.status}`,
  at: completion.finishedAt,
  subject: completion.runId,
  data: { reason: completion.reason, error: completion.error },
});
