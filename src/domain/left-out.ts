import { parseDuration } from './duration.js';
import { isTimed, recurrenceOf } from './recurrence-of.js';
import type { Task } from './task.js';

type Due = Pick<Task, 'nextDueAt' | 'snoozedUntil' | 'spec'>;

/** Occurrences that are left out are counted up to this many. */
const MOST_COUNTED = 100;

/** The next occurrence of a task that a person has not skipped or snoozed; null when there is none. Epoch milliseconds. */
export function nextNotLeftOut({ nextDueAt, snoozedUntil, spec }: Due): number | null {
  const { schedule } = spec;
  if (nextDueAt === null || snoozedUntil === null || nextDueAt >= snoozedUntil) return nextDueAt;
  if (isTimed(schedule)) return recurrenceOf(schedule).next(snoozedUntil - 1);
  if (schedule?.kind !== 'condition') return null;
  const every = parseDuration(schedule.every);
  return nextDueAt + Math.ceil((snoozedUntil - nextDueAt) / every) * every;
}

/** How many occurrences a person has skipped or snoozed before that one; 100 at most. */
export function countLeftOut({ nextDueAt, snoozedUntil, spec }: Due): number {
  const { schedule } = spec;
  if (nextDueAt === null || snoozedUntil === null || nextDueAt >= snoozedUntil || !isTimed(schedule))
    return 0;
  const instants = recurrenceOf(schedule).take(nextDueAt - 1, MOST_COUNTED);
  return instants.filter((at) => at < snoozedUntil).length;
}
