import type { Problem } from '../errors.js';
import { DAY, dayNumber, isCivilDate } from './civil.js';
import { nearest } from '../nearest.js';
import { quote } from './schedule-problem.js';

/** FREQ of RFC 5545 section 3.3.10, from the shortest. */
export type Frequency = 'SECONDLY' | 'MINUTELY' | 'HOURLY' | 'DAILY' | 'WEEKLY' | 'MONTHLY' | 'YEARLY';

/** One value of BYDAY; `weekday` 0 is Monday; `ordinal` 0 means every one. */
export interface ByDay {
  weekday: number;
  ordinal: number;
}

/** A recurrence rule as it is written; lists are sorted and free of doubles, and undefined when not given. */
export interface RuleParts {
  freq: Frequency;
  interval: number;
  count?: number;
  /** Epoch seconds, inclusive. */
  until?: number;
  /** A date (all-day rules only): the last local day, as a day number. */
  untilDay?: number;
  bySecond?: number[];
  byMinute?: number[];
  byHour?: number[];
  byDay?: ByDay[];
  byMonthDay?: number[];
  byYearDay?: number[];
  byWeekNo?: number[];
  byMonth?: number[];
  bySetPos?: number[];
  /** 0 is Monday. */
  weekStart: number;
}

/** Weekdays as RFC 5545 writes them, Monday first. */
export const WEEKDAY_CODES = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'] as const;
const FREQUENCIES: ReadonlySet<string> = new Set([
  'SECONDLY',
  'MINUTELY',
  'HOURLY',
  'DAILY',
  'WEEKLY',
  'MONTHLY',
  'YEARLY',
]);
const MAX_LENGTH = 2000;
const MAX_INTERVAL = 100_000_000;
const MAX_COUNT = 1_000_000_000;

/** Lists of numbers: the key, the largest size, whether a minus and a zero are allowed. */
const NUMBER_LISTS = {
  BYSECOND: { field: 'bySecond', max: 60, signed: false },
  BYMINUTE: { field: 'byMinute', max: 59, signed: false },
  BYHOUR: { field: 'byHour', max: 23, signed: false },
  BYMONTHDAY: { field: 'byMonthDay', max: 31, signed: true },
  BYYEARDAY: { field: 'byYearDay', max: 366, signed: true },
  BYWEEKNO: { field: 'byWeekNo', max: 53, signed: true },
  BYMONTH: { field: 'byMonth', max: 12, signed: false },
  BYSETPOS: { field: 'bySetPos', max: 366, signed: true },
} as const;

const PARTS: ReadonlySet<string> = new Set([
  'FREQ',
  'INTERVAL',
  'COUNT',
  'UNTIL',
  'BYDAY',
  'WKST',
  ...Object.keys(NUMBER_LISTS),
]);

/** What the reader of a rule needs to know about its DTSTART. */
export interface RuleContext {
  /** JSON pointer for problems. */
  pointer: string;
  /** DTSTART is of the type DATE: there are no times of day to choose. */
  allDay: boolean;
  /** DTSTART is a date, by its type or as it is written: UNTIL may be one too. */
  untilDate: boolean;
}

/** For reading once more what has been checked: nothing of it is refused. */
export const CHECKED: RuleContext = { pointer: '/expr', allDay: false, untilDate: true };

/**
 * Reads the value of an RRULE (without `RRULE:`), strictly by RFC 5545 section 3.3.10.
 * Everything wrong goes to `problems`; null when the rule can not be used.
 */
