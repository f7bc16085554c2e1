import { compileRecurrence, defaultStart, type Recurrence, type RecurrenceSpec } from './recurrence/index.js';
import type { Schedule, TimedSchedule } from './schedule.js';

/** Whether a schedule names instants by itself (not by events or observations). */
export function isTimed(schedule: Schedule | undefined): schedule is TimedSchedule {
  return (
    schedule !== undefined &&
    (schedule.kind === 'cron' || schedule.kind === 'rrule' || schedule.kind === 'once')
  );
}

/** A timed schedule as the recurrence engine takes it. */
export function specOfSchedule(schedule: TimedSchedule): RecurrenceSpec {
  const dst = schedule.dst && {
    ...(schedule.dst.gap === undefined ? {} : { gap: schedule.dst.gap }),
    ...(schedule.dst.fold === undefined ? {} : { fold: schedule.dst.fold }),
  };
  const businessDays = schedule.business_days && {
    calendar: schedule.business_days.calendar,
    roll: schedule.business_days.roll,
    ...(schedule.business_days.dates === undefined ? {} : { dates: schedule.business_days.dates }),
  };
  return {
    kind: schedule.kind,
    expr: schedule.expr,
    tzid: schedule.timezone,
    ...(schedule.dtstart === undefined ? {} : { dtstart: schedule.dtstart }),
    ...(dst === undefined ? {} : { dst }),
    ...(schedule.kind === 'cron' && schedule.day_match !== undefined ? { dayMatch: schedule.day_match } : {}),
    ...(businessDays === undefined ? {} : { businessDays }),
  };
}

/**
 * The recurrence of a timed schedule, compiled (and cached) by the recurrence engine.
 * @throws PaoError PAO_SCHEDULE_INVALID when the schedule can not be.
 */
export function recurrenceOf(schedule: TimedSchedule): Recurrence {
  return compileRecurrence(specOfSchedule(schedule));
}

/**
 * The schedule with a start to count from: what INTERVAL and COUNT mean must never depend on when they are looked at.
 * @param before the same task's schedule until now: a start it was given stays when the rule is the same.
 * @param now epoch milliseconds.
 */
export function anchored<T extends Schedule>(schedule: T, before: Schedule | undefined, now: number): T {
  if (schedule.kind !== 'rrule' || schedule.dtstart !== undefined) return schedule;
  if (/(^|\n)DTSTART[;:]/i.test(schedule.expr)) return schedule;
  if (before?.kind === 'rrule' && before.expr === schedule.expr && before.timezone === schedule.timezone)
    return before.dtstart === undefined ? schedule : { ...schedule, dtstart: before.dtstart };
  // With COUNT, what lies between midnight and now would be counted and never run.
  const start = /(^|;|:)COUNT=/.test(schedule.expr)
    ? new Date(Math.floor(now / 1000) * 1000).toISOString().replace('.000Z', 'Z')
    : defaultStart(schedule.timezone, now);
  return { ...schedule, dtstart: start };
}
