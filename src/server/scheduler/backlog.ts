import type { DueDecision } from '../store/store.js';

/** Key of the store's meta table under which the newest summary is kept, as JSON. */
export const BACKLOG_KEY = 'backlog';

/** What had come due while no scheduler ran, and what became of it. */
export interface BacklogSummary {
  /** When it was written, epoch milliseconds. */
  at: number;
  tasks: number;
  /** Occurrences that run now, late. */
  caughtUp: number;
  missed: number;
  skipped: number;
  /** How many of those missed and skipped there are for each reason. */
  reasons: Record<string, number>;
  /** The first occurrence among them, epoch milliseconds; null when there is none. */
  first: number | null;
}

/** Counts what the first pass of a scheduler finds late. */
export class Backlog {
  readonly #tasks = new Set<string>();
  readonly #summary: BacklogSummary = {
    at: 0,
    tasks: 0,
    caughtUp: 0,
    missed: 0,
    skipped: 0,
    reasons: {},
    first: null,
  };

  constructor(private readonly misfireAfterMs: number) {}

  /** Takes in the decisions about some tasks (by id) that were written at `now`. */
  add(decisions: ReadonlyMap<string, DueDecision>, now: number): void {
    const summary = this.#summary;
    for (const [taskId, { runs }] of decisions) {
      for (const { status, reason, scheduledFor } of runs) {
        if (now - scheduledFor <= this.misfireAfterMs) continue;
        this.#tasks.add(taskId);
        if (summary.first === null || scheduledFor < summary.first) summary.first = scheduledFor;
        summary[status === 'queued' ? 'caughtUp' : status] += 1;
        if (status !== 'queued' && reason !== null)
          summary.reasons[reason] = (summary.reasons[reason] ?? 0) + 1;
      }
    }
  }

  summary(now: number): BacklogSummary {
    return { ...this.#summary, at: now, tasks: this.#tasks.size };
  }
}
