import { monitorEventLoopDelay } from 'node:perf_hooks';

/** How often it looks, milliseconds: each look wakes an idle process up. */
const RESOLUTION_MS = 200;

/** How late the event loop comes to what is due, by a timer of Node's own that costs no JavaScript. */
export class LoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#histogram.enable();
  }

  /** 99 % of the looks since the last {@link reset} were at most this late, seconds. */
  get p99Seconds(): number {
    // What is recorded is the time from one look to the next.
    return Math.max(0, this.#histogram.percentile(99) / 1e6 - RESOLUTION_MS) / 1000;
  }

  reset(): void {
    this.#histogram.reset();
  }
}
