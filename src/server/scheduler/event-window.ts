import { parseDuration } from '../../domain/duration.js';
import type { PublishedEvent } from '../../domain/event.js';
import { type EventSchedule, isSinceLast, MAX_EVENTS_TOGETHER } from '../../domain/schedule.js';
import type { DueTask, EventWindow, NewRun, WindowChange } from '../store/store.js';
import { isDuplicate, newRun, OverlapLedger } from './decide-due.js';
import { spanFrom } from './event-span.js';

/** Windows one task may have open at once, one for each value of its `key`. */
export const MAX_WINDOWS = 1000;
/** A window is closed when the payloads in it have more characters than this: a run must be able to hold them. */
const MAX_SIZE = 1_000_000;
/** Spans that passed without the event for which rows are written at once; the rest follows in the next transaction. */
const MAX_SPANS = 200;

type Decided = Pick<WindowChange, 'runs' | 'cancelActive'>;

/** Takes an event into the window of a task with `debounce` or `batch`. */
export function takeIn(
  due: DueTask,
  schedule: EventSchedule,
  event: PublishedEvent,
  key: string,
  open: EventWindow | null,
  now: number,
): WindowChange {
  const at = event.createdAt;
  const isOver = open !== null && open.closesAt <= at;
  const before = isOver ? null : open;
  // A pass that comes late finds events on both sides of the end of a window.
  const over = isOver ? togetherRun(due, schedule, open as EventWindow, now) : { runs: [] };
  const openedAt = before?.openedAt ?? at;
  const size = (before?.size ?? 0) + (JSON.stringify(event.payload)?.length ?? 0);
  const window: EventWindow = {
    key,
    kind: 'together',
    openedAt,
    closesAt: closingTime(schedule, openedAt, at),
    count: (before?.count ?? 0) + 1,
    size,
    eventIds: [...(before?.eventIds ?? []), event.id].slice(-MAX_EVENTS_TOGETHER),
  };
  const isFull = schedule.batch !== undefined && (window.count >= schedule.batch.size || size > MAX_SIZE);
  if (!isFull) return { window, ...over };
  return { window: null, ...joined(over, togetherRun(due, schedule, { ...window, closesAt: at }, now)) };
}

function closingTime({ debounce, batch }: EventSchedule, openedAt: number, at: number): number {
  if (batch !== undefined) return openedAt + parseDuration(batch.window);
  const { quiet, max_wait: most } = debounce as NonNullable<EventSchedule['debounce']>;
  const rested = at + parseDuration(quiet);
  return most === undefined ? rested : Math.min(rested, openedAt + parseDuration(most));
}

/** Begins a span in which the event of `absent` must come. One that is open goes on: the first deadline counts. */
export function beginSpan(
  due: DueTask,
  schedule: EventSchedule,
  event: PublishedEvent,
  key: string,
  open: EventWindow | null,
  now: number,
): WindowChange {
  const fresh = spanFrom(schedule, key, event.createdAt, [event.id]);
  if (open === null) return { window: fresh, runs: [] };
  if (open.closesAt >= event.createdAt) return { window: open, runs: [] };
  return { window: fresh, ...absentRuns(due, schedule, open, event.createdAt - 1, now).decided };
}

/** The event of `absent` has come: in time, or after the row that says it did not. */
export function endSpan(
  due: DueTask,
  schedule: EventSchedule,
  event: PublishedEvent,
  key: string,
  open: EventWindow | null,
  now: number,
): WindowChange {
  const at = event.createdAt;
  const window = isSinceLast(schedule) ? spanFrom(schedule, key, at, [event.id]) : null;
  if (open === null || open.closesAt >= at) return { window, runs: [] };
  return { window, ...absentRuns(due, schedule, open, at - 1, now).decided };
}

/** Decides what becomes of a window whose time is up: one row, also when the task can not run any more. */
export function closeWindow(due: DueTask, window: EventWindow, now: number): WindowChange {
  const { task } = due;
  const { schedule } = task.spec;
  const isOurs =
    schedule?.kind === 'event' &&
    (window.kind === 'absent' ? schedule.absent : (schedule.debounce ?? schedule.batch)) !== undefined;
  if (task.state !== 'active' || !isOurs) {
    const run = newRun(due, schedule, window.closesAt, 'event', now);
    const reason = task.state === 'active' ? 'schedule_changed' : task.state;
    return { window: null, runs: [{ ...run, ...carried(window), status: 'skipped', reason }] };
  }
  if (schedule.absent === undefined) return { window: null, ...togetherRun(due, schedule, window, now) };
  const { decided, next } = absentRuns(due, schedule, window, now, now);
  return { window: isSinceLast(schedule) ? next : null, ...decided };
}

/** The one run of the events of a window. */
function togetherRun(due: DueTask, schedule: EventSchedule, window: EventWindow, now: number): Decided {
  const run = newRun(due, schedule, window.closesAt, 'event', now);
  return admit(due, schedule, { ...run, eventId: window.eventIds.at(-1) ?? null, ...carried(window) }, now);
}

/**
 * A row for each span that ended without the event. Only the newest is run: what is known now is that it has not come.
 * @param until spans that end after this instant have not ended.
 */
function absentRuns(
  due: DueTask,
  schedule: EventSchedule,
  window: EventWindow,
  until: number,
  now: number,
): { decided: Decided; next: EventWindow } {
  const { within } = schedule.absent as NonNullable<EventSchedule['absent']>;
  const again = isSinceLast(schedule) ? parseDuration(within) : Number.POSITIVE_INFINITY;
  const runs: NewRun[] = [];
  let decided: Decided = { runs };
  let at = window.closesAt;
  for (; at <= until && runs.length < MAX_SPANS; at += again) {
    const run = { ...newRun(due, schedule, at, 'event', now), ...carried(window) };
    // Nothing else begins a span twice, so its event is that of one run.
    if (!isSinceLast(schedule)) run.eventId = window.eventIds[0] ?? null;
    if (at + again <= until) {
      runs.push({ ...run, status: 'missed', reason: 'catchup_latest' });
      continue;
    }
    decided = admit(due, schedule, run, now);
    runs.push(...decided.runs);
  }
  return { decided: { ...decided, runs }, next: { ...window, closesAt: at } };
}

/** Lets a run through, or says why it is left out: snoozed, dedupe, overlap. */
export function admit(due: DueTask, schedule: EventSchedule, run: NewRun, now: number): Decided {
  if (due.task.snoozedUntil !== null && now < due.task.snoozedUntil)
    return { runs: [{ ...run, status: 'skipped', reason: 'snoozed' }] };
  if (isDuplicate(due, due.lastDedupeAt, now))
    return { runs: [{ ...run, status: 'skipped', reason: 'dedupe' }] };
  const overlap = new OverlapLedger(due, schedule);
  overlap.admit(run);
  if (run.status === 'queued') {
    // The store hands the same candidate objects to the next event of the batch.
    due.activeRuns += 1;
    due.queuedRuns += 1;
    due.lastDedupeAt = now;
    if (due.recentRuns !== undefined) due.recentRuns += 1;
  }
  return { runs: [run], ...(overlap.cancelsActive ? { cancelActive: true } : {}) };
}

const carried = ({ count, eventIds }: EventWindow): Pick<NewRun, 'events'> => ({
  events: { count, ids: eventIds },
});

const joined = (first: Decided, second: Decided): Decided => ({
  runs: [...first.runs, ...second.runs],
  ...(first.cancelActive === true || second.cancelActive === true ? { cancelActive: true } : {}),
});
