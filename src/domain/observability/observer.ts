/** What parts of a service say about what they did; cheap, and never an error. */
export interface Observer {
  /** Adds to a counter. */
  add(name: string, labels?: Record<string, string>, by?: number): void;
  /** Gives a histogram one more value. */
  observe(name: string, labels: Record<string, string>, value: number): void;
  /** Sets a gauge; the last value counts. With `ttlMs` it is forgotten when it is not said again for that long. */
  set(name: string, labels: Record<string, string>, value: number, ttlMs?: number): void;
}

/** Hears everything and keeps nothing: for parts that run alone. */
export const silentObserver: Observer = { add() {}, observe() {}, set() {} };
