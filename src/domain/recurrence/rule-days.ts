import { daysBeforeMonth, daysInYear, firstDayOfYear, modulo, weekday } from './civil.js';
import { type MonthMask, nthWeekdayOfMonth, weekdaysOfMonth, wholeMonth } from './day-mask.js';
import type { ByDay, RuleParts } from './rrule-text.js';

/** The parts of a rule that choose days, with what DTSTART adds to them already in. */
export interface DayParts {
  byMonth?: number[];
  byMonthDay?: number[];
  byYearDay?: number[];
  byWeekNo?: number[];
  byDay?: ByDay[];
  weekStart: number;
  /** Whether a numbered weekday counts in its month or in its year (RFC 5545, notes 1 and 2 of the BYDAY table). */
  ordinalsIn: 'month' | 'year';
}

/**
 * The day parts of a rule with the information DTSTART gives "if needed" (RFC 5545 section 3.3.10): the weekday of a
 * weekly or week-numbered rule, the day of a monthly one, the day and month of a yearly one.
 */
export function dayParts(rule: RuleParts, start: { month: number; day: number; weekday: number }): DayParts {
  const parts: DayParts = { weekStart: rule.weekStart, ordinalsIn: 'month' };
  if (rule.byMonth) parts.byMonth = rule.byMonth;
  if (rule.byMonthDay) parts.byMonthDay = rule.byMonthDay;
  if (rule.byYearDay) parts.byYearDay = rule.byYearDay;
  if (rule.byWeekNo) parts.byWeekNo = rule.byWeekNo;
  if (rule.byDay) parts.byDay = rule.byDay;
  const ownWeekday = [{ weekday: start.weekday, ordinal: 0 }];
  const chosen = rule.byDay ?? rule.byMonthDay ?? rule.byYearDay;
  if (rule.freq === 'WEEKLY' && !rule.byDay) parts.byDay = ownWeekday;
  if (rule.freq === 'MONTHLY' && !chosen) parts.byMonthDay = [start.day];
  if (rule.freq === 'YEARLY') {
    if (!rule.byMonth) parts.ordinalsIn = 'year';
    if (!chosen && rule.byWeekNo) parts.byDay = ownWeekday;
    if (!chosen && !rule.byWeekNo) {
      parts.byMonthDay = [start.day];
      parts.byMonth ??= [start.month];
    }
  }
  return parts;
}

/** Makes the mask of the days that all the given parts allow. */
export function dayMask(parts: DayParts): MonthMask {
  const filters: MonthMask[] = [];
  if (parts.byMonthDay) filters.push(monthDays(parts.byMonthDay));
  if (parts.byDay) filters.push(weekdays(parts.byDay, parts.ordinalsIn));
  if (parts.byYearDay) filters.push(yearDays(parts.byYearDay));
  if (parts.byWeekNo) filters.push(weekNumbers(parts.byWeekNo, parts.weekStart));
  const months = parts.byMonth?.reduce((bits, month) => bits | (1 << month), 0) ?? -1;
  const [only, second] = filters;
  if (!only) return (_year, month, length) => ((months >>> month) & 1 ? wholeMonth(length) : 0);
  if (!second) {
    return (year, month, length, firstWeekday) =>
      (months >>> month) & 1 ? only(year, month, length, firstWeekday) : 0;
  }
  return (year, month, length, firstWeekday) => {
    let mask = (months >>> month) & 1 ? wholeMonth(length) : 0;
    for (let at = 0; mask !== 0 && at < filters.length; at += 1) {
      mask &= (filters[at] as MonthMask)(year, month, length, firstWeekday);
    }
    return mask;
  };
}

function monthDays(days: number[]): MonthMask {
  let fromStart = 0;
  // Bit 0 is the last day of the month.
  let fromEnd = 0;
  for (const day of days) {
    if (day > 0) fromStart |= 1 << (day - 1);
    else fromEnd |= 1 << (-day - 1);
  }
  if (fromEnd === 0) return (_year, _month, length) => fromStart & wholeMonth(length);
  return (_year, _month, length) => {
    let mask = fromStart;
    for (let back = 0; back < length; back += 1) {
      if ((fromEnd >>> back) & 1) mask |= 1 << (length - 1 - back);
    }
    return mask & wholeMonth(length);
  };
}

