import { nearest } from '../../domain/nearest.js';
import {
  type RecurrenceSpec,
  ruleFromText,
  type ShownOccurrence,
  validate,
} from '../../domain/recurrence/index.js';
import { intervalRule } from '../../domain/recurrence/interval.js';
import { CheckFailure, CheckWarning, type Evidence } from '../check.js';

/** What is said about a schedule that can be. */
export interface ScheduleEvidence extends Evidence {
  kind: string;
  words: string;
  timezone: string;
  next: ShownOccurrence[];
  warnings: { code: string; message: string }[];
}

/** What an expression is, by how it begins; anything else is taken for cron. */
export function kindOf(expr: string): RecurrenceSpec['kind'] {
  if (/(^|\n|;|:)\s*FREQ\s*=|^\s*(RRULE|DTSTART|RDATE|EXDATE)[;:]|^\s*[A-Z]+=/i.test(expr)) return 'rrule';
  return /^\s*[0-9]{4}-?[0-9]{2}-?[0-9]{2}/.test(expr) ? 'once' : 'cron';
}

/**
 * Checks a schedule for a check of the suite.
 * @throws CheckFailure when it can not be, CheckWarning when a person might not expect what it does.
 */
export async function verdictOf(
  spec: RecurrenceSpec,
  options: { now: number; count: number; assumedZone: boolean },
): Promise<ScheduleEvidence> {
  const verdict = validate(spec, options);
  const base = { kind: spec.kind, expr: spec.expr, timezone: verdict.timezone };
  if (!verdict.valid) {
    const [problem] = verdict.problems;
    const message = verdict.problems.map((one) => one.message).join(' ');
    const meant = (await meantBy(spec, options)) ?? problem?.hint ?? 'pao help validate scheduler';
    throw new CheckFailure(message, meant, { ...base, problems: verdict.problems });
  }
  const { words, next, warnings, dtstart } = verdict;
  const evidence: ScheduleEvidence = {
    ...base,
    words,
    next,
    warnings: warnings.map(({ code, message }) => ({ code, message })),
    ...(dtstart === undefined ? {} : { dtstart }),
  };
  if (warnings.length === 0) return evidence;
  const text = warnings.map(({ message }) => message).join(' ');
  throw new CheckWarning(
    text,
    `pao validate scheduler ${JSON.stringify(spec.expr)} --timezone ${verdict.timezone} --count 20`,
    evidence,
  );
}

const WORDS = [
  ...['SECONDLY', 'MINUTELY', 'HOURLY', 'DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'],
  ...[
    'FREQ',
    'INTERVAL',
    'COUNT',
    'UNTIL',
    'BYSECOND',
    'BYMINUTE',
    'BYHOUR',
    'BYDAY',
    'BYMONTHDAY',
    'BYYEARDAY',
  ],
  ...['BYWEEKNO', 'BYMONTH', 'BYSETPOS', 'WKST', 'RRULE', 'DTSTART', 'EXDATE', 'RDATE', 'TZID'],
  ...['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'],
  ...['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'],
  ...['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'],
];
const KNOWN = new Set(WORDS.map((word) => word.toUpperCase()));

/** What was probably meant by an expression that is refused: another one that is taken; null when nothing is near. */
async function meantBy(spec: RecurrenceSpec, options: { now: number }): Promise<string | null> {
  const isTaken = (expr: string, kind: RecurrenceSpec['kind']): boolean =>
    validate({ ...spec, kind, expr }, { now: options.now, count: 1 }).valid;
  const corrected = spec.expr.replace(/@?[A-Za-z]{2,}/g, (word) =>
    KNOWN.has(word.toUpperCase()) ? word : (nearest(word, WORDS) ?? word),
  );
  if (corrected !== spec.expr && isTaken(corrected, kindOf(corrected))) return `Did you mean "${corrected}"?`;
  const interval = intervalRule(spec.expr.trim().replace(/^every\s+/i, ''));
  const rule = interval ?? (await ruleFromText(spec.expr).catch(() => 'no rule'));
  return isTaken(rule, 'rrule') ? `Did you mean "${rule}"?` : null;
}
