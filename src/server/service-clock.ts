import type { Clock } from '../domain/clock.js';
import type { Bus } from './bus/bus.js';

/**
 * The clock of a service. In a test system (`PAO_TEST_CLOCK`) wall time is shifted by an offset that all services
 * share over the bus; time itself runs on as it does.
 */
export class ServiceClock implements Clock {
  constructor(private offsetMs = 0) {}

  now(): number {
    return Date.now() + this.offsetMs;
  }

  monotonic(): number {
    return performance.now();
  }

  get offset(): number {
    return this.offsetMs;
  }

  /** Follows the offset that is announced on the bus. */
  follow(bus: Bus): void {
    bus.subscribe('clock', ({ offsetMs }) => {
      this.offsetMs = offsetMs;
    });
  }

  /** Jumps ahead and announces it. @returns the new time, epoch milliseconds. */
  advance(ms: number, bus: Bus): number {
    this.offsetMs += ms;
    bus.publish('clock', { offsetMs: this.offsetMs });
    return this.now();
  }
}
