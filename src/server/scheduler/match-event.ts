import { type PublishedEvent, topicMatches } from '../../domain/event.js';
import { evaluateCondition } from '../../domain/pipeline/template.js';
import type { DueTask, NewRun } from '../store/store.js';
import { isDuplicate, newRun, OverlapLedger } from './decide-due.js';

export interface EventMatch {
  taskId: string;
  run: NewRun;
  cancelActive?: boolean;
}

/**
 * Decides which tasks an event triggers. Pure.
 * A filter that can not be evaluated leaves a `skipped` row that says so: a trigger is never lost silently.
 */
export function matchEvent(event: PublishedEvent, candidates: DueTask[], now: number): EventMatch[] {
  const matches: EventMatch[] = [];
  for (const due of candidates) {
    const schedule = due.task.spec.schedule;
    if (schedule?.kind !== 'event' || !topicMatches(schedule.topic, event.topic)) continue;
    const run = newRun(due, schedule, event.createdAt, 'event', now);
    run.eventId = event.id;
    run.traceId = event.traceId;
    const verdict = passesFilter(schedule.filter, event);
    if (verdict === false) continue;
    if (verdict !== true) Object.assign(run, { status: 'skipped', reason: verdict });
    else if (due.task.snoozedUntil !== null && now < due.task.snoozedUntil) {
      Object.assign(run, { status: 'skipped', reason: 'snoozed' });
    } else if (isDuplicate(due, due.lastDedupeAt, now))
      Object.assign(run, { status: 'skipped', reason: 'dedupe' });
    else {
      const overlap = new OverlapLedger(due, schedule);
      overlap.admit(run);
      if (run.status === 'queued') {
        // The store hands the same candidate objects to the next event of the batch.
        due.activeRuns += 1;
        due.queuedRuns += 1;
        due.lastDedupeAt = now;
      }
      matches.push({ taskId: due.task.id, run, ...(overlap.cancelsActive ? { cancelActive: true } : {}) });
      continue;
    }
    matches.push({ taskId: due.task.id, run });
  }
  return matches;
}

function passesFilter(filter: string | undefined, event: PublishedEvent): boolean | 'filter_error' {
  if (filter === undefined) return true;
  try {
    return evaluateCondition(filter, {
      topic: event.topic,
      payload: event.payload,
      event: { topic: event.topic, payload: event.payload },
    });
  } catch {
    return 'filter_error';
  }
}
