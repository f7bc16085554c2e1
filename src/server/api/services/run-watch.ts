import type { Bus } from '../../bus/bus.js';

/** Wakes those who wait for a change of one run; one subscription for all of them. */
export class RunWatch {
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #unsubscribe: () => void;

  constructor(bus: Bus) {
    this.#unsubscribe = bus.subscribe('run', ({ runId }) => this.#wake(runId));
  }

  /** Resolves when the run may have changed, when `ms` have passed, or when the signal is aborted. */
  wait(runId: string, ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        const waiters = this.#waiting.get(runId);
        waiters?.delete(done);
        if (waiters?.size === 0) this.#waiting.delete(runId);
        resolve();
      };
      const timer = setTimeout(done, ms);
      const waiters = this.#waiting.get(runId) ?? new Set();
      this.#waiting.set(runId, waiters.add(done));
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
  }

  close(): void {
    this.#unsubscribe();
    for (const runId of [...this.#waiting.keys()]) this.#wake(runId);
  }

  #wake(runId: string): void {
    for (const done of [...(this.#waiting.get(runId) ?? [])]) done();
  }
}