export function readRule(text: string, context: RuleContext, problems: Problem[]): RuleParts | null {
  const before = problems.length;
  const report = (message: string, hint?: string): void => {
    problems.push(
      hint === undefined
        ? { pointer: context.pointer, message }
        : { pointer: context.pointer, message, hint },
    );
  };
  if (text.length > MAX_LENGTH) {
    report(`The rule is longer than ${MAX_LENGTH} characters.`);
    return null;
  }
  if (!/^[A-Z0-9=;,+-]+$/.test(text)) {
    report(
      text === '' ? 'The rule is empty.' : `The rule ${quote(text)} has characters that no rule has.`,
      'Write it in capitals and without blanks, such as FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=8;BYMINUTE=30;BYSECOND=0',
    );
    return null;
  }
  const values = new Map<string, string>();
  for (const part of text.split(';')) {
    const equals = part.indexOf('=');
    const name = part.slice(0, Math.max(equals, 0));
    const value = part.slice(equals + 1);
    if (equals <= 0 || value === '' || value.includes('=')) {
      report(`The rule has a part ${quote(part)} that is not NAME=VALUE.`);
    } else if (!PARTS.has(name)) {
      report(`There is no rule part ${quote(name)} in RFC 5545.`, `The parts are ${[...PARTS].join(', ')}.`);
    } else if (values.has(name)) {
      report(`${name} is given more than once.`);
    } else {
      values.set(name, value);
    }
  }
  const rule = readValues(values, context, report);
  if (rule && problems.length === before) checkTogether(rule, context, report);
  return problems.length === before ? rule : null;
}

type Report = (message: string, hint?: string) => void;

function readValues(values: Map<string, string>, context: RuleContext, report: Report): RuleParts | null {
  const freq = values.get('FREQ');
  if (freq === undefined || !FREQUENCIES.has(freq)) {
    report(
      freq === undefined ? 'The rule has no FREQ.' : `FREQ=${quote(freq)} is not a frequency.`,
      `FREQ is one of ${[...FREQUENCIES].join(', ')}.`,
    );
  }
  const rule: RuleParts = { freq: (freq ?? 'DAILY') as Frequency, interval: 1, weekStart: 0 };
  const interval = values.get('INTERVAL');
  if (interval !== undefined) rule.interval = readPositive('INTERVAL', interval, MAX_INTERVAL, report);
  const count = values.get('COUNT');
  if (count !== undefined) rule.count = readPositive('COUNT', count, MAX_COUNT, report);
  const weekStart = values.get('WKST');
  if (weekStart !== undefined) {
    rule.weekStart = WEEKDAY_CODES.indexOf(weekStart as (typeof WEEKDAY_CODES)[number]);
    if (rule.weekStart < 0)
      report(`WKST=${quote(weekStart)} is not a weekday.`, 'Weekdays are MO, TU, WE, TH, FR, SA, SU.');
  }
  const byDay = values.get('BYDAY');
  if (byDay !== undefined) rule.byDay = readByDay(byDay, report);
  for (const [name, { field, max, signed }] of Object.entries(NUMBER_LISTS)) {
    const value = values.get(name);
    if (value === undefined) continue;
    const least = name === 'BYMONTH' || signed ? 1 : 0;
    rule[field] = readNumbers(name, value, least, max, signed, report);
  }
  const until = values.get('UNTIL');
  if (until !== undefined) readUntil(until, rule, context, report);
  if (count !== undefined && until !== undefined) report('COUNT and UNTIL must not be given together.');
  return rule;
}

function readPositive(name: string, text: string, max: number, report: Report): number {
  const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > max) {
    report(`${name}=${quote(text)} is not a whole number from 1 to ${max}.`);
    return 1;
  }
  return value;
}

function readNumbers(
  name: string,
  text: string,
  least: number,
  max: number,
  signed: boolean,
  report: Report,
): number[] {
  const numbers = new Set<number>();
  const range = signed ? `1 to ${max} or -${max} to -1` : `${least} to ${max}`;
  for (const item of text.split(',')) {
    const digits = item.replace(/^[+-]/, '');
    const value = /^[0-9]+$/.test(digits) && digits.length <= String(max).length ? Number(item) : Number.NaN;
    const fits = Math.abs(value) >= least && Math.abs(value) <= max;
    if (!fits || (!signed && /^[+-]/.test(item))) {
      report(`${name} has ${quote(item)}, which is not a number from ${range}.`);
      return [];
    }
    numbers.add(value);
  }
  return [...numbers].sort((a, b) => a - b);
}

