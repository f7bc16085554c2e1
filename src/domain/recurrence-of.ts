import { compileRecurrence, type Recurrence } from './recurrence/index.js';
import type { Schedule, TimedSchedule } from './schedule.js';

/** Whether a schedule names instants by itself (not by events or observations). */
export function isTimed(schedule: Schedule | undefined): schedule is TimedSchedule {
  return (
    schedule !== undefined &&
    (schedule.kind === 'cron' || schedule.kind === 'rrule' || schedule.kind === 'once')
  );
}

/**
 * The recurrence of a timed schedule, compiled (and cached) by the recurrence engine.
 * @throws PaoError PAO_SCHEDULE_INVALID when the schedule can not be.
 */
export function recurrenceOf(schedule: TimedSchedule): Recurrence {
  const dst = schedule.dst && {
    ...(schedule.dst.gap === undefined ? {} : { gap: schedule.dst.gap }),
    ...(schedule.dst.fold === undefined ? {} : { fold: schedule.dst.fold }),
  };
  const businessDays = schedule.business_days && {
    calendar: schedule.business_days.calendar,
    roll: schedule.business_days.roll,
    ...(schedule.business_days.dates === undefined ? {} : { dates: schedule.business_days.dates }),
  };
  return compileRecurrence({
    kind: schedule.kind,
    expr: schedule.expr,
    tzid: schedule.timezone,
    ...(schedule.dtstart === undefined ? {} : { dtstart: schedule.dtstart }),
    ...(dst === undefined ? {} : { dst }),
    ...(schedule.kind === 'cron' && schedule.day_match !== undefined ? { dayMatch: schedule.day_match } : {}),
    ...(businessDays === undefined ? {} : { businessDays }),
  });
}
