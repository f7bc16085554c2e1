/** Where time comes from. Everything that asks for the time takes one of these (product.md, promise 6). */
export interface Clock {
  /** Wall-clock time, milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds that only ever grow; for measuring intervals, never for dates. */
  monotonic(): number;
}

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** What waits beside a clock: a simulation hands in its own, so that no time passes while it waits. */
export interface Timers {
  /** Calls once, when `ms` milliseconds have passed. @returns what cancels it. */
  setTimeout(work: () => void, ms: number): () => void;
  /** Calls every `ms` milliseconds. @returns what ends it. */
  setInterval(work: () => void, ms: number): () => void;
}

/** The timers of this machine. */
export const systemTimers: Timers = {
  setTimeout(work, ms) {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
  setInterval(work, ms) {
    const timer = setInterval(work, ms);
    return () => clearInterval(timer);
  },
};

/** A clock that stands still until it is moved: simulation and tests. */
export class VirtualClock implements Clock {
  #now: number;
  #monotonic = 0;

  /** @param start epoch milliseconds or an RFC 3339 instant. */
  constructor(start: number | string) {
    this.#now = typeof start === 'number' ? start : Date.parse(start);
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  /** Lets `ms` milliseconds pass, on the wall and monotonically. */
  advance(ms: number): void {
    this.#now += ms;
    this.#monotonic += ms;
  }

  /** Moves the wall clock alone, as an operator or NTP does. */
  set(now: number): void {
    this.#now = now;
  }
}