/** The weekday that a misspelt one was meant to be. */
function meant(item: string): string | null {
  const [, ordinal = '', letters = ''] = /^([+-]?[0-9]{1,2})?([A-Za-z]+)$/.exec(item) ?? [];
  const day =
    nearest(letters, WEEKDAY_CODES) ?? WEEKDAY_CODES.find((code) => letters.toUpperCase().startsWith(code));
  return day === undefined ? null : `Did you mean ${ordinal}${day}?`;
}

function readByDay(text: string, report: Report): ByDay[] {
  const days = new Map<string, ByDay>();
  for (const item of text.split(',')) {
    const match = /^([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)$/.exec(item);
    const ordinal = Number(match?.[1] ?? 0);
    if (!match || (match[1] !== undefined && (ordinal === 0 || Math.abs(ordinal) > 53))) {
      report(
        `BYDAY has ${quote(item)}, which is not a weekday.`,
        meant(item) ?? 'Write MO, TU, …, or with a number: 1MO (first), -1FR (last).',
      );
      return [];
    }
    const weekday = WEEKDAY_CODES.indexOf(match[2] as (typeof WEEKDAY_CODES)[number]);
    days.set(`${ordinal}/${weekday}`, { weekday, ordinal });
  }
  return [...days.values()].sort((a, b) => a.weekday - b.weekday || a.ordinal - b.ordinal);
}

function readUntil(text: string, rule: RuleParts, context: RuleContext, report: Report): void {
  const match = /^([0-9]{4})([0-9]{2})([0-9]{2})(?:T([0-9]{2})([0-9]{2})([0-9]{2})(Z)?)?$/.exec(text);
  const [year, month, day, hour, minute, second] = (match?.slice(1, 7) ?? []).map((part) =>
    Number(part ?? 0),
  ) as [number, number, number, number, number, number];
  if (!match || !isCivilDate(year, month, day) || hour > 23 || minute > 59 || second > 60) {
    report(
      `UNTIL=${quote(text)} is not a date and time that exists.`,
      'Write it in UTC, such as UNTIL=20261231T235959Z',
    );
    return;
  }
  const dayOf = dayNumber(year, month, day);
  if (match[7] === 'Z') {
    rule.until = dayOf * DAY + hour * 3600 + minute * 60 + Math.min(second, 59);
  } else if (match[4] === undefined && context.untilDate) {
    rule.untilDay = dayOf;
  } else {
    report(
      `UNTIL=${quote(text)} does not say which instant it means.`,
      'Write it in UTC with a Z at the end, such as UNTIL=20261231T235959Z',
    );
  }
}

/** The MUST NOTs of RFC 5545 section 3.3.10 that concern several parts. */
function checkTogether(rule: RuleParts, context: RuleContext, report: Report): void {
  const { freq } = rule;
  if (context.allDay && (rule.byHour ?? rule.byMinute ?? rule.bySecond)) {
    report(
      'BYHOUR, BYMINUTE and BYSECOND are not allowed when DTSTART is of the type DATE.',
      'Give DTSTART a time, such as DTSTART;TZID=Europe/Berlin:20260301T090000',
    );
  }
  if (rule.byWeekNo && freq !== 'YEARLY') report('BYWEEKNO is only allowed with FREQ=YEARLY.');
  if (rule.byYearDay && (freq === 'DAILY' || freq === 'WEEKLY' || freq === 'MONTHLY')) {
    report(`BYYEARDAY is not allowed with FREQ=${freq}.`);
  }
  if (rule.byMonthDay && freq === 'WEEKLY') report('BYMONTHDAY is not allowed with FREQ=WEEKLY.');
  if (rule.byDay?.some((day) => day.ordinal !== 0)) {
    if (freq !== 'MONTHLY' && freq !== 'YEARLY') {
      report(`BYDAY with a number, such as 1MO, is not allowed with FREQ=${freq}.`);
    } else if (rule.byWeekNo) {
      report('BYDAY with a number, such as 1MO, is not allowed with BYWEEKNO.');
    }
  }
  const others =
    rule.bySecond ??
    rule.byMinute ??
    rule.byHour ??
    rule.byDay ??
    rule.byMonthDay ??
    rule.byYearDay ??
    rule.byWeekNo ??
    rule.byMonth;
  if (rule.bySetPos && !others) report('BYSETPOS needs another BY… part to choose from.');
}
