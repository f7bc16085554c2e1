import type { RecurrenceSpec } from './compile.js';
import { readBlock } from './rrule-block.js';
import { CHECKED, readRule } from './rrule-text.js';
import { timeZone, type Transition } from './time-zone.js';

/**
 * The RRULE of a schedule when every calendar reads it as we do, counted from its first occurrence; null when it has to
 * be written out date by date: cron, business days, sets, elapsed time, other policies for clock changes, and the parts
 * that calendars are known to read in different ways (BYWEEKNO, a day of the month of no month).
 */
export function portableRule(spec: RecurrenceSpec): string | null {
  const { kind, dst, businessDays } = spec;
  if (kind !== 'rrule' || businessDays !== undefined) return null;
  if ((dst?.gap ?? 'shift') !== 'shift' || (dst?.fold ?? 'first') !== 'first') return null;
  const { rules, extra, excluded } = readBlock(spec.expr, []);
  const [text, second] = rules;
  if (text === undefined || second !== undefined || extra.length > 0 || excluded.length > 0) return null;
  const rule = readRule(text, CHECKED, []);
  if (rule === null || rule.untilDay !== undefined || rule.byWeekNo) return null;
  if (rule.freq === 'SECONDLY' || rule.freq === 'MINUTELY' || rule.freq === 'HOURLY') return null;
  return rule.freq === 'YEARLY' && rule.byMonthDay && !rule.byMonth ? null : text;
}

/**
 * Every change of a zone's offset with `from <= at < to`.
 * @param from epoch milliseconds, as `to`; `at` in the answer is epoch seconds.
 * @throws PaoError PAO_SCHEDULE_INVALID when there is no such zone.
 */
export function zoneTransitions(tzid: string, from: number, to: number): Transition[] {
  return timeZone(tzid).transitions(Math.ceil(from / 1000), Math.ceil(to / 1000));
}
