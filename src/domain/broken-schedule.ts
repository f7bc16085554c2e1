import { parseDuration } from './duration.js';
import { isTimeZone } from './recurrence/time-zone.js';
import { isTimed, recurrenceOf } from './recurrence-of.js';
import type { Schedule } from './schedule.js';

/** The kind of the schedule that stands for one that can not be read; `why` says more. */
export const UNREADABLE = 'unreadable';

/**
 * Why a stored schedule can not be followed (the row was changed by hand, or an older zone is gone); null when it can. What
 * is handed in is checked before it is stored.
 */
export function whyBroken(schedule: Schedule | undefined): string | null {
  if (schedule === undefined) return null;
  const { kind, why } = schedule as { kind: string; why?: string };
  if (kind === UNREADABLE) return why ?? 'its definition can not be read';
  try {
    if (isTimed(schedule)) recurrenceOf(schedule);
    else if (schedule.kind === 'condition') parseDuration(schedule.every);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return isTimeZone(schedule.timezone) ? null : `"${schedule.timezone}" is not a time zone`;
}

/** The zone in which times of a task are shown: that of its schedule, UTC where there is none or it can not be read. */
export const zoneOf = (schedule: Schedule | undefined): string =>
  schedule !== undefined && isTimeZone(schedule.timezone) ? schedule.timezone : 'UTC';
