import { PaoError, type Problem } from '../errors.js';
import { defaultStart, type RecurrenceSpec } from './compile.js';
import { readInstant, readTime } from './instant-text.js';
import { compileRecurrence, MAX_TAKE, type Recurrence } from './recurrence.js';
import { readBlock } from './rrule-block.js';
import { oneProblem, quote } from './schedule-problem.js';
import { timeZone } from './time-zone.js';
import type { ScheduleWarning, WarningOptions } from './warnings.js';
import { formatInZone, isoInstant, utcTime } from './zone-format.js';

/** A time in any of the forms a person or program may have: text, epoch milliseconds, Date. */
export type TimeInput = string | number | Date;

/** What {@link nextOccurrences} is asked. */
export interface OccurrencesQuery extends Omit<RecurrenceSpec, 'tzid'> {
  /** May be left out when the expression says which time it means: an offset, a `Z` or a `TZID` of its own. */
  tzid?: string;
  /** Exclusive: text (local time of the zone when it has no offset), epoch milliseconds or a Date. */
  after: TimeInput;
  /** 1 to 100,000; 1 when left out. */
  count?: number;
}

/** One occurrence as shown to a person: in UTC and on the clock of its zone. */
export interface ShownOccurrence {
  /** RFC 3339 UTC, whole seconds. */
  at: string;
  /** `2026-11-24T08:30:00+02:00`. */
  local: string;
}

/** What {@link validate} found. */
export interface Verdict {
  valid: boolean;
  problems: Problem[];
  /** In words, with the next time; empty when not valid. */
  words: string;
  warnings: ScheduleWarning[];
  next: ShownOccurrence[];
  /** The zone whose clock counts. */
  timezone: string;
  /** Where an rrule is counted from, when it was not given: store this. */
  dtstart?: string;
}

/**
 * The next occurrences of a schedule strictly after a time, as RFC 3339 UTC in whole seconds.
 * An rrule without `dtstart` is counted from midnight, in its zone, of the day of `after`.
 * @throws PaoError PAO_SCHEDULE_INVALID when anything about the schedule or the question is not valid.
 */
export function nextOccurrences(query: OccurrencesQuery): string[] {
  const { after, count = 1, ...rest } = query;
  const spec = { ...rest, tzid: query.tzid ?? ownZone(query) };
  if (!Number.isInteger(count) || count < 1 || count > MAX_TAKE) {
    throw oneProblem('/count', `${quote(count)} is not a whole number from 1 to ${MAX_TAKE}.`);
  }
  const instant = readInstant(after, timeZone(spec.tzid), '/after');
  return anchored(spec, instant).recurrence.take(instant, count).map(isoInstant);
}

/**
 * A schedule in words with its next time after `now`:
 * `every weekday at 08:30 (Europe/Chisinau); next Tue 24 Nov 2026 08:30 (06:30Z)`.
 * @throws PaoError PAO_SCHEDULE_INVALID when the schedule is not valid.
 */
export function describe(spec: RecurrenceSpec, { now }: { now: number }): string {
  return withNext(anchored(spec, now).recurrence, now);
}

/** Checks a schedule and tells everything about it; never throws for an invalid one. */
export function validate(
  spec: RecurrenceSpec,
  options: { now: number; count?: number } & WarningOptions,
): Verdict {
  const { now, count = 5, ...rest } = options;
  try {
    const { recurrence, dtstart } = anchored(spec, now);
    return {
      valid: true,
      problems: [],
      words: withNext(recurrence, now),
      warnings: recurrence.warnings(now, rest),
      next: recurrence
        .take(now, count)
        .map((at) => ({ at: isoInstant(at), local: formatInZone(recurrence.tzid, at, 'iso') })),
      timezone: recurrence.tzid,
      ...(dtstart === undefined ? {} : { dtstart }),
    };
  } catch (error) {
    if (!(error instanceof PaoError)) throw error;
    return {
      valid: false,
      problems: error.problems,
      words: '',
      warnings: [],
      next: [],
      timezone: String(spec.tzid),
    };
  }
}

/** The zone an expression names itself; empty, and so refused, when it names none. */
function ownZone({ kind, expr }: OccurrencesQuery): string {
  if (typeof expr !== 'string') return '';
  if (kind === 'once') return readTime(expr)?.kind === 'instant' ? 'UTC' : '';
  if (kind !== 'rrule') return '';
  const { start } = readBlock(expr, []);
  return start?.time.kind === 'instant' ? 'UTC' : (start?.tzid ?? '');
}

/** Compiles with the default start when an rrule has none, beside it or in it. */
function anchored(spec: RecurrenceSpec, now: number): { recurrence: Recurrence; dtstart?: string } {
  const { dtstart: given, ...bare } = spec;
  const hasStart = given != null || (typeof spec.expr === 'string' && /(^|\n)DTSTART[;:]/i.test(spec.expr));
  if (spec.kind !== 'rrule' || hasStart) {
    return { recurrence: compileRecurrence(given == null ? bare : { ...bare, dtstart: given }) };
  }
  const dtstart = defaultStart(spec.tzid, now);
  return { recurrence: compileRecurrence({ ...bare, dtstart }), dtstart };
}

function withNext(recurrence: Recurrence, now: number): string {
  const next = recurrence.next(now);
  if (next === null) return `${recurrence.describe()}; never again`;
  return `${recurrence.describe()}; next ${formatInZone(recurrence.tzid, next)} (${utcTime(next)})`;
}
