import { type PublishedEvent, topicMatches } from '../../domain/event.js';
import { eventView, passesFilter } from '../../domain/event-filter.js';
import { evaluateExpression } from '../../domain/pipeline/template.js';
import { type EventSchedule, isSinceLast } from '../../domain/schedule.js';
import type { DueTask, EventMatch, NewRun } from '../store/store.js';
import { newRun } from './decide-due.js';
import { admit, beginSpan, endSpan, MAX_WINDOWS, REST, takeIn } from './event-window.js';

/** Events in one chain of causes; what goes on after it is a loop. */
const MAX_DEPTH = 16;
/** Runs of one task that other runs may cause within a minute. */
const MAX_CAUSED_RUNS = 60;

/**
 * Decides what an event does to which tasks. Pure.
 * What keeps an event from triggering a task, other than its filter, leaves a `skipped` row that says so: a trigger is
 * never lost silently.
 */
export function matchEvent(event: PublishedEvent, candidates: DueTask[], now: number): EventMatch[] {
  return candidates.flatMap((due): EventMatch[] => {
    const { schedule } = due.task.spec;
    if (schedule?.kind !== 'event') return [];
    try {
      return reactionsOf(due, schedule, event, now);
    } catch {
      return [skipped(due, schedule, event, 'filter_error', now)];
    }
  });
}

function reactionsOf(
  due: DueTask,
  schedule: EventSchedule,
  event: PublishedEvent,
  now: number,
): EventMatch[] {
  const { absent } = schedule;
  const ends =
    absent !== undefined && topicMatches(absent.topic, event.topic) && passesFilter(absent.filter, event);
  const begins =
    !(absent !== undefined && isSinceLast(schedule)) &&
    topicMatches(schedule.topic, event.topic) &&
    passesFilter(schedule.filter, event);
  if (!ends && !begins) return [];
  const loop = begins ? loopReason(due, event) : null;
  if (loop !== null) return [skipped(due, schedule, event, loop, now)];
  const taskId = due.task.id;
  if (absent === undefined && schedule.debounce === undefined && schedule.batch === undefined) {
    const run = { ...newRun(due, schedule, event.createdAt, 'event', now), ...causeOf(event) };
    const { runs, cancelActive } = admit(due, schedule, run, now);
    return [{ taskId, run: runs[0] as NewRun, ...(cancelActive === true ? { cancelActive } : {}) }];
  }
  const key = keyOf(schedule, event);
  const change = absent === undefined ? takeIn : ends ? endSpan : beginSpan;
  const reactions: EventMatch[] = [
    {
      taskId,
      key,
      change: (open, others) =>
        open === null && others >= MAX_WINDOWS
          ? { window: null, runs: [skipped(due, schedule, event, 'window_limit', now).run] }
          : change(due, schedule, event, key, open, now),
    },
  ];
  // One event may end a span and begin the next.
  if (ends && begins)
    reactions.push({ taskId, key, change: (open) => beginSpan(due, schedule, event, key, open, now) });
  return reactions;
}

/** Why an event that a run published triggers nothing more; null when it may. */
function loopReason(due: DueTask, event: PublishedEvent): string | null {
  if (event.depth > MAX_DEPTH) return 'loop';
  return event.depth > 0 && (due.recentRuns ?? 0) >= MAX_CAUSED_RUNS ? 'loop_rate' : null;
}

function skipped(due: DueTask, schedule: EventSchedule, event: PublishedEvent, reason: string, now: number) {
  const run: NewRun = {
    ...newRun(due, schedule, event.createdAt, 'event', now),
    ...causeOf(event),
    status: 'skipped',
    reason,
  };
  return { taskId: due.task.id, run };
}

const causeOf = (event: PublishedEvent) => ({ eventId: event.id, traceId: event.traceId });

/** Which of its windows an event belongs in. @throws TemplateError when the expression has no answer. */
function keyOf(schedule: EventSchedule, event: PublishedEvent): string {
  if (schedule.key === undefined) return '';
  const value = evaluateExpression(schedule.key, eventView(event), {
    zone: schedule.timezone,
    pointer: '/schedule/key',
  });
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return text.slice(0, 200).replaceAll(REST, ' ');
}
