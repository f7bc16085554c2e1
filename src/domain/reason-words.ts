import { CANCEL_TOO_LATE } from './run.js';

/** Why an occurrence did not run, or a run ended as it did, in words: by its `reason`. */
export const REASON_WORDS: Record<string, string> = {
  overlap: 'the run before it had not ended (overlap policy)',
  dedupe: 'the same dedupe key had run within its window',
  snoozed: 'the task was snoozed, or this one was skipped by hand',
  paused: 'the task was paused',
  budget: 'its budget did not reach',
  condition: 'the condition was not true',
  unchanged: 'nothing had changed since its step last did its work',
  loop: 'its event came out of a chain of runs and events that is too long: it goes in a circle',
  loop_rate: 'runs had triggered the task too often within a minute',
  window_limit: 'the task has as many windows of events open as it may have',
  schedule_changed: 'the schedule was changed before the window of its events closed',
  catchup_window: 'it was found too late, beyond the catch-up window',
  catchup_latest: 'several had come due while nothing ran, and only the latest is caught up',
  catchup_max: 'more had come due than are caught up',
  catchup_skip: 'it came due while nothing ran, and the task does not catch up',
  zone_database:
    'by the time zone database before this one its local time had come already, and has its row there',
  vacation: 'it came due on a vacation, and the task is skipped then (on_vacation)',
  quiet_hours: 'it was a quiet time',
  expired: 'nobody answered the question in time',
  lease_lost: 'the process that had it died or was cut off',
  filter_error: 'the filter of its event could not be evaluated',
  [CANCEL_TOO_LATE]: 'it was canceled when its work was done already',
  poison: 'workers died while they had it',
  restored: 'it came due before the database was restored from a backup, and was left out',
};
