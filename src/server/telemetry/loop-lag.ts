const EVERY_MS = 500;
/** Samples that are kept. */
const KEPT = 3;

/**
 * How late the event loop is: how much later than asked for a timer fires, looked at twice a second. (The histogram
 * of `perf_hooks` would wake an idle process a hundred times a second.)
 */
export class LoopLag {
  readonly #samples: number[] = Array.from({ length: KEPT }, () => 0);
  #timer: NodeJS.Timeout | null = null;
  #due = 0;

  constructor(private readonly monotonic: () => number) {}

  start(): this {
    this.#due = this.monotonic() + EVERY_MS;
    this.#timer = setInterval(() => {
      const now = this.monotonic();
      this.add(now - this.#due);
      this.#due = now + EVERY_MS;
    }, EVERY_MS);
    this.#timer.unref();
    return this;
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  add(lateMs: number): void {
    this.#samples.shift();
    this.#samples.push(Math.max(0, lateMs));
  }

  /** By how much it was late all of the last one and a half seconds, milliseconds; 0 after a single long pause, such as a laptop's sleep. */
  get lasting(): number {
    return Math.min(...this.#samples);
  }
}
