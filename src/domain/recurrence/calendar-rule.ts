import {
  civilDate,
  DAY,
  daysBeforeMonth,
  daysInMonth,
  firstDayOfYear,
  greatestCommonDivisor,
  LAST_SECOND,
  modulo,
  weekday,
} from './civil.js';
import { countBits, lowestBit, type MonthMask, nthBit } from './day-mask.js';
import type { RuleParts } from './rrule-text.js';
import { dayMask, dayParts } from './rule-days.js';
import { TimesOfDay } from './times-of-day.js';
import type { WallPattern } from './wall-pattern.js';

// The Gregorian calendar repeats after 400 years, weekdays included.
const CYCLE = { DAILY: 146_097, WEEKLY: 20_871, MONTHLY: 4800, YEARLY: 400 } as const;
const LAST_DAY = Math.floor(LAST_SECOND / DAY);

type CalendarFrequency = keyof typeof CYCLE;

/**
 * A rule that repeats by days, weeks, months or years: periods of whole days, each with a set of days and of times.
 * Any local time is reached by arithmetic, so the age of DTSTART costs nothing.
 */
export class CalendarRule implements WallPattern {
  readonly #freq: CalendarFrequency;
  readonly #interval: number;
  readonly #positions: readonly number[] | undefined;
  readonly #mask: MonthMask;
  readonly #times: TimesOfDay;
  readonly #weekStart: number;
  /** The number of the period of DTSTART. */
  readonly #base: number;
  /** Periods that may be empty one after the other; one more and the rule never fires again. */
  readonly #cycle: number;

  /** @param start DTSTART as local seconds. */
  constructor(
    rule: RuleParts,
    readonly start: number,
  ) {
    const startDay = Math.floor(start / DAY);
    const time = start - startDay * DAY;
    this.#freq = rule.freq as CalendarFrequency;
    this.#interval = rule.interval;
    this.#positions = rule.bySetPos;
    this.#weekStart = rule.weekStart;
    this.#mask = dayMask(dayParts(rule, { ...civilDate(startDay), weekday: weekday(startDay) }));
    this.#times = new TimesOfDay(
      rule.byHour ?? [Math.trunc(time / 3600)],
      rule.byMinute ?? [Math.trunc((time % 3600) / 60)],
      // POSIX time has no leap seconds; RFC 5545 section 3.3.12 has 60 read as 59.
      rule.bySecond?.map((second) => Math.min(second, 59)) ?? [time % 60],
    );
    this.#base = this.#periodOf(startDay);
    const cycle = CYCLE[this.#freq];
    this.#cycle = cycle / greatestCommonDivisor(this.#interval, cycle);
  }

  nextWall(from: number): number {
    const wall = Math.max(from, this.start);
    if (wall > LAST_SECOND) return Infinity;
    return this.#positions ? this.#nextChosen(wall, this.#positions) : this.#nextPlain(wall);
  }

