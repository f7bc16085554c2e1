import type { Task } from './task.js';

/**
 * What a person who resumed a task wants done with the occurrences that came due while it was paused. It is kept in the
 * memory of the task until they have their rows.
 */
export interface ResumeOrder {
  /** Leave them out, run the newest alone, or run all (the newest 1000). */
  catchup: 'skip' | 'latest' | 'all';
  /** It is about occurrences before this instant, epoch milliseconds. */
  before: number;
}

/** The change of a task that gives this order. */
export function withResumeOrder(order: ResumeOrder): Pick<Task, 'memory'> {
  return { memory: { resume: { ...order } } };
}

/** The order that waits to be carried out; null when there is none. */
export function resumeOrderOf({ memory }: Pick<Task, 'memory'>): ResumeOrder | null {
  return (memory?.['resume'] as ResumeOrder | undefined) ?? null;
}
