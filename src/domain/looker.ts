import { systemTimers, type Timers } from './clock.js';

/** Timers of this machine that keep no process alive. */
const unheldTimers: Timers = {
  ...systemTimers,
  setTimeout(work, ms) {
    const timer = setTimeout(work, ms).unref();
    return () => clearTimeout(timer);
  },
};

/**
 * Looks at something again and again, one look at a time: when it is woken, and when the time that the last look asked for
 * has passed. A wake during a look causes one more look after it, so that nothing which came meanwhile waits for the timer.
 */
export class Looker {
  readonly #look: () => Promise<number | null>;
  readonly #timers: Timers;
  #looking: Promise<void> | null = null;
  #again = false;
  #stopped = true;
  #cancelTimer: (() => void) | null = null;

  /**
   * @param look one look, which must not throw; it gives the milliseconds until the next one, or null when only a wake is to
   * cause one
   * @param timers those that keep no process alive when left out
   */
  constructor(look: () => Promise<number | null>, timers: Timers = unheldTimers) {
    this.#look = look;
    this.#timers = timers;
  }

  get isLooking(): boolean {
    return this.#looking !== null;
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Takes wakes from now on, and looks at once. */
  start(): void {
    this.#stopped = false;
    this.wake();
  }

  /** Looks now, or once more when the look under way has ended. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#looking !== null) {
      this.#again = true;
      return;
    }
    this.#forgetTimer();
    this.#looking = this.#loop();
  }

  /** Begins no other look. @returns when the one under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#forgetTimer();
    await this.#looking;
  }

  async #loop(): Promise<void> {
    let delay: number | null;
    do {
      this.#again = false;
      delay = await this.#look();
    } while (this.#again && !this.#stopped);
    // In the same turn as the question whether to look again: a wake in between would be lost.
    this.#looking = null;
    if (!this.#stopped && delay !== null)
      this.#cancelTimer = this.#timers.setTimeout(() => this.wake(), delay);
  }

  #forgetTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }
}
