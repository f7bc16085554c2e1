import type { Redactor } from '../../domain/redact.js';
import type { NewDelivery } from '../../domain/delivery.js';
import type { StepRun } from '../../domain/run.js';
import { insistently, STOPPED } from './insistently.js';
import type { PlannedStep } from './plan.js';
import type { Completion, LeasedRun, NewApproval, Store, StepWrite } from '../store/store.js';

/** What one attempt knows of its steps, and which of it the store does not know yet. */
export class RunState {
  readonly #steps = new Map<string, StepWrite>();
  readonly #dirty = new Map<string, StepWrite>();
  /** What `steps.<name>` is in expressions. */
  readonly outputs: Record<string, unknown> = Object.create(null);
  /** Reasons of failures that the pipeline went on after, in order. */
  readonly tolerated: string[] = [];
  /** What the run asks of people, and which events it waits for, as of this attempt. */
  readonly #approvals: NewApproval[] = [];
  readonly #messages: NewDelivery[] = [];
  readonly #eventWaits: NonNullable<Completion['eventWaits']> = [];
  /** What steps with `changed` see in this attempt, by step id. */
  readonly seen = new Map<string, { position: number; hash: string }>();
  /** Ids of the steps in whose place the pipeline took their fallback. */
  readonly fellBack = new Set<string>();
  /** The output of the step that ended last. */
  lastOutput: unknown = null;

  constructor(
    readonly leased: LeasedRun,
    private readonly options: {
      store: Store;
      redactor: Redactor;
      now: () => number;
      signal: AbortSignal;
      onRedacted?: () => void;
    },
  ) {
    for (const { runId: _, ...step } of leased.steps) this.#steps.set(step.stepId, step);
  }

  get(stepId: string): StepWrite | undefined {
    return this.#steps.get(stepId);
  }

  /** Every step begun so far. */
  get steps(): Iterable<StepWrite> {
    return this.#steps.values();
  }

  see({ step, position }: PlannedStep, hash: string): void {
    this.seen.set(step.id, { position, hash });
  }

  /** Keeps a step as it is now; it is written with the next write. Secret values are taken out here. */
  put(step: StepWrite): StepWrite {
    const clean = this.options.redactor.size === 0 ? step : this.#redact(step);
    this.#steps.set(clean.stepId, clean);
    this.#dirty.set(clean.stepId, clean);
    return clean;
  }

  /** A step not begun before. */
  begin(stepId: string, position: number, tool: string | null): StepWrite {
    return {
      stepId,
      position,
      tool,
      status: 'running',
      reason: null,
      attempts: 0,
      startedAt: this.options.now(),
      finishedAt: null,
      input: null,
      output: null,
      error: null,
      idempotencyKey: null,
      usage: null,
    };
  }

  ask(approval: NewApproval): void {
    this.#approvals.push(approval);
  }

  /** A message that is written when the run begins to wait. */
  tell(message: NewDelivery): void {
    this.#messages.push(message);
  }

  waitFor(wait: NonNullable<Completion['eventWaits']>[number]): void {
    this.#eventWaits.push(wait);
  }

  /** What the store must know of a run that is about to wait. */
  takeWaits(): Pick<Completion, 'approvals' | 'eventWaits' | 'deliveries'> {
    return {
      ...(this.#approvals.length === 0 ? {} : { approvals: this.#approvals.splice(0) }),
      ...(this.#messages.length === 0 ? {} : { deliveries: this.#messages.splice(0) }),
      ...(this.#eventWaits.length === 0 ? {} : { eventWaits: this.#eventWaits.splice(0) }),
    };
  }

  get hasUnwritten(): boolean {
    return this.#dirty.size > 0;
  }

  /** Takes what is not written yet, for the write that ends the attempt. */
  takeUnwritten(): StepWrite[] {
    const steps = [...this.#dirty.values()];
    this.#dirty.clear();
    return steps;
  }

  /**
   * Writes what is not written yet, before the next side effect. When the store can not be written (full disk, lost
   * connection) it waits and tries again: writing the same steps twice is the same as once.
   * @param deliveries messages that are written with it, or not at all.
   * @returns `fenced` when the lease is lost; the holder when the key to reserve is another run's; `stopped` when the
   * run was stopped before it could be written.
   */
  async write(
    reserve?: { key: string; stepId: string },
    deliveries?: NewDelivery[],
  ): Promise<'ok' | 'fenced' | 'stopped' | { holder: HeldBy }> {
    const steps = this.takeUnwritten();
    const { run, leaseToken } = this.leased;
    const { store, now, signal } = this.options;
    const outcome = await insistently(
      () => store.recordSteps([{ runId: run.id, leaseToken, steps, reserve, deliveries }], now()),
      signal,
    );
    if (outcome === STOPPED) {
      for (const step of steps) this.#dirty.set(step.stepId, step);
      return 'stopped';
    }
    const { fenced, held } = outcome;
    if (fenced.includes(run.id)) return 'fenced';
    const other = held.find((entry) => entry.runId === run.id);
    if (other === undefined) return 'ok';
    // Nothing of a refused entry was written.
    for (const step of steps) this.#dirty.set(step.stepId, step);
    return { holder: other.holder };
  }

  #redact(step: StepWrite): StepWrite {
    const { redactor } = this.options;
    const input = redactor.redact(step.input);
    const output = redactor.redact(step.output);
    const error = redactor.redact(step.error);
    if (input === step.input && output === step.output && error === step.error) return step;
    this.options.onRedacted?.();
    return { ...step, input, output, error };
  }
}

export interface HeldBy {
  runId: string;
  stepId: string;
  status: StepRun['status'];
  output: unknown;
}
