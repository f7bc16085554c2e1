/**
 * RFC 5545 section 3.3.10 read literally: take each period, look at every day (or every second) in it, keep what every
 * BY… part allows, apply BYSETPOS. Slow, and shares nothing with src.
 */
import { instantsOf, quarterOffsetOf } from './zone-oracle.js';

const DAY = 86_400_000;
const CODES = ['SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA'];

export interface OracleRule {
  FREQ: string;
  INTERVAL?: number;
  COUNT?: number;
  UNTIL?: number;
  WKST?: string;
  BYMONTH?: number[];
  BYWEEKNO?: number[];
  BYYEARDAY?: number[];
  BYMONTHDAY?: number[];
  BYDAY?: string[];
  BYHOUR?: number[];
  BYMINUTE?: number[];
  BYSECOND?: number[];
  BYSETPOS?: number[];
}

export function toText(rule: OracleRule): string {
  return Object.entries(rule)
    .map(([key, value]) =>
      key === 'UNTIL'
        ? `UNTIL=${new Date(value as number).toISOString().replace(/[-:]|\.000/g, '')}`
        : `${key}=${Array.isArray(value) ? value.join(',') : value}`,
    )
    .join(';');
}

interface Day {
  at: number;
  year: number;
  month: number;
  day: number;
  weekday: number;
}

const dayAt = (at: number): Day => {
  const date = new Date(at);
  return {
    at,
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    weekday: date.getUTCDay(),
  };
};
const lengthOfMonth = (day: Day): number => new Date(Date.UTC(day.year, day.month, 0)).getUTCDate();
const newYear = (year: number): number => Date.UTC(year, 0, 1);
const lengthOfYear = (year: number): number => (newYear(year + 1) - newYear(year)) / DAY;
const yearDay = (day: Day): number => (day.at - newYear(day.year)) / DAY + 1;

/** Weeks of a year by the definition: begin on WKST, week 1 is the first with four days in the year. */
const weeks = new Map<string, number[]>();

function weeksOf(year: number, weekStart: number): number[] {
  const known = weeks.get(`${year}/${weekStart}`);
  if (known) return known;
  const starts: number[] = [];
  weeks.set(`${year}/${weekStart}`, starts);
  for (let at = newYear(year) - 6 * DAY; at < newYear(year + 1); at += DAY) {
    if (dayAt(at).weekday !== weekStart) continue;
    const inYear = Array.from({ length: 7 }, (_, index) => dayAt(at + index * DAY).year).filter(
      (of) => of === year,
    );
    if (inYear.length >= 4) starts.push(at);
  }
  return starts;
}

function matchesWeek(day: Day, numbers: number[], weekStart: number): boolean {
  return [day.year - 1, day.year, day.year + 1].some((year) => {
    const starts = weeksOf(year, weekStart);
    return numbers.some((number) => {
      const start = number > 0 ? starts[number - 1] : starts[starts.length + number];
      return start !== undefined && day.at >= start && day.at < start + 7 * DAY;
    });
  });
}

function matchesByDay(rule: OracleRule, day: Day): boolean {
  return (rule.BYDAY as string[]).some((text) => {
    const code = text.slice(-2);
    if (CODES.indexOf(code) !== day.weekday) return false;
    const ordinal = Number(text.slice(0, -2));
    if (text.length === 2) return true;
    const inMonth = rule.FREQ === 'MONTHLY' || rule.BYMONTH !== undefined;
    const place = inMonth ? day.day : yearDay(day);
    const size = inMonth ? lengthOfMonth(day) : lengthOfYear(day.year);
    return ordinal > 0 ? Math.ceil(place / 7) === ordinal : Math.ceil((size - place + 1) / 7) === -ordinal;
  });
}

const signedMatch = (numbers: number[], place: number, size: number): boolean =>
  numbers.includes(place) || numbers.includes(place - size - 1);

function dayMatches(rule: OracleRule, day: Day): boolean {
  if (rule.BYMONTH && !rule.BYMONTH.includes(day.month)) return false;
  if (rule.BYWEEKNO && !matchesWeek(day, rule.BYWEEKNO, CODES.indexOf(rule.WKST ?? 'MO'))) return false;
  if (rule.BYYEARDAY && !signedMatch(rule.BYYEARDAY, yearDay(day), lengthOfYear(day.year))) return false;
  if (rule.BYMONTHDAY && !signedMatch(rule.BYMONTHDAY, day.day, lengthOfMonth(day))) return false;
  return !rule.BYDAY || matchesByDay(rule, day);
}

/** Adds what DTSTART says when the rule does not. */
function completed(rule: OracleRule, start: number): OracleRule {
  const full = { ...rule };
  const date = new Date(start);
  full.BYHOUR ??= [date.getUTCHours()];
  full.BYMINUTE ??= [date.getUTCMinutes()];
  full.BYSECOND ??= [date.getUTCSeconds()];
  const anyDay = rule.BYDAY ?? rule.BYMONTHDAY ?? rule.BYYEARDAY;
  const own = [CODES[date.getUTCDay()] as string];
  if (rule.FREQ === 'WEEKLY') full.BYDAY ??= own;
  if (rule.FREQ === 'MONTHLY' && !anyDay) full.BYMONTHDAY = [date.getUTCDate()];
  if (rule.FREQ === 'YEARLY' && !anyDay) {
    if (rule.BYWEEKNO) full.BYDAY = own;
    else {
      full.BYMONTHDAY = [date.getUTCDate()];
      full.BYMONTH ??= [date.getUTCMonth() + 1];
    }
  }
  return full;
}

