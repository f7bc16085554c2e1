import type { Problem } from '../errors.js';
import { nearest } from '../nearest.js';
import { quote } from './schedule-problem.js';

/** A cron expression as it is written. */
export interface CronParts {
  seconds: number[];
  minutes: number[];
  hours: number[];
  /** Bit 0 is the 1st. */
  days: number;
  /** Days whose nearest weekday is meant (`15W`), bit 0 for the 1st. */
  nearestWeekdays: number;
  lastDay: boolean;
  lastWeekday: boolean;
  /** Bit 1 is January. */
  months: number;
  /** For each weekday, Sunday first: bits 0 to 4 for the 1st to 5th of the month, bit 5 for the last; 63 for all. */
  weekdays: number[];
  /** Whether the field is `*`, that is, says nothing. */
  anyDay: boolean;
  anyWeekday: boolean;
  /** `+` before the weekday: both day fields must match. */
  bothDays: boolean;
  /** No `*` and no `/` in the time fields: a fixed time, which a gap moves and a fold does not double. */
  fixedTime: boolean;
}

const MAX_LENGTH = 300;
const ALL = 63;
const MACROS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

interface Field {
  name: string;
  least: number;
  most: number;
  /** The largest step. */
  size: number;
  names?: readonly string[];
}

const SECOND: Field = { name: 'second', least: 0, most: 59, size: 60 };
const MINUTE: Field = { name: 'minute', least: 0, most: 59, size: 60 };
const HOUR: Field = { name: 'hour', least: 0, most: 23, size: 24 };
const DAY_OF_MONTH: Field = { name: 'day of month', least: 1, most: 31, size: 31 };
const MONTH: Field = { name: 'month', least: 1, most: 12, size: 12, names: MONTHS };
const DAY_OF_WEEK: Field = { name: 'day of week', least: 0, most: 7, size: 7, names: WEEKDAYS };

class FieldProblem {
  constructor(
    readonly message: string,
    readonly hint?: string,
  ) {}
}

/**
 * Reads a cron expression of five fields (six with seconds in front) or a macro such as `@daily`; the grammar of
 * croner 11 without its year field. Everything wrong goes to `problems`; null when there is anything.
 */
export function readCron(text: string, problems: Problem[]): CronParts | null {
  const refuse = (message: string, hint?: string): null => {
    problems.push(hint === undefined ? { pointer: '/expr', message } : { pointer: '/expr', message, hint });
    return null;
  };
  if (text.length > MAX_LENGTH) return refuse(`The cron expression is longer than ${MAX_LENGTH} characters.`);
  if (/[^\x20-\x7e\t]/.test(text)) {
    return refuse(
      `The cron expression ${quote(text)} has characters other than plain ASCII on one line.`,
      'Write five fields with blanks between them, such as 30 8 * * 1-5',
    );
  }
  const trimmed = text.trim();
  const macro = trimmed.startsWith('@') ? trimmed.toLowerCase() : '';
  if (macro !== '' && !Object.hasOwn(MACROS, macro)) {
    return refuse(
      `There is no cron macro ${quote(trimmed)}.`,
      `The macros are ${Object.keys(MACROS).join(', ')}.`,
    );
  }
  const fields = (macro === '' ? trimmed : (MACROS[macro] as string)).split(/[ \t]+/);
  if (fields.length === 5) fields.unshift('0');
  if (fields.length !== 6) {
    return refuse(
      `A cron expression has five fields, or six with seconds in front; ${quote(text)} has ${trimmed === '' ? 0 : fields.length}.`,
      'The fields are: minute hour day-of-month month day-of-week, such as 30 8 * * 1-5',
    );
  }
  const [second, minute, hour, day, month, weekday] = fields.map((field) => field.replaceAll('?', '*')) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const parts: CronParts = {
    seconds: [],
    minutes: [],
    hours: [],
    days: 0,
    nearestWeekdays: 0,
    lastDay: false,
    lastWeekday: false,
    months: 0,
    weekdays: Array<number>(7).fill(0),
    anyDay: day === '*',
    anyWeekday: weekday === '*' || weekday === '+*',
    bothDays: weekday.startsWith('+'),
    fixedTime: !/[*/]/.test(second + minute + hour),
  };
  const before = problems.length;
  attempt(problems, () => {
    parts.seconds = numbers(SECOND, second);
  });
  attempt(problems, () => {
    parts.minutes = numbers(MINUTE, minute);
  });
  attempt(problems, () => {
    parts.hours = numbers(HOUR, hour);
  });
  attempt(problems, () => readDays(day, parts));
  attempt(problems, () => {
    for (const value of numbers(MONTH, month)) parts.months |= 1 << value;
  });
  attempt(problems, () => readWeekdays(parts.bothDays ? weekday.slice(1) : weekday, parts));
  return problems.length === before ? parts : null;
}

