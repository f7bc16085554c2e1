import type { IncomingMessage, ServerResponse } from 'node:http';
import { EXIT, PaoError } from '../../domain/errors.js';
import type { LoopLag } from '../telemetry/loop-lag.js';

export interface LoadLimitOptions {
  monotonic: () => number;
  lag: Pick<LoopLag, 'lasting'>;
  /** Requests under way at once. */
  maxInFlight?: number;
  /** How late the event loop may lastingly be, milliseconds. */
  maxLagMs?: number;
}

/** How busy the API is, for health. */
export interface LoadReport {
  inFlight: number;
  maxInFlight: number;
  lagMs: number;
  /** Requests refused within the last ten seconds. */
  refused: number;
}

const REMEMBER_MS = 10_000;
/** What tells how things are must answer when nothing else does; streams wait, they are no load. */
const ALWAYS_SERVED = /^\/(health|metrics|v1\/events\/stream)/;

/** Turns requests away before the API falls over: 503 with Retry-After costs next to nothing, a request that times out costs all. */
export class LoadLimit {
  #inFlight = 0;
  #refusedAt: number[] = [];
  readonly #options: Required<LoadLimitOptions>;

  constructor(options: LoadLimitOptions) {
    this.#options = { maxInFlight: 500, maxLagMs: 500, ...options };
  }

  /** Counts a request until its answer is out. @throws PaoError PAO_OVERLOADED (503) when there are too many. */
  admit(request: IncomingMessage, response: ServerResponse): void {
    if (ALWAYS_SERVED.test(request.url ?? '')) return;
    const { maxInFlight, maxLagMs, lag, monotonic } = this.#options;
    if (this.#inFlight >= maxInFlight || lag.lasting > maxLagMs) {
      const now = monotonic();
      this.#refusedAt = this.#refusedAt.filter((at) => now - at < REMEMBER_MS).slice(-1000);
      this.#refusedAt.push(now);
      throw new PaoError(
        'PAO_OVERLOADED',
        'pao has more requests than it can answer; try again in a moment.',
        {
          status: 503,
          exitCode: EXIT.unavailable,
          hints: ['pao status'],
        },
      );
    }
    this.#inFlight += 1;
    response.once('close', () => {
      this.#inFlight -= 1;
    });
  }

  report(): LoadReport {
    const now = this.#options.monotonic();
    return {
      inFlight: this.#inFlight,
      maxInFlight: this.#options.maxInFlight,
      lagMs: Math.round(this.#options.lag.lasting),
      refused: this.#refusedAt.filter((at) => now - at < REMEMBER_MS).length,
    };
  }
}
