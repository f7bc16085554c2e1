/** What a worker feels of the load, as shares of what is bearable: 1 is the bound. */
export interface Pressure {
  memory: number;
  event_loop: number;
  database: number;
}

export type PressureCause = keyof Pressure;

export interface ConcurrencyLimitOptions {
  /** Runs at once when nothing presses. */
  max: number;
  /** No two cuts within this time, milliseconds: a cut needs a while to show. */
  holdMs?: number;
  /** How long all must be well before anything is given back, milliseconds. */
  calmMs?: number;
}

/** Well below the bound: between here and the bound nothing changes. */
const CALM = 0.7;

/**
 * How many runs a worker does at once: halved when memory, event loop or database pass their bounds, given back in eighths
 * when all have been well for a while (additive increase, multiplicative decrease, as TCP does: RFC 5681).
 * Pure: time and pressure are told to it.
 */
export class ConcurrencyLimit {
  readonly #max: number;
  readonly #holdMs: number;
  readonly #calmMs: number;
  #current: number;
  #cutAt = Number.NEGATIVE_INFINITY;
  #calmSince: number | null = null;

  constructor(options: ConcurrencyLimitOptions) {
    this.#max = options.max;
    this.#current = options.max;
    this.#holdMs = options.holdMs ?? 2000;
    this.#calmMs = options.calmMs ?? 3000;
  }

  /** Runs at once, now. */
  get current(): number {
    return this.#current;
  }

  /**
   * Takes one look into account; called about once a second.
   * @param now monotonic milliseconds.
   * @returns what made it cut, when it cut; `calm` when it gave some back; null when nothing changed.
   */
  observe(now: number, pressure: Pressure): PressureCause | 'calm' | null {
    const worst = (Object.entries(pressure) as [PressureCause, number][]).reduce((a, b) =>
      b[1] > a[1] ? b : a,
    );
    if (worst[1] >= 1) {
      this.#calmSince = null;
      if (now - this.#cutAt < this.#holdMs || this.#current === 1) return null;
      this.#cutAt = now;
      this.#current = Math.max(1, Math.floor(this.#current / 2));
      return worst[0];
    }
    if (worst[1] > CALM) {
      this.#calmSince = null;
      return null;
    }
    this.#calmSince ??= now;
    if (this.#current === this.#max || now - this.#calmSince < this.#calmMs) return null;
    this.#current = Math.min(this.#max, this.#current + Math.max(1, Math.floor(this.#max / 8)));
    return 'calm';
  }
}
