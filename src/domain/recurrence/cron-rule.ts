import { civilDate, DAY, daysInMonth, LAST_SECOND, weekday } from './civil.js';
import type { CronParts } from './cron-text.js';
import { lowestBit, nthWeekdayOfMonth, weekdaysOfMonth, wholeMonth } from './day-mask.js';
import { TimesOfDay } from './times-of-day.js';
import type { WallPattern } from './wall-pattern.js';

// 400 years of months, after which the calendar repeats.
const CYCLE_MONTHS = 4800;

/** How the two day fields go together when both say something: either may match (as cron always did), or both must. */
export type DayMatch = 'or' | 'and';

/** The local times of a cron expression. */
export class CronRule implements WallPattern {
  readonly #times: TimesOfDay;
  readonly #parts: CronParts;
  readonly #both: boolean;
  /** Weekdays on which every one of the month counts, bit 0 for Monday. */
  readonly #plainWeekdays: number;
  /** Weekdays that count by their number in the month: weekday from Monday, and the bits of {@link CronParts.weekdays}. */
  readonly #numbered: readonly [weekday: number, bits: number][];

  constructor(parts: CronParts, dayMatch: DayMatch) {
    this.#parts = parts;
    this.#times = new TimesOfDay(parts.hours, parts.minutes, parts.seconds);
    this.#both = parts.bothDays || dayMatch === 'and' || parts.anyDay;
    let plain = 0;
    const numbered: [number, number][] = [];
    for (const [fromSunday, bits] of parts.weekdays.entries()) {
      const fromMonday = (fromSunday + 6) % 7;
      if ((bits & 31) === 31) plain |= 1 << fromMonday;
      else if (bits !== 0) numbered.push([fromMonday, bits]);
    }
    this.#plainWeekdays = plain;
    this.#numbered = numbered;
  }

  nextWall(from: number): number {
    if (from > LAST_SECOND) return Infinity;
    const day = Math.floor(from / DAY);
    const found = this.#nextDay(day);
    if (found > day) return found * DAY + this.#times.first;
    const time = this.#times.next(from - day * DAY);
    return time >= 0 ? day * DAY + time : this.#nextDay(day + 1) * DAY + this.#times.first;
  }

  #nextDay(day: number): number {
    const date = civilDate(day);
    let { year, month } = date;
    let monthStart = day - date.day + 1;
    let skip = date.day - 1;
    for (let tried = 0; tried <= CYCLE_MONTHS; tried += 1) {
      const length = daysInMonth(year, month);
      if ((this.#parts.months >>> month) & 1) {
        const mask = (this.#mask(length, weekday(monthStart)) >>> skip) << skip;
        if (mask !== 0) return monthStart + lowestBit(mask);
      }
      skip = 0;
      monthStart += length;
      month += 1;
      if (month > 12) {
        month = 1;
        year += 1;
      }
    }
    return Infinity;
  }

  #mask(length: number, firstWeekday: number): number {
    const { anyWeekday } = this.#parts;
    const byDay = this.#parts.anyDay ? wholeMonth(length) : this.#byDay(length, firstWeekday);
    if (anyWeekday) return byDay;
    let byWeekday = weekdaysOfMonth(this.#plainWeekdays, length, firstWeekday);
    for (const [day, bits] of this.#numbered) {
      for (let ordinal = 1; ordinal <= 5; ordinal += 1) {
        if ((bits >>> (ordinal - 1)) & 1) byWeekday |= nthWeekdayOfMonth(day, ordinal, length, firstWeekday);
      }
      if (bits & 32) byWeekday |= nthWeekdayOfMonth(day, -1, length, firstWeekday);
    }
    return this.#both ? byDay & byWeekday : byDay | byWeekday;
  }

  #byDay(length: number, firstWeekday: number): number {
    const { days, lastDay, lastWeekday, nearestWeekdays } = this.#parts;
    let mask = days & wholeMonth(length);
    if (lastDay) mask |= 1 << (length - 1);
    if (lastWeekday) {
      const last = (firstWeekday + length - 1) % 7;
      mask |= 1 << (length - 1 - Math.max(0, last - 4));
    }
    for (let day = 0; nearestWeekdays >>> day !== 0; day += 1) {
      if ((nearestWeekdays >>> day) & 1 && day < length)
        mask |= 1 << nearestWeekday(day, length, firstWeekday);
    }
    return mask;
  }
}

/** The working day nearest to a day of the month (from 0) without leaving the month. */
function nearestWeekday(day: number, length: number, firstWeekday: number): number {
  const weekdayOfDay = (firstWeekday + day) % 7;
  if (weekdayOfDay === 5) return day === 0 ? 2 : day - 1;
  if (weekdayOfDay === 6) return day === length - 1 ? day - 2 : day + 1;
  return day;
}
