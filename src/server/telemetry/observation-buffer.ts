import type { Observation } from '../bus/bus.js';

/**
 * Collects metric movements of a service that has no registry of its own and sends them on every 100 ms: a process
 * that is killed loses at most that much, and a busy one sends one message for thousands of runs (observability.md A3.4).
 */
export class ObservationBuffer {
  readonly #pending = new Map<string, Observation>();
  #timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly send: (observations: Observation[]) => void,
    private readonly everyMs = 100,
  ) {}

  /** Adds to a counter. */
  add(name: string, labels: Record<string, string> = {}, by = 1): void {
    if (by === 0) return;
    const entry = this.#entry(name, labels);
    entry.values[0] = (entry.values[0] ?? 0) + by;
  }

  /** Gives a histogram one more value, or sets a gauge (the last one counts). */
  observe(name: string, labels: Record<string, string>, value: number): void {
    this.#entry(name, labels).values.push(value);
  }

  /** Sends what there is now. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#pending.size === 0) return;
    const observations = [...this.#pending.values()].map(({ name, labels, values }) => ({
      name,
      labels,
      values,
    }));
    this.#pending.clear();
    this.send(observations);
  }

  #entry(name: string, labels: Record<string, string>): Observation {
    let key = name;
    for (const value of Object.values(labels)) key += `\u0000${value}`;
    let entry = this.#pending.get(key);
    if (entry === undefined) {
      entry = { name, labels, values: [] };
      this.#pending.set(key, entry);
      this.#timer ??= setTimeout(() => this.flush(), this.everyMs).unref();
    }
    return entry;
  }
}