function weekdays(days: ByDay[], ordinalsIn: 'month' | 'year'): MonthMask {
  const every = days.reduce((bits, day) => (day.ordinal === 0 ? bits | (1 << day.weekday) : bits), 0);
  const numbered = days.filter((day) => day.ordinal !== 0);
  if (numbered.length === 0) {
    return (_year, _month, length, firstWeekday) => weekdaysOfMonth(every, length, firstWeekday);
  }
  if (ordinalsIn === 'month') {
    return (_year, _month, length, firstWeekday) => {
      let mask = every === 0 ? 0 : weekdaysOfMonth(every, length, firstWeekday);
      for (const day of numbered) mask |= nthWeekdayOfMonth(day.weekday, day.ordinal, length, firstWeekday);
      return mask;
    };
  }
  return (year, month, length, firstWeekday) => {
    let mask = every === 0 ? 0 : weekdaysOfMonth(every, length, firstWeekday);
    const newYear = weekday(firstDayOfYear(year));
    const size = daysInYear(year);
    const monthStart = daysBeforeMonth(year, month);
    for (const { weekday: wanted, ordinal } of numbered) {
      const first = modulo(wanted - newYear, 7);
      const last = first + 7 * Math.trunc((size - 1 - first) / 7);
      mask |= bitInMonth(
        ordinal > 0 ? first + 7 * (ordinal - 1) : last + 7 * (ordinal + 1),
        monthStart,
        length,
        size,
      );
    }
    return mask;
  };
}

function yearDays(days: number[]): MonthMask {
  return (year, month, length) => {
    const size = daysInYear(year);
    const monthStart = daysBeforeMonth(year, month);
    let mask = 0;
    for (const day of days) {
      mask |= bitInMonth(day > 0 ? day - 1 : size + day, monthStart, length, size);
    }
    return mask;
  };
}

/** The bit of a day of the year (from 0), or 0 when it is not in the month or not in the year. */
function bitInMonth(dayOfYear: number, monthStart: number, length: number, yearLength: number): number {
  const day = dayOfYear - monthStart;
  return dayOfYear >= 0 && dayOfYear < yearLength && day >= 0 && day < length ? 1 << day : 0;
}

/**
 * Days in numbered weeks. A day belongs to the week that holds it, also when that week is counted in the year before
 * or after (ISO 8601): 1 January may lie in week 53, 31 December in week 1.
 */
function weekNumbers(numbers: number[], weekStart: number): MonthMask {
  return (year, month, length) => {
    const monthStart = firstDayOfYear(year) + daysBeforeMonth(year, month);
    let mask = 0;
    for (let day = 0; day < length; ) {
      const here = monthStart + day;
      const weekEnds = Math.min(length, day + 7 - modulo(weekday(here) - weekStart, 7));
      const { number, weeks } = weekOfYear(here, year, weekStart);
      if (numbers.includes(number) || numbers.includes(number - weeks - 1)) {
        for (let bit = day; bit < weekEnds; bit += 1) mask |= 1 << bit;
      }
      day = weekEnds;
    }
    return mask;
  };
}

/** The number of the week that holds a day, and how many weeks the year has in which that week is counted. */
function weekOfYear(day: number, year: number, weekStart: number): { number: number; weeks: number } {
  for (const candidate of [year + 1, year, year - 1]) {
    const first = firstWeek(candidate, weekStart);
    if (day >= first) {
      return {
        number: Math.trunc((day - first) / 7) + 1,
        weeks: (firstWeek(candidate + 1, weekStart) - first) / 7,
      };
    }
  }
  throw new RangeError(`Day ${day} is not near the year ${year}.`);
}

/** The day number on which week 1 of a year begins: the first week with at least four days in the year. */
function firstWeek(year: number, weekStart: number): number {
  const newYear = firstDayOfYear(year);
  const back = modulo(weekday(newYear) - weekStart, 7);
  return back <= 3 ? newYear - back : newYear + 7 - back;
}
