import type { Clock } from '../../domain/clock.js';
import type { Completion, Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';

/**
 * Writes the ends of runs, many in one transaction: what ends while a write is under way goes with the next one.
 * On a full disk or a busy database it keeps the results in memory and tries again each second (reliability.md D2.9).
 */
export class CompletionWriter {
  #pending: Completion[] = [];
  /** What is being written just now. */
  #batch: Completion[] = [];
  #writing: Promise<void> | null = null;
  #closed = false;

  constructor(
    private readonly options: {
      store: Store;
      clock: Clock;
      logger: Logger;
      /** Called when results of runs were refused: the lease had moved on. */
      onFenced: (runIds: string[]) => void;
      /** Called after each write with what was written. */
      onWritten: (completions: Completion[]) => void;
      /** Called when writing fails and when it works again. */
      onHealth: (healthy: boolean) => void;
      retryMs?: number;
      maxBatch?: number;
    },
  ) {}

  /** Number of results not yet written. */
  get size(): number {
    return this.#pending.length;
  }

  /** Runs whose end is not written yet. */
  runIds(): string[] {
    return [...this.#batch, ...this.#pending].map(({ runId }) => runId);
  }

  add(completion: Completion): void {
    this.#pending.push(completion);
    this.#writing ??= this.#write();
  }

  /** Resolves when everything added so far has been written. */
  async flush(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  /** Gives up on what can not be written: the leases run out and the runs are taken back. */
  close(): void {
    this.#closed = true;
  }

  async #write(): Promise<void> {
    // A turn of the event loop lets runs that end together be written together.
    await new Promise((resolve) => setImmediate(resolve));
    let failing = false;
    while (this.#pending.length > 0 && !this.#closed) {
      const batch = this.#pending.splice(0, this.options.maxBatch ?? 500);
      this.#batch = batch;
      try {
        const { fenced } = await this.options.store.complete(batch, this.options.clock.now());
        this.#batch = [];
        if (failing) this.options.logger.warn({ results: batch.length }, 'results can be written again');
        failing = false;
        if (fenced.length > 0) this.options.onFenced(fenced);
        this.options.onHealth(true);
        this.options.onWritten(
          fenced.length === 0 ? batch : batch.filter((done) => !fenced.includes(done.runId)),
        );
      } catch (error) {
        this.options.onHealth(false);
        // Once for as long as it lasts.
        if (!failing)
          this.options.logger.error(
            { err: error, results: batch.length },
            'results could not be written; trying again every second',
          );
        failing = true;
        this.#pending.unshift(...batch);
        this.#batch = [];
        await new Promise((resolve) => setTimeout(resolve, this.options.retryMs ?? 1000));
      }
    }
    this.#writing = null;
  }
}
