import { tryParseDuration } from '../duration.js';
import type { RecurrenceSpec } from './compile.js';
import { oneProblem, quote } from './schedule-problem.js';

const UNITS = [
  [604_800, 'WEEKLY'],
  [86_400, 'DAILY'],
  [3600, 'HOURLY'],
  [60, 'MINUTELY'],
  [1, 'SECONDLY'],
] as const;

/**
 * The rule of an interval such as `15m`, `6h`, `2d`; null when it is not a whole number of seconds. Seconds, minutes and
 * hours are elapsed time; whole days and weeks keep their local time when the clock changes.
 */
export function intervalRule(every: string): string | null {
  const milliseconds = tryParseDuration(every);
  if (milliseconds === null || milliseconds < 1000 || milliseconds % 1000 !== 0) return null;
  const seconds = milliseconds / 1000;
  // "24h" is 24 hours of elapsed time; only who writes days or weeks means the calendar.
  const calendar = /^[0-9]+[dw]$/.test(every);
  const [size, freq] = UNITS.find(
    ([unit]) => seconds % unit === 0 && (calendar || unit <= 3600),
  ) as (typeof UNITS)[number];
  const interval = seconds / size;
  return interval === 1 ? `FREQ=${freq}` : `FREQ=${freq};INTERVAL=${interval}`;
}

/**
 * The schedule of an interval (see {@link intervalRule}), counted from `dtstart`.
 * @throws PaoError PAO_SCHEDULE_INVALID with pointer `/every` when it is not a whole number of seconds.
 */
export function everyInterval(every: string, tzid: string, dtstart: string | number): RecurrenceSpec {
  const expr = intervalRule(every);
  if (expr !== null) return { kind: 'rrule', expr, tzid, dtstart };
  throw oneProblem(
    '/every',
    `${quote(every)} is not an interval.`,
    'Write a number and a unit: 30s, 15m, 6h, 1d, 2w.',
  );
}