/** Number of the period a day lies in, for a calendar FREQ. */
function periodOf(rule: OracleRule, day: Day): number {
  if (rule.FREQ === 'DAILY') return day.at / DAY;
  if (rule.FREQ === 'YEARLY') return day.year;
  if (rule.FREQ === 'MONTHLY') return day.year * 12 + day.month;
  const back = (day.weekday - CODES.indexOf(rule.WKST ?? 'MO') + 7) % 7;
  return (day.at - back * DAY) / (7 * DAY);
}

const choose = (set: number[], positions: number[] | undefined): number[] =>
  positions
    ? set.filter((_, index) => positions.includes(index + 1) || positions.includes(index - set.length))
    : set;

/** Local times of a rule by days or longer, from `start` to before `end`; both local, in milliseconds. */
function calendarWalls(rule: OracleRule, start: number, end: number): number[] {
  const full = completed(rule, start);
  const sets = new Map<number, number[]>();
  const first = Math.floor(start / DAY) * DAY;
  const base = periodOf(full, dayAt(first));
  // A whole period lies before DTSTART in part: BYSETPOS counts in all of it.
  for (let at = first - 366 * DAY; at < end + 366 * DAY; at += DAY) {
    const day = dayAt(at);
    const away = periodOf(full, day) - base;
    const interval = rule.INTERVAL ?? 1;
    if (Math.abs(away - Math.round(away / interval) * interval) > 1e-6 || !dayMatches(full, day)) continue;
    const set = sets.get(away) ?? [];
    for (const hour of full.BYHOUR as number[])
      for (const minute of full.BYMINUTE as number[])
        for (const second of full.BYSECOND as number[])
          set.push(at + hour * 3_600_000 + minute * 60_000 + second * 1000);
    sets.set(away, set);
  }
  return [...sets.values()]
    .flatMap((set) =>
      choose(
        [...new Set(set)].sort((a, b) => a - b),
        rule.BYSETPOS,
      ),
    )
    .filter((wall) => wall >= start && wall < end)
    .sort((a, b) => a - b);
}

/** Instants of a rule by hours, minutes or seconds: every second of every window is looked at. */
function elapsedInstants(rule: OracleRule, tzid: string, start: number, end: number): number[] {
  const unit = { HOURLY: 3_600_000, MINUTELY: 60_000, SECONDLY: 1000 }[rule.FREQ] as number;
  let window = 1000;
  if (rule.BYSECOND && rule.FREQ !== 'SECONDLY') window = 60_000;
  if (rule.BYMINUTE && rule.FREQ === 'HOURLY') window = 3_600_000;
  const local = start + quarterOffsetOf(tzid, start);
  const base = start - (local % window);
  const found: number[] = [];
  const seconds = window === 3_600_000 && !rule.BYSECOND ? [new Date(local).getUTCSeconds()] : rule.BYSECOND;
  for (let at = base; at < end; at += unit * (rule.INTERVAL ?? 1)) {
    const set: number[] = [];
    for (let instant = at; instant < at + window; instant += 1000) {
      const date = new Date(instant + quarterOffsetOf(tzid, instant));
      if (seconds && !seconds.includes(date.getUTCSeconds())) continue;
      if (rule.BYMINUTE && !rule.BYMINUTE.includes(date.getUTCMinutes())) continue;
      if (rule.BYHOUR && !rule.BYHOUR.includes(date.getUTCHours())) continue;
      if (dayMatches(rule, dayAt(Math.floor(date.getTime() / DAY) * DAY))) set.push(instant);
    }
    found.push(...choose(set, rule.BYSETPOS));
  }
  return found.filter((instant) => instant >= start);
}

/** All instants of a rule from DTSTART (local, milliseconds) to before an instant, under the house policies. */
export function expand(rule: OracleRule, tzid: string, start: number, end: number): number[] {
  const { found: starts, gap } = instantsOf(tzid, start);
  const startInstant = starts[0] ?? (gap?.shifted as number);
  const instants = ['HOURLY', 'MINUTELY', 'SECONDLY'].includes(rule.FREQ)
    ? elapsedInstants(rule, tzid, startInstant, end)
    : calendarWalls(rule, start, end + 2 * DAY)
        .slice(0, 100)
        .map((wall) => {
          const place = instantsOf(tzid, wall);
          return place.found[0] ?? (place.gap?.shifted as number);
        });
  const sorted = [...new Set(instants)].sort((a, b) => a - b);
  return sorted
    .slice(0, rule.COUNT ?? sorted.length)
    .filter((instant) => instant < end && instant <= (rule.UNTIL ?? end));
}
