/**
 * Wake-ups and live news between services. Only a speed-up: everything is right without it, a slow poll stays
 * underneath (architecture.md). Messages may be lost, and may arrive when there is nothing to do.
 */
export interface Bus {
  readonly backend: 'memory' | 'ipc' | 'redis' | 'postgres';
  publish<T extends BusTopic>(topic: T, message: BusMessages[T]): void;
  /** @returns a function that ends the subscription. */
  subscribe<T extends BusTopic>(topic: T, handler: (message: BusMessages[T]) => void): () => void;
  /** Whether what it is made of answers; left out by a bus that can not be down without its process. */
  isUp?(): boolean;
  /**
   * Tells readers outside what happened, in order (only Redis has such readers). Building the entries costs something:
   * ask whether it is there first.
   */
  readonly record?: ((entries: readonly LifecycleEntry[]) => void) | undefined;
  close(): Promise<void>;
}

/** Something that happened to a task, run, event, agent or tool. */
export interface LifecycleEntry {
  /** `task.created`, `run.started`, `run.succeeded`, `event.mail.received`, … */
  type: string;
  /** Epoch milliseconds. */
  at: number;
  /** Id of what it happened to. */
  subject: string;
  data: Record<string, unknown>;
}

export interface BusMessages {
  /** Work may be due: workers lease. */
  work: { count: number };
  /** A task or event was written: the scheduler looks. */
  schedule: { reason: 'task' | 'event' | 'clock' };
  /** These runs are asked to cancel. */
  cancel: { runIds: string[] };
  /** These runs changed their status; one message for all that were written together. */
  run: { runIds: string[] };
  /** Messages were put into the outbox, or are to be sent again. */
  delivery: { count: number };
  /** These approvals were decided, or whoever waited for answers is gone. */
  approval: { ids: string[] };
  /** There may be something to tell people. */
  notice: Record<string, never>;
  /** An event was published (for streams). */
  event: { id: string; sequence: number; topic: string };
  /** Test clock: the offset from real time, in milliseconds. */
  clock: { offsetMs: number };
  /** Counts for the metrics registry: name, labels, value. */
  metrics: { observations: Observation[] };
}

export type BusTopic = keyof BusMessages;

/** One movement of a metric, sent from a service without a registry to the one that has it. */
export interface Observation {
  name: string;
  labels: Record<string, string>;
  /** Added to a counter, set on a gauge, or each observed by a histogram. */
  values: number[];
  /** For a gauge that several processes set: which one says so; the largest value is shown. */
  from?: string;
  /** Forgotten when it is not said again for this long, milliseconds. */
  ttlMs?: number;
}
