import { civilDate, DAY, daysInMonth, greatestCommonDivisor, LAST_SECOND, modulo, weekday } from './civil.js';
import { lowestBit, type MonthMask } from './day-mask.js';
import type { RuleParts } from './rrule-text.js';
import { dayMask } from './rule-days.js';
import type { Segment, TimeZone } from './time-zone.js';
import { TimesOfDay } from './times-of-day.js';
import type { InstantSource } from './wall-pattern.js';
import type { FoldPolicy, GapPolicy } from './wall-time.js';

const UNIT = { SECONDLY: 1, MINUTELY: 60, HOURLY: 3600 } as const;
const CYCLE_DAYS = 146_097;
const MAX_STEPS = 3_000_000;
// Windows that are looked at for a BYSETPOS; a changed clock or DTSTART may leave single ones short of members.
const MAX_WINDOWS = 2000;
// Longer than any change of offset.
const REACH = 60 * 3600;

const upTo = (size: number): number[] => Array.from({ length: size }, (_, index) => index);

/**
 * A rule that repeats by hours, minutes or seconds: a grid of exact elapsed time from DTSTART, of which those points
 * count whose local time the BY… parts allow. Nothing falls silent and nothing doubles when a clock is changed.
 *
 * HOURLY with BYMINUTE, and both with BYSECOND, have a whole hour or minute at each grid point, of which the local
 * times that match count.
 */
export class ElapsedRule implements InstantSource {
  readonly #step: number;
  /** Length of the window at each grid point, seconds. */
  readonly #window: number;
  readonly #base: number;
  readonly #mask: MonthMask | null;
  readonly #times: TimesOfDay | null;
  readonly #positions: readonly number[] | undefined;

  /** @param start DTSTART, epoch seconds. */
  constructor(
    rule: RuleParts,
    readonly start: number,
    readonly zone: TimeZone,
    readonly gap: GapPolicy,
    readonly fold: FoldPolicy,
  ) {
    const freq = rule.freq as keyof typeof UNIT;
    this.#step = rule.interval * UNIT[freq];
    const wall = start + zone.offsetAt(start);
    this.#window = 1;
    if (rule.bySecond && freq !== 'SECONDLY') this.#window = 60;
    if (rule.byMinute && freq === 'HOURLY') this.#window = 3600;
    this.#base = start - modulo(wall, this.#window);
    const days = rule.byMonth ?? rule.byMonthDay ?? rule.byYearDay ?? rule.byDay;
    this.#mask = days ? dayMask({ ...pickDays(rule), weekStart: rule.weekStart, ordinalsIn: 'month' }) : null;
    const times = rule.byHour ?? rule.byMinute ?? rule.bySecond;
    this.#times = times
      ? new TimesOfDay(
          rule.byHour ?? upTo(24),
          rule.byMinute ?? upTo(60),
          rule.bySecond?.map((second) => Math.min(second, 59)) ??
            (this.#window === 3600 ? [modulo(wall, 60)] : upTo(60)),
        )
      : null;
    const largest = this.#largestSet(rule);
    // A position no set is large enough for chooses nothing.
    this.#positions = rule.bySetPos?.filter((position) => Math.abs(position) <= largest);
  }

  /** How many members the set of one window can have. */
  #largestSet(rule: RuleParts): number {
    if (this.#window === 1) return 1;
    const seconds = rule.bySecond?.length ?? 1;
    return this.#window === 60 ? seconds : seconds * (rule.byMinute?.length ?? 1);
  }

  /** Whether there is nothing to filter: every grid point counts. */
  get plain(): boolean {
    return (
      this.#mask === null && this.#times === null && this.#positions === undefined && this.fold === 'both'
    );
  }

  /** The grid point with this number, counted from 0 at DTSTART; epoch seconds. Only for a {@link plain} rule. */
  nth(index: number): number {
    return this.#base + index * this.#step;
  }

  next(after: number): number {
    const from = Math.max(after + 1, this.start);
    if (this.plain) return bounded(this.#base + Math.ceil((from - this.#base) / this.#step) * this.#step);
    const found = this.#positions
      ? this.#nextChosen(from, this.#positions)
      : this.#nextMatch(from, MAX_STEPS);
    return bounded(found ?? Infinity);
  }

  /**
   * Whether the rule fires at all: by trying, and when that takes long, by arithmetic over the 400 years after which
   * the calendar repeats, for every offset the zone has in the next years.
   */
  everFires(): boolean {
    if (this.plain) return true;
    if (this.#positions?.length === 0) return false;
    const found = this.#nextMatch(this.start, 20_000);
    if (found === Infinity) return false;
    if (found !== null) return !this.#positions || this.#nextChosen(this.start, this.#positions) !== Infinity;
    return this.#offsets().some((offset) => this.#meetsGrid(offset));
  }

  /** The first match at or after `from`; Infinity when there is none within 400 years, null when `steps` were not enough to tell. */
  #nextMatch(from: number, steps: number): number | null {
    let at = from;
    const last = Math.min(LAST_SECOND, from + CYCLE_DAYS * DAY);
    for (let step = 0; step < steps; step += 1) {
      if (at > last) return Infinity;
      at = this.#toWindow(at);
      const segment = this.zone.segmentAt(at);
      const ahead = this.#secondsToMatch(at, segment);
      if (ahead === 0) {
        const later = this.#leaveFold(at, segment);
        if (later === at) return at;
        at = later;
      } else if (ahead === Infinity) {
        return Infinity;
      } else if (at + ahead < segment.end || segment.end <= at + REACH) {
        // A fold this near may show local times before this one again: no segment may be left out.
        at = Math.min(at + ahead, segment.end);
      } else {
        at = Math.max(segment.end, at + ahead - REACH);
      }
    }
    return null;
  }

  /** How far from `at` the next allowed local time is, while this segment lasts; 0 when it is `at`. */
  #secondsToMatch(at: number, segment: Segment): number {
    const wall = at + segment.offset;
    const ahead = this.#nextLocal(wall) - wall;
    const gapEnd = segment.start + segment.offset;
    const leftOut = at + segment.before;
    if (this.gap === 'skip' || leftOut >= gapEnd) return ahead;
    // Just after a gap, the clock as it was before shows the local times that were left out.
    const match = this.#nextLocal(leftOut);
    return match < gapEnd ? Math.min(ahead, match - leftOut) : ahead;
  }

  /** `at` itself when a window holds it, else the start of the next window. */
  #toWindow(at: number): number {
    const inStep = modulo(at - this.#base, this.#step);
    return inStep < this.#window ? at : at + this.#step - inStep;
  }

  /** `at` itself, or where to go on when the fold policy drops the pass that `at` is in. */
  #leaveFold(at: number, segment: Segment): number {
    if (this.fold === 'first' && segment.before > segment.offset) {
      const end = segment.start + segment.before - segment.offset;
      if (at < end) return end;
    }
    if (this.fold === 'second' && segment.after < segment.offset) {
      if (at >= segment.end + segment.after - segment.offset) return segment.end;
    }
    return at;
  }

