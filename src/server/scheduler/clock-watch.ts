import type { Clock } from '../../domain/clock.js';

/** Sees when the wall clock moves against the monotonic one: a laptop that slept, NTP, an operator. */
export class ClockWatch {
  #wall: number;
  #monotonic: number;

  constructor(
    private readonly clock: Clock,
    private readonly boundMs = 1000,
  ) {
    this.#wall = clock.now();
    this.#monotonic = clock.monotonic();
  }

  /** @returns how far the wall clock jumped since the last call, milliseconds; null when less than the bound. */
  check(): number | null {
    const wall = this.clock.now();
    const monotonic = this.clock.monotonic();
    const jump = wall - this.#wall - (monotonic - this.#monotonic);
    this.#wall = wall;
    this.#monotonic = monotonic;
    return Math.abs(jump) > this.boundMs ? Math.round(jump) : null;
  }
}