  #nextPlain(wall: number): number {
    const day = Math.floor(wall / DAY);
    const found = this.#nextDay(day);
    if (found > day) return found * DAY + this.#times.first;
    const time = this.#times.next(wall - day * DAY);
    return time >= 0 ? day * DAY + time : this.#nextDay(day + 1) * DAY + this.#times.first;
  }

  /** The first matching day at or after `day`; Infinity when there is none. */
  #nextDay(day: number): number {
    if (this.#freq === 'DAILY') return this.#nextOfDaily(day);
    let period = this.#alignedPeriod(this.#periodOf(day));
    let first = Math.max(day, this.#firstDay(period));
    for (let tried = 0; tried <= this.#cycle && first <= LAST_DAY; tried += 1) {
      const found = this.#firstMatch(first, this.#firstDay(period + 1));
      if (found !== Infinity) return found;
      period += this.#interval;
      first = this.#firstDay(period);
    }
    return Infinity;
  }

  #nextOfDaily(day: number): number {
    let aligned = this.#alignedPeriod(day);
    for (let tried = 0; tried <= this.#cycle && aligned <= LAST_DAY; tried += 1) {
      const match = this.#firstMatch(aligned, Math.min(aligned + CYCLE.DAILY, LAST_DAY + 1));
      if (match === Infinity) return Infinity;
      aligned = this.#alignedPeriod(match);
      if (aligned === match) return match;
    }
    return Infinity;
  }

  /** BYSETPOS: the chosen members of the whole set of each period. */
  #nextChosen(wall: number, positions: readonly number[]): number {
    let period = this.#alignedPeriod(this.#periodOf(Math.floor(wall / DAY)));
    for (let tried = 0; tried <= this.#cycle; tried += 1) {
      const first = this.#firstDay(period);
      if (first > LAST_DAY) return Infinity;
      const end = this.#firstDay(period + 1);
      const total = this.#countMatches(first, end) * this.#times.count;
      let best = Infinity;
      for (const position of positions) {
        const index = position > 0 ? position - 1 : total + position;
        if (index < 0 || index >= total) continue;
        const day = this.#nthMatch(first, end, Math.trunc(index / this.#times.count));
        const chosen = day * DAY + this.#times.nth(index % this.#times.count);
        if (chosen >= wall && chosen < best) best = chosen;
      }
      if (best !== Infinity) return best;
      period += this.#interval;
    }
    return Infinity;
  }

  #periodOf(day: number): number {
    if (this.#freq === 'DAILY') return day;
    // Day 0 is a Thursday; week 0 is the one that holds the first week start at or before it.
    if (this.#freq === 'WEEKLY') return Math.floor((day + 3 - this.#weekStart) / 7);
    const { year, month } = civilDate(day);
    return this.#freq === 'MONTHLY' ? year * 12 + month - 1 : year;
  }

  #firstDay(period: number): number {
    switch (this.#freq) {
      case 'DAILY':
        return period;
      case 'WEEKLY':
        return period * 7 - 3 + this.#weekStart;
      case 'MONTHLY': {
        const year = Math.floor(period / 12);
        return firstDayOfYear(year) + daysBeforeMonth(year, period - year * 12 + 1);
      }
      case 'YEARLY':
        return firstDayOfYear(period);
    }
  }

  /** The first period at or after this one that is a whole number of intervals from DTSTART's. */
  #alignedPeriod(period: number): number {
    const beyond = modulo(period - this.#base, this.#interval);
    return beyond === 0 ? period : period + this.#interval - beyond;
  }

  /** The first matching day in [from, end), or Infinity. */
  #firstMatch(from: number, end: number): number {
    const date = civilDate(from);
    let { year, month } = date;
    let monthStart = from - date.day + 1;
    let skip = date.day - 1;
    while (monthStart < end) {
      const length = daysInMonth(year, month);
      const mask = (this.#mask(year, month, length, weekday(monthStart)) >>> skip) << skip;
      if (mask !== 0) {
        const found = monthStart + lowestBit(mask);
        return found < end ? found : Infinity;
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

  #countMatches(from: number, end: number): number {
    let count = 0;
    this.#eachMonth(from, end, (mask) => {
      count += countBits(mask);
      return true;
    });
    return count;
  }

  #nthMatch(from: number, end: number, n: number): number {
    let rest = n;
    let found = Infinity;
    this.#eachMonth(from, end, (mask, monthStart) => {
      const size = countBits(mask);
      if (rest >= size) {
        rest -= size;
        return true;
      }
      found = monthStart + nthBit(mask, rest);
      return false;
    });
    return found;
  }

  /** Calls with the mask of each month, cut to [from, end), while the answer is true. */
  #eachMonth(from: number, end: number, visit: (mask: number, monthStart: number) => boolean): void {
    const date = civilDate(from);
    let { year, month } = date;
    let monthStart = from - date.day + 1;
    while (monthStart < end) {
      const length = daysInMonth(year, month);
      let mask = this.#mask(year, month, length, weekday(monthStart));
      if (monthStart < from) mask = (mask >>> (from - monthStart)) << (from - monthStart);
      if (monthStart + length > end) mask &= (1 << (end - monthStart)) - 1;
      if (!visit(mask, monthStart)) return;
      monthStart += length;
      month += 1;
      if (month > 12) {
        month = 1;
        year += 1;
      }
    }
  }
}
