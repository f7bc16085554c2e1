const NONE = 255;

/** A set of small numbers that answers "the next one from here" by one look-up. */
interface FieldSet {
  values: Uint8Array;
  /** For each number, the index in `values` of the smallest value that is not smaller; NONE when there is none. */
  nextIndex: Uint8Array;
}

const fieldSets = new Map<string, FieldSet>();

function fieldSet(numbers: readonly number[], size: number): FieldSet {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  const key = `${size}:${sorted.join()}`;
  let set = fieldSets.get(key);
  if (!set) {
    const nextIndex = new Uint8Array(size).fill(NONE);
    let index = sorted.length;
    for (let value = size - 1; value >= 0; value -= 1) {
      if (sorted[index - 1] === value) index -= 1;
      if (index < sorted.length) nextIndex[value] = index;
    }
    set = { values: Uint8Array.from(sorted), nextIndex };
    // Thousands of rules share a handful of fields ("0", "30", "*"): keep one copy of each.
    if (fieldSets.size < 1000) fieldSets.set(key, set);
  }
  return set;
}

/** The times of a day at which a rule fires: every combination of its hours, minutes and seconds. */
export class TimesOfDay {
  readonly #hours: FieldSet;
  readonly #minutes: FieldSet;
  readonly #seconds: FieldSet;
  /** How many times a day has. */
  readonly count: number;
  /** The earliest, in seconds since midnight. */
  readonly first: number;

  constructor(hours: readonly number[], minutes: readonly number[], seconds: readonly number[]) {
    this.#hours = fieldSet(hours, 24);
    this.#minutes = fieldSet(minutes, 60);
    this.#seconds = fieldSet(seconds, 60);
    this.count = this.#hours.values.length * this.#minutes.values.length * this.#seconds.values.length;
    this.first = this.nth(0);
  }

  /** The first time at or after `time` (seconds since midnight, below 86,400); -1 when the day has none left. */
  next(time: number): number {
    const hour = Math.trunc(time / 3600);
    const hourIndex = this.#hours.nextIndex[hour] as number;
    if (hourIndex === NONE) return -1;
    const hours = this.#hours.values;
    const found = hours[hourIndex] as number;
    const minutes = this.#minutes.values;
    const seconds = this.#seconds.values;
    if (found > hour) return found * 3600 + (minutes[0] as number) * 60 + (seconds[0] as number);
    const minute = Math.trunc((time - hour * 3600) / 60);
    let minuteIndex = this.#minutes.nextIndex[minute] as number;
    if (minuteIndex !== NONE) {
      if (minutes[minuteIndex] === minute) {
        const secondIndex = this.#seconds.nextIndex[time % 60] as number;
        if (secondIndex !== NONE) return found * 3600 + minute * 60 + (seconds[secondIndex] as number);
        minuteIndex += 1;
      }
      if (minuteIndex < minutes.length) {
        return found * 3600 + (minutes[minuteIndex] as number) * 60 + (seconds[0] as number);
      }
    }
    if (hourIndex + 1 >= hours.length) return -1;
    return (hours[hourIndex + 1] as number) * 3600 + (minutes[0] as number) * 60 + (seconds[0] as number);
  }

  /** The time with this index in order, from 0 to `count - 1`; seconds since midnight. */
  nth(index: number): number {
    const { values: minutes } = this.#minutes;
    const { values: seconds } = this.#seconds;
    const second = index % seconds.length;
    const rest = (index - second) / seconds.length;
    const minute = rest % minutes.length;
    const hour = (rest - minute) / minutes.length;
    return (
      (this.#hours.values[hour] as number) * 3600 +
      (minutes[minute] as number) * 60 +
      (seconds[second] as number)
    );
  }
}