  /** BYSETPOS: the chosen members of the matches of each window. */
  #nextChosen(from: number, positions: readonly number[]): number {
    let search = this.#base + Math.floor((from - this.#base) / this.#step) * this.#step;
    for (let steps = 0; steps < MAX_WINDOWS; steps += 1) {
      const first = this.#nextMatch(search, MAX_STEPS / 100);
      if (first === null || first === Infinity) return Infinity;
      const start = first - modulo(first - this.#base, this.#step);
      const members: number[] = [];
      for (let at: number | null = first; at !== null && at < start + this.#window; ) {
        members.push(at);
        at = this.#nextMatch(at + 1, MAX_STEPS / 100);
      }
      let best = Infinity;
      for (const position of positions) {
        const chosen = members[position > 0 ? position - 1 : members.length + position];
        if (chosen !== undefined && chosen >= from && chosen < best) best = chosen;
      }
      if (best !== Infinity) return best;
      search = start + this.#step;
    }
    return Infinity;
  }

  /** The first local second at or after `wall` that the BY… parts allow. */
  #nextLocal(wall: number): number {
    const day = Math.floor(wall / DAY);
    const found = this.#nextDay(day);
    if (found === Infinity) return Infinity;
    if (!this.#times) return found > day ? found * DAY : wall;
    if (found > day) return found * DAY + this.#times.first;
    const time = this.#times.next(wall - day * DAY);
    return time >= 0 ? day * DAY + time : this.#nextDay(day + 1) * DAY + this.#times.first;
  }

  #nextDay(day: number): number {
    if (!this.#mask) return day;
    const date = civilDate(day);
    let { year, month } = date;
    let monthStart = day - date.day + 1;
    let skip = date.day - 1;
    for (let tried = 0; tried <= 4800; tried += 1) {
      const length = daysInMonth(year, month);
      const mask = (this.#mask(year, month, length, weekday(monthStart)) >>> skip) << skip;
      if (mask !== 0) return monthStart + lowestBit(mask);
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

  #offsets(): number[] {
    const offsets = new Set([this.zone.offsetAt(this.start)]);
    // Twenty years show every offset that the zone's standing rules bring.
    for (const change of this.zone.transitions(this.start, this.start + 20 * 366 * DAY))
      offsets.add(change.after);
    return [...offsets];
  }

  /** Whether some allowed local time lies in a window while this offset is in force. */
  #meetsGrid(offset: number): boolean {
    const common = greatestCommonDivisor(this.#step, CYCLE_DAYS * DAY);
    const sameEveryDay = DAY % common === 0;
    const firstDay = Math.floor((this.start + offset) / DAY);
    let steps = 0;
    for (let day = this.#nextDay(firstDay); day < firstDay + CYCLE_DAYS; day = this.#nextDay(day + 1)) {
      for (let at = modulo(this.#base + offset - day * DAY, common); at < DAY; at += common) {
        const time = this.#times ? this.#times.next(at) : at;
        if (time >= 0 && time < at + this.#window) return true;
        steps += 1;
        // Not proven either way in reasonable time: then it is searched for when it is due, within bounds.
        if (steps > MAX_STEPS) return true;
      }
      if (sameEveryDay) return false;
    }
    return false;
  }
}

function bounded(second: number): number {
  return second <= LAST_SECOND ? second : Infinity;
}

function pickDays(
  rule: RuleParts,
): Partial<Pick<RuleParts, 'byMonth' | 'byMonthDay' | 'byYearDay' | 'byDay'>> {
  return {
    ...(rule.byMonth ? { byMonth: rule.byMonth } : {}),
    ...(rule.byMonthDay ? { byMonthDay: rule.byMonthDay } : {}),
    ...(rule.byYearDay ? { byYearDay: rule.byYearDay } : {}),
    ...(rule.byDay ? { byDay: rule.byDay } : {}),
  };
}
