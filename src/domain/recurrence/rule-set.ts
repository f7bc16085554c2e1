import type { InstantSource } from './wall-pattern.js';

/** Ends a source at an instant (epoch seconds), which still counts. */
export class Until implements InstantSource {
  constructor(
    readonly source: InstantSource,
    readonly last: number,
  ) {}

  next(after: number): number {
    if (after >= this.last) return Infinity;
    const found = this.source.next(after);
    return found <= this.last ? found : Infinity;
  }
}

/** Drops everything before an instant (epoch seconds), which itself counts. */
export class From implements InstantSource {
  constructor(
    readonly source: InstantSource,
    readonly first: number,
  ) {}

  next(after: number): number {
    return this.source.next(Math.max(after, this.first - 1));
  }
}

/** The first `count` of a source. How far has been counted is kept, so that each one is counted once at most. */
export class Counted implements InstantSource {
  #counted = 0;
  #reached: number;
  readonly #first: number;
  /** The `count`-th, once it is known. */
  #last = Infinity;

  constructor(
    readonly source: InstantSource,
    readonly count: number,
    first: number,
  ) {
    this.#first = first - 1;
    this.#reached = first - 1;
  }

  next(after: number): number {
    const from = Math.max(after, this.#first);
    if (from >= this.#last) return Infinity;
    const found = this.source.next(from);
    if (found === Infinity) return Infinity;
    while (this.#reached < found && this.#counted < this.count) {
      const next = this.source.next(this.#reached);
      if (next === Infinity) return Infinity;
      this.#reached = next;
      this.#counted += 1;
      if (this.#counted === this.count) this.#last = next;
    }
    return found <= this.#last ? found : Infinity;
  }
}

/** Instants given one by one (epoch seconds). */
export class Dates implements InstantSource {
  readonly #instants: readonly number[];

  constructor(instants: readonly number[]) {
    this.#instants = [...new Set(instants)].sort((a, b) => a - b);
  }

  next(after: number): number {
    let [low, high] = [0, this.#instants.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#instants[middle] as number) > after) high = middle;
      else low = middle + 1;
    }
    return this.#instants[low] ?? Infinity;
  }
}

/** All instants of several sources, each once. */
export class Union implements InstantSource {
  constructor(readonly sources: readonly InstantSource[]) {}

  next(after: number): number {
    let best = Infinity;
    for (const source of this.sources) best = Math.min(best, source.next(after));
    return best;
  }
}

/** A source without some instants (epoch seconds). */
export class Without implements InstantSource {
  constructor(
    readonly source: InstantSource,
    readonly excluded: ReadonlySet<number>,
  ) {}

  next(after: number): number {
    let found = this.source.next(after);
    while (found !== Infinity && this.excluded.has(found)) found = this.source.next(found);
    return found;
  }
}
