import type { Observer } from '../../domain/observability/observer.js';
import type { Observation } from '../bus/bus.js';

/**
 * Collects metric movements of a service that has no registry of its own and sends them on every 100 ms: a process
 * that is killed loses at most that much, and a busy one sends one message for thousands of runs (observability.md A3.4).
 */
export class ObservationBuffer implements Observer {
  readonly #pending = new Map<string, Observation>();
  #timer: NodeJS.Timeout | null = null;

  constructor(
    private send: (observations: Observation[]) => void,
    private readonly options: {
      everyMs?: number;
      /** Bounded name of this process: of a gauge that several set, the registry shows the largest. */
      from?: string;
    } = {},
  ) {}

  add(name: string, labels: Record<string, string> = {}, by = 1): void {
    if (by === 0) return;
    const entry = this.#entry(name, labels);
    entry.values[0] = (entry.values[0] ?? 0) + by;
  }

  observe(name: string, labels: Record<string, string>, value: number): void {
    this.#entry(name, labels).values.push(value);
  }

  set(name: string, labels: Record<string, string>, value: number, ttlMs?: number): void {
    const entry = this.#entry(name, labels);
    entry.values = [value];
    if (this.options.from !== undefined) entry.from = this.options.from;
    if (ttlMs !== undefined) entry.ttlMs = ttlMs;
  }

  /** From now on to another receiver: the process that has the registry need not go over the bus. */
  redirect(send: (observations: Observation[]) => void): void {
    this.send = send;
  }

  /** Sends what there is now. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#pending.size === 0) return;
    const observations = [...this.#pending.values()];
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
      this.#timer ??= setTimeout(() => this.flush(), this.options.everyMs ?? 100).unref();
    }
    return entry;
  }
}
