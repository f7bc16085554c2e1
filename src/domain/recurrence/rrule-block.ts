import type { Problem } from '../errors.js';
import { readTime, type WrittenTime } from './instant-text.js';
import { quote } from './schedule-problem.js';
import { isTimeZone } from './time-zone.js';

/** A time of a property, with the zone it names itself (`;TZID=`). */
export interface PropertyTime {
  time: WrittenTime;
  tzid: string | undefined;
}

/** An `rrule` expression taken apart: a bare rule, or lines of DTSTART, RRULE, RDATE and EXDATE. */
export interface RuleBlock {
  start?: PropertyTime;
  /** DTSTART was given with VALUE=DATE. */
  allDay: boolean;
  rules: string[];
  extra: PropertyTime[];
  excluded: PropertyTime[];
}

const MAX_LENGTH = 20_000;
const MAX_DATES = 5000;
const MAX_RULES = 20;
const POINTER = '/expr';

/** Takes an `rrule` expression apart; everything wrong goes to `problems`. */
export function readBlock(text: string, problems: Problem[]): RuleBlock {
  const block: RuleBlock = { allDay: false, rules: [], extra: [], excluded: [] };
  if (text.length > MAX_LENGTH) {
    problems.push({ pointer: POINTER, message: `The expression is longer than ${MAX_LENGTH} characters.` });
    return block;
  }
  if (!text.includes(':')) {
    block.rules.push(text);
    return block;
  }
  // RFC 5545 section 3.1: a line that begins with a blank continues the one before.
  const lines = text.replace(/\r?\n[ \t]/g, '').split(/\r?\n/);
  for (const line of lines) if (line.trim() !== '') readLine(line, block, problems);
  if (block.rules.length === 0 && block.extra.length === 0 && problems.length === 0) {
    problems.push({
      pointer: POINTER,
      message: 'The expression has neither an RRULE nor an RDATE.',
      hint: 'Write a rule such as RRULE:FREQ=DAILY',
    });
  }
  if (block.rules.length > MAX_RULES) {
    problems.push({ pointer: POINTER, message: `The expression has more than ${MAX_RULES} rules.` });
  }
  if (block.extra.length > MAX_DATES || block.excluded.length > MAX_DATES) {
    problems.push({ pointer: POINTER, message: `The expression has more than ${MAX_DATES} dates.` });
  }
  return block;
}

function readLine(line: string, block: RuleBlock, problems: Problem[]): void {
  const colon = line.indexOf(':');
  const [name, ...parameters] = line.slice(0, Math.max(colon, 0)).split(';') as [string, ...string[]];
  const value = line.slice(colon + 1);
  const report = (message: string, hint?: string): void => {
    problems.push(hint === undefined ? { pointer: POINTER, message } : { pointer: POINTER, message, hint });
  };
  switch (name.toUpperCase()) {
    case 'RRULE':
      if (parameters.length > 0) report(`RRULE takes no parameters: ${quote(line)}.`);
      block.rules.push(value);
      return;
    case 'DTSTART': {
      const times = readTimes(value, parameters, report);
      if (times.values.length > 1) report('DTSTART has more than one value.');
      if (block.start) report('DTSTART is given more than once.');
      if (times.values[0]) block.start = times.values[0];
      block.allDay = times.date;
      return;
    }
    case 'RDATE':
      block.extra.push(...readTimes(value, parameters, report).values);
      return;
    case 'EXDATE':
      block.excluded.push(...readTimes(value, parameters, report).values);
      return;
    case 'EXRULE':
      report(
        'EXRULE is not accepted (RFC 5545 removed it).',
        'Use EXDATE, or a rule that leaves these days out.',
      );
      return;
    default:
      report(
        `The line ${quote(line)} is not DTSTART, RRULE, RDATE or EXDATE.`,
        'Write one property on each line, such as DTSTART;TZID=Europe/Berlin:20260301T090000',
      );
  }
}

type Report = (message: string, hint?: string) => void;

function readTimes(
  text: string,
  parameters: string[],
  report: Report,
): { values: PropertyTime[]; date: boolean } {
  let tzid: string | undefined;
  let type = 'DATE-TIME';
  for (const parameter of parameters) {
    const [key = '', value = ''] = parameter.split('=', 2);
    if (key.toUpperCase() === 'TZID') {
      tzid = value.replace(/^"(.*)"$/, '$1');
      if (!isTimeZone(tzid)) report(`There is no time zone ${quote(tzid)} in the IANA database.`);
    } else if (key.toUpperCase() === 'VALUE') {
      type = value.toUpperCase();
      if (type !== 'DATE' && type !== 'DATE-TIME' && type !== 'PERIOD')
        report(`VALUE=${quote(value)} is not a type of date.`);
    } else if (!/^X-/i.test(key)) {
      report(`The parameter ${quote(parameter)} is not accepted here.`);
    }
  }
  if (tzid !== undefined && type === 'DATE') report('A date takes no TZID (RFC 5545 section 3.2.19).');
  const values: PropertyTime[] = [];
  for (const item of text.split(',')) {
    // Of a period only the start says when something is due.
    const written = type === 'PERIOD' ? (item.split('/', 1)[0] as string) : item;
    const time = readTime(written);
    if (!time || (type === 'DATE' && !(time.kind === 'wall' && time.dateOnly))) {
      report(
        `${quote(item)} is not a ${type === 'DATE' ? 'date' : 'date and time'} that exists.`,
        'Write 20260301T090000 (local time) or 20260301T080000Z (UTC).',
      );
    } else if (time.kind === 'instant' && tzid !== undefined) {
      report(`${quote(item)} is UTC and has a TZID too.`, 'Leave out the Z, or the TZID.');
    } else {
      values.push({ time, tzid });
    }
  }
  return { values, date: type === 'DATE' };
}
