import { type CompiledSource, compileSource, type RecurrenceSpec } from './compile.js';
import { LAST_SECOND } from './civil.js';
import type { InstantSource } from './wall-pattern.js';
import { type ScheduleWarning, type WarningOptions, warningsOf } from './warnings.js';
import { wordsOf } from './words.js';

/** The longest list of instants one call gives. */
export const MAX_TAKE = 100_000;

/** A schedule that has been checked and is ready to compute with. All instants are epoch milliseconds. */
export interface Recurrence {
  /** The zone whose clock counts. */
  readonly tzid: string;
  /** It names local times, each of which counts once, also when the clock shows it twice; not elapsed or real time. */
  readonly localTimesOnce: boolean;
  /** The first instant strictly after `after`; null when there is none (up to the year 9999). */
  next(after: number): number | null;
  /** The first `count` instants (at most 100,000) strictly after `after`. */
  take(after: number, count: number): number[];
  /** The last instant at or before `at`; null when there is none. */
  previousOrAt(at: number): number | null;
  /** In words, without the next time: `every weekday at 08:30 (Europe/Chisinau)`. */
  describe(): string;
  /** What a person might not expect of this schedule. */
  warnings(now: number, options?: WarningOptions): ScheduleWarning[];
  /** The shortest time between two of the next occurrences (500 of them by default); null with less than two. */
  shortestIntervalMs(after: number, sample?: number): number | null;
}

class CompiledRecurrence implements Recurrence {
  readonly #spec: RecurrenceSpec;
  readonly #compiled: CompiledSource;

  constructor(spec: RecurrenceSpec) {
    this.#spec = spec;
    this.#compiled = compileSource(spec);
  }

  get tzid(): string {
    return this.#compiled.zone.name;
  }

  get localTimesOnce(): boolean {
    const { walls } = this.#compiled;
    return walls.length > 0 && walls.every(({ fold }) => fold !== 'both');
  }

  next(after: number): number | null {
    const found = this.#compiled.source.next(wholeSecond(after));
    return found <= LAST_SECOND ? found * 1000 : null;
  }

  take(after: number, count: number): number[] {
    const wanted = Math.min(count, MAX_TAKE);
    const taken: number[] = [];
    let second = wholeSecond(after);
    while (taken.length < wanted) {
      second = this.#compiled.source.next(second);
      if (second > LAST_SECOND) break;
      taken.push(second * 1000);
    }
    return taken;
  }

  previousOrAt(at: number): number | null {
    return previousSecond(this.#compiled.source, wholeSecond(at));
  }

  describe(): string {
    return wordsOf(this.#spec, this.tzid, this.#compiled.anchor?.wall ?? null);
  }

  warnings(now: number, options: WarningOptions = {}): ScheduleWarning[] {
    return warningsOf(this.#spec, this.#compiled, now, options);
  }

  shortestIntervalMs(after: number, sample = 500): number | null {
    const instants = this.take(after, sample);
    let shortest = Infinity;
    for (let at = 1; at < instants.length; at += 1) {
      shortest = Math.min(shortest, (instants[at] as number) - (instants[at - 1] as number));
    }
    return shortest === Infinity ? null : shortest;
  }
}

function wholeSecond(milliseconds: number): number {
  // Beyond year 0 and 10000 lies nothing to compute with, and infinities would not end.
  const second = Math.floor(milliseconds / 1000);
  if (Number.isNaN(second)) throw new RangeError('An instant must be a number of milliseconds.');
  return Math.min(Math.max(second, -62_135_596_801), LAST_SECOND + 1);
}

/**
 * The latest instant at or before `target` (epoch seconds), in milliseconds. Found by halving: between one that is
 * early enough and the target, in some forty look-ups.
 */
function previousSecond(source: InstantSource, target: number): number | null {
  let span = 3600;
  let found = source.next(target - span);
  while (found > target) {
    // The longest wait of any calendar rule is within 400 years.
    if (span > 13_000_000_000) return null;
    span *= 8;
    found = source.next(Math.max(target - span, -62_135_596_801));
  }
  let high = target;
  while (found < high) {
    const middle = found + Math.ceil((high - found) / 2);
    const later = source.next(middle - 1);
    if (later <= target) found = later;
    else high = middle - 1;
  }
  return found * 1000;
}

const CACHE_SIZE = 2000;
const cache = new Map<string, Recurrence>();

/**
 * Checks a schedule and makes it ready to compute with. The same specification gives the same object for as long as
 * it is among the 2,000 used last, so compiling again is cheap.
 * @throws PaoError PAO_SCHEDULE_INVALID (exit 2, HTTP 422, problems with pointers) when the schedule is not valid,
 * names an unknown zone or calendar, or can never fire.
 */
export function compileRecurrence(spec: RecurrenceSpec): Recurrence {
  const { kind, expr, tzid, dtstart, dst, dayMatch, businessDays } = spec;
  const start = dtstart instanceof Date ? dtstart.getTime() : dtstart;
  const key = JSON.stringify([kind, expr, tzid, start, dst?.gap, dst?.fold, dayMatch, businessDays]);
  let recurrence = cache.get(key);
  if (recurrence) cache.delete(key);
  else {
    recurrence = new CompiledRecurrence({ ...spec });
    if (cache.size >= CACHE_SIZE) cache.delete(cache.keys().next().value as string);
  }
  cache.set(key, recurrence);
  return recurrence;
}