function attempt(problems: Problem[], read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof FieldProblem)) throw error;
    const { message, hint } = error;
    problems.push(hint === undefined ? { pointer: '/expr', message } : { pointer: '/expr', message, hint });
  }
}

function numbers(field: Field, text: string): number[] {
  return text.split(',').flatMap((item) => range(field, item));
}

/** `*`, `*\/n`, `a`, `a-b` or `a-b/n`. */
function range(field: Field, item: string): number[] {
  const match = /^(?:(\*)|([0-9]+|[A-Za-z]{3})(?:-([0-9]+|[A-Za-z]{3}))?)(?:\/([0-9]+))?$/.exec(item);
  if (!match) {
    throw new FieldProblem(
      `The ${field.name} field has ${quote(item)}, which is not a value, a range or a step.`,
    );
  }
  const [, star, low, high, every] = match;
  if (every !== undefined && star === undefined && high === undefined) {
    throw new FieldProblem(
      `The ${field.name} field has the step ${quote(item)} without a range.`,
      `Write */${every.slice(0, 3)} or a range, such as ${field.least}-${field.most === 7 ? 6 : field.most}/${every.slice(0, 3)}`,
    );
  }
  const step = every === undefined ? 1 : Number(every);
  if (step < 1 || step > field.size) {
    throw new FieldProblem(
      `The ${field.name} field has a step that is not from 1 to ${field.size}: ${quote(item)}.`,
    );
  }
  const from = star ? field.least : value(field, low as string, item);
  let to = star ? field.most - (field === DAY_OF_WEEK ? 1 : 0) : from;
  if (high !== undefined) {
    to = value(field, high, item);
    // SUN is 0, but at the end of a range it is 7: FRI-SUN.
    if (field === DAY_OF_WEEK && high.toUpperCase() === 'SUN') to = 7;
  }
  if (from > to) {
    throw new FieldProblem(
      `The ${field.name} field has a range that runs backwards: ${quote(item)}.`,
      'Write the two ends as two ranges with a comma between them.',
    );
  }
  const found: number[] = [];
  for (let at = from; at <= to; at += step) found.push(at);
  return found;
}

function value(field: Field, text: string, item: string): number {
  const named = field.names?.indexOf(text.toUpperCase()) ?? -1;
  const number =
    named >= 0 ? named + (field === MONTH ? 1 : 0) : /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= field.least && number <= field.most) return number;
  const near = /^[A-Za-z]/.test(text) ? nearest(text, field.names ?? []) : null;
  throw new FieldProblem(
    `The ${field.name} field has ${quote(item)}; its values are ${field.least} to ${field.most}.`,
    near === null ? undefined : `Did you mean ${near}?`,
  );
}

function readDays(text: string, parts: CronParts): void {
  if (text.toUpperCase() === 'LW') {
    parts.lastWeekday = true;
    return;
  }
  for (const item of text.split(',')) {
    const nearest = /^([0-9]+)W$/i.exec(item);
    if (item.toUpperCase() === 'L') parts.lastDay = true;
    else if (item.toUpperCase() === 'LW') {
      throw new FieldProblem('LW (the last weekday of the month) can not be in a list.', 'Write LW alone.');
    } else if (nearest) parts.nearestWeekdays |= 1 << (value(DAY_OF_MONTH, nearest[1] as string, item) - 1);
    else for (const day of range(DAY_OF_MONTH, item)) parts.days |= 1 << (day - 1);
  }
}

function readWeekdays(text: string, parts: CronParts): void {
  for (const item of text.split(',')) {
    const match = /^([^#]*?)(?:#([0-9]+)|(#?L))?$/i.exec(item);
    const ordinal = match?.[2] === undefined ? 0 : Number(match[2]);
    const every = match?.[1] === '*' && item !== '*';
    if (!match || match[1] === '' || every || (match[2] !== undefined && (ordinal < 1 || ordinal > 5))) {
      throw new FieldProblem(
        `The day of week field has ${quote(item)}, which is not a weekday.`,
        'Write 1-5, MON, 5#3 (third Friday) or 5L (last Friday).',
      );
    }
    const bits = match[3] ? 32 : ordinal > 0 ? 1 << (ordinal - 1) : ALL;
    for (const weekday of range(DAY_OF_WEEK, match[1] as string)) {
      parts.weekdays[weekday % 7] = (parts.weekdays[weekday % 7] as number) | bits;
    }
  }
}
