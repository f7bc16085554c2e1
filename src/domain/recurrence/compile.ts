import type { Problem } from '../errors.js';
import { type BusinessDaysSpec, businessDays } from './business-days.js';
import { DAY, FIRST_SECOND, LAST_SECOND } from './civil.js';
import { CronRule, type DayMatch } from './cron-rule.js';
import { readCron } from './cron-text.js';
import { type Anchor, readAnchor, readTime } from './instant-text.js';
import { type DstPolicy, ruleSource } from './rrule-source.js';
import { Dates } from './rule-set.js';
import { oneProblem, quote, scheduleInvalid } from './schedule-problem.js';
import { type TimeZone, timeZone } from './time-zone.js';
import { type InstantSource, ZonedWalls } from './wall-pattern.js';
import { instantsOfWall } from './wall-time.js';
import { isoInstant } from './zone-format.js';

/** A schedule that names instants by itself. */
export interface RecurrenceSpec {
  kind: 'cron' | 'rrule' | 'once';
  /** A cron expression, an RRULE (or lines of DTSTART, RRULE, RDATE, EXDATE), or a time. */
  expr: string;
  /** IANA name of the zone whose clock counts. */
  tzid: string;
  /** Where INTERVAL and COUNT are counted from: text (local time when it has no offset) or epoch milliseconds. */
  dtstart?: string | number | Date;
  dst?: DstPolicy;
  /** For cron: whether both day fields must match, or one is enough (the default). */
  dayMatch?: DayMatch;
  businessDays?: BusinessDaysSpec;
}

/** A schedule made ready to compute with. */
export interface CompiledSource {
  source: InstantSource;
  /** The zone that counts: the one of the specification, or the one an expression names itself. */
  zone: TimeZone;
  /** Start of an rrule. */
  anchor: Anchor | null;
  /** The expression names a start of its own that differs from the one it was given. */
  ownStart: boolean;
  /** Its fixed local times, which a gap or a fold can hit; none for what follows elapsed or real time. */
  walls: readonly ZonedWalls[];
}

/**
 * Checks a specification and makes its source of instants.
 * @throws PaoError PAO_SCHEDULE_INVALID when it is not valid or never fires.
 */
export function compileSource(spec: RecurrenceSpec): CompiledSource {
  const zone = timeZone(spec.tzid);
  checkOptions(spec);
  if (typeof spec.expr !== 'string' || spec.expr === '') {
    throw oneProblem('/expr', 'The expression is missing.', 'Write a cron expression, an RRULE or a time.');
  }
  const compiled = compileKind(spec, zone);
  if (!spec.businessDays) return compiled;
  const source = businessDays(compiled.source, compiled.zone, spec.businessDays);
  const start = (compiled.anchor?.instant ?? 0) - 40 * DAY;
  if (source.next(Math.max(start, FIRST_SECOND)) > LAST_SECOND) {
    throw oneProblem('/business_days', 'On working days alone the schedule never fires.');
  }
  return { ...compiled, source };
}

function compileKind(spec: RecurrenceSpec, zone: TimeZone): CompiledSource {
  switch (spec.kind) {
    case 'cron':
      return { ...cronSource(spec, zone), zone, anchor: null, ownStart: false };
    case 'once':
      return { source: onceSource(spec, zone), zone, anchor: null, ownStart: false, walls: [] };
    case 'rrule': {
      const given = spec.dtstart === undefined ? null : readAnchor(spec.dtstart, zone, '/dtstart');
      return ruleSource(spec.expr, zone, given, spec.dst ?? {});
    }
    default:
      throw oneProblem(
        '/kind',
        `There is no schedule kind ${quote(spec.kind)} that names instants.`,
        'Write cron, rrule or once.',
      );
  }
}

function cronSource(spec: RecurrenceSpec, zone: TimeZone): Pick<CompiledSource, 'source' | 'walls'> {
  const problems: Problem[] = [];
  const parts = readCron(spec.expr, problems);
  if (!parts) throw scheduleInvalid(problems);
  const rule = new CronRule(parts, spec.dayMatch ?? 'or');
  // From any start: the calendar repeats after 400 years.
  if (rule.nextWall(0) === Infinity) {
    throw oneProblem(
      '/expr',
      `The cron expression ${quote(spec.expr)} never fires.`,
      'No month has such a day.',
    );
  }
  // A wildcard means "all the time": it follows real time through a fold, and a gap takes nothing from it.
  const gap = spec.dst?.gap ?? (parts.fixedTime ? 'next' : 'skip');
  const fold = spec.dst?.fold ?? (parts.fixedTime ? 'first' : 'both');
  const source = new ZonedWalls(rule, zone, gap, fold);
  return { source, walls: parts.fixedTime || parts.hours.length < 24 ? [source] : [] };
}

function onceSource(spec: RecurrenceSpec, zone: TimeZone): InstantSource {
  const time = readTime(spec.expr);
  if (!time || (time.kind === 'wall' && time.dateOnly)) {
    throw oneProblem(
      '/expr',
      `${quote(spec.expr)} is not a date and time that exists.`,
      'Write 2026-11-24T08:30:00+02:00, or 2026-11-24T08:30:00 for local time of the zone.',
    );
  }
  if (time.kind === 'instant') return new Dates([time.second]);
  const fold = spec.dst?.fold === 'second' ? 'second' : 'first';
  const instants = instantsOfWall(zone, time.second, spec.dst?.gap ?? 'shift', fold);
  if (instants.length > 0) return new Dates(instants);
  throw oneProblem(
    '/expr',
    `The time ${quote(spec.expr)} does not exist in ${zone.name}: the clock jumps over it.`,
    'Choose another time, or dst: {gap: shift}.',
  );
}

function checkOptions(spec: RecurrenceSpec): void {
  const problems: Problem[] = [];
  const check = (pointer: string, value: unknown, allowed: readonly string[]): void => {
    if (value === undefined || allowed.includes(value as string)) return;
    problems.push({
      pointer,
      message: `${quote(value)} is not allowed here.`,
      hint: `Write ${allowed.join(', ')}.`,
    });
  };
  check('/dst/gap', spec.dst?.gap, ['shift', 'next', 'skip']);
  check('/dst/fold', spec.dst?.fold, ['first', 'second', 'both']);
  check('/day_match', spec.dayMatch, ['or', 'and']);
  if (problems.length > 0) throw scheduleInvalid(problems);
}

/**
 * The start an rrule gets when none was given: midnight, in its zone, of the day that holds `instant` (epoch
 * milliseconds). So `FREQ=HOURLY` fires on the hour and `FREQ=MINUTELY;INTERVAL=15` on the quarters.
 * @returns RFC 3339 UTC, to be stored with the schedule.
 */
export function defaultStart(tzid: string, instant: number): string {
  const zone = timeZone(tzid);
  const second = Math.floor(instant / 1000);
  const day = Math.floor((second + zone.offsetAt(second)) / DAY);
  return isoInstant((instantsOfWall(zone, day * DAY, 'next', 'first')[0] as number) * 1000);
}
