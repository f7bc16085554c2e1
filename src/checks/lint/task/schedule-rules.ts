import { formatDuration, parseDuration } from '../../../domain/duration.js';
import { PaoError } from '../../../domain/errors.js';
import { nearestZone } from '../../../domain/nearest-zone.js';
import { isTimeZone, type Recurrence } from '../../../domain/recurrence/index.js';
import { anchored, isTimed, recurrenceOf } from '../../../domain/recurrence-of.js';
import { salvageTask } from '../../../domain/salvage-task.js';
import type { Schedule } from '../../../domain/schedule.js';
import type { TaskRule } from '../rule.js';

/** A schedule that can not be, or never fires. */
export const scheduleInvalid: TaskRule = {
  id: 'schedule-invalid',
  title: 'Every schedule can be computed and fires',
  kind: 'task',
  severity: 'error',
  fixable: false,
  check(file, tell, now) {
    for (const task of file.tasks) {
      // A task that is wrong elsewhere has a schedule all the same.
      const schedule = task.spec === null ? salvageTask(task.raw).schedule : task.spec.schedule;
      const zone = schedule?.timezone ?? 'UTC';
      const isZone: boolean = isTimeZone(zone);
      if (!isZone) {
        const near = nearestZone(zone);
        tell(task.span('/schedule/timezone'), `"${zone.slice(0, 40)}" is not a time zone`, {
          hint: near === null ? 'Use an IANA name such as Europe/Chisinau or UTC' : `Did you mean ${near}?`,
        });
      }
      // Whether an expression can be is the same in every zone, or nearly.
      const found = compile(isTimed(schedule) && !isZone ? { ...schedule, timezone: 'UTC' } : schedule, now);
      if (found === null || !(found instanceof PaoError)) continue;
      for (const { pointer, message, hint } of found.problems) {
        tell(task.span(`/schedule${pointer}`), message, hint === undefined ? {} : { hint });
      }
    }
  },
};

/** What the schedule does that a person might not expect. */
export const scheduleWarning: TaskRule = {
  id: 'schedule-warning',
  title: 'Schedules hold no surprise',
  kind: 'task',
  severity: 'warning',
  fixable: false,
  check(file, tell, now) {
    for (const task of file.tasks) {
      const recurrence = compile(task.spec?.schedule, now);
      if (recurrence === null || recurrence instanceof PaoError) continue;
      for (const { code, message, at } of recurrence.warnings(now)) {
        tell(task.span('/schedule/expr'), at === undefined ? message : `${message} (${at})`, {
          hint: `pao validate scheduler --file shows when it fires (${code})`,
        });
      }
    }
  },
};

/** A run that may take longer than the time to the next one will meet it. */
export const intervalTooShort: TaskRule = {
  id: 'interval-too-short',
  title: 'A run can end before the next one is due',
  kind: 'task',
  severity: 'warning',
  fixable: false,
  check(file, tell, now) {
    for (const task of file.tasks) {
      const { spec } = task;
      const recurrence = compile(task.spec?.schedule, now);
      const overlap = spec?.schedule?.overlap;
      // Who lets runs meet, or ends the earlier one, has thought of it.
      if (spec === null || overlap === 'allow' || overlap === 'cancel_previous') continue;
      const timeout = parseDuration(spec.timeout);
      const interval =
        spec.schedule?.kind === 'condition'
          ? parseDuration(spec.schedule.every)
          : recurrence === null || recurrence instanceof PaoError
            ? null
            : recurrence.shortestIntervalMs(now);
      if (interval === null || interval >= timeout) continue;
      const effect = overlap === 'queue' ? 'runs pile up in the queue' : 'occurrences are skipped';
      const given = task.raw['timeout'] === undefined ? 'the default timeout' : 'its timeout';
      const pointer = spec.schedule?.kind === 'condition' ? '/schedule/every' : '/schedule/expr';
      tell(
        task.span(pointer),
        `It is due every ${formatDuration(interval)}, and a run may take ${spec.timeout} (${given}): ${effect} then`,
        { hint: 'Set timeout below the interval, or say overlap: allow or cancel_previous' },
      );
    }
  },
};

/** The recurrence of a task; null when it has none, the error when it can not be. */
function compile(schedule: Schedule | undefined, now: number): Recurrence | PaoError | null {
  if (!isTimed(schedule) || !isTimeZone(schedule.timezone)) return null;
  try {
    return recurrenceOf(anchored(schedule, undefined, now));
  } catch (error) {
    if (error instanceof PaoError) return error;
    throw error;
  }
}
