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
/** Spans that passed without the event for which rows are written at once; the rest follows in the next transactions. */
const MAX_SPANS = 200;
/** Begins the key of a window that is only there until its rows are written; no event has it in its key. */
export const REST = '\u0001';

type Decided = Pick<WindowChange, 'runs' | 'cancelActive' | 'rest'>;

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
  if (isRest(window)) return writeRest(due, window, now);
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
 * The older ones are `missed`; after a long sleep there may be any number of them, and `rest` is worked off in slices.
 * @param until spans that end after this instant have not ended; the first one has.
 */
function absentRuns(
  due: DueTask,
  schedule: EventSchedule,
  window: EventWindow,
  until: number,
  now: number,
): { decided: Decided; next: EventWindow } {
  const { within } = schedule.absent as NonNullable<EventSchedule['absent']>;
  const span = parseDuration(within);
  const before = isSinceLast(schedule) ? Math.floor((until - window.closesAt) / span) : 0;
  const last = window.closesAt + before * span;
  const run = { ...newRun(due, schedule, last, 'event', now), ...carried(window) };
  // Nothing else begins a span twice, so its event is that of one run.
  if (!isSinceLast(schedule)) run.eventId = window.eventIds[0] ?? null;
  const older: EventWindow = {
    ...window,
    key: `${REST}${window.closesAt}/${window.key}`,
    openedAt: window.closesAt - span,
    size: before,
  };
  const { runs, window: rest } = before === 0 ? { runs: [], window: null } : writeRest(due, older, now);
  const decided = admit(due, schedule, run, now);
  return {
    decided: { ...decided, runs: [...runs, ...decided.runs], ...(rest === null ? {} : { rest }) },
    next: { ...window, closesAt: last + span },
  };
}

/** Whether a window stands for spans that ended long ago, `size` of them, whose rows are still to be written. */
const isRest = ({ kind, size }: EventWindow): boolean => kind === 'absent' && size > 0;

/** The next rows of spans that ended long ago, whatever the task is now. */
function writeRest(due: DueTask, window: EventWindow, now: number): WindowChange {
  const span = window.closesAt - window.openedAt;
  const count = Math.min(window.size, MAX_SPANS);
  const runs = Array.from({ length: count }, (_, index): NewRun => {
    const at = window.closesAt + index * span;
    const run = newRun(due, due.task.spec.schedule, at, 'event', now);
    return { ...run, ...carried(window), status: 'missed', reason: 'catchup_latest' };
  });
  if (count === window.size) return { window: null, runs };
  const [openedAt, closesAt] = [window.openedAt + count * span, window.closesAt + count * span];
  return { window: { ...window, openedAt, closesAt, size: window.size - count }, runs };
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
