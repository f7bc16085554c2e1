import { counted } from '../../domain/counted.js';
import { parseDuration } from '../../domain/duration.js';
import { listensTo, type PublishedEvent, topicMatches } from '../../domain/event.js';
import { passesFilter } from '../../domain/event-filter.js';
import { TemplateError } from '../../domain/pipeline/template-error.js';
import type { Run } from '../../domain/run.js';
import { type EventSchedule, isSinceLast } from '../../domain/schedule.js';
import type { Task } from '../../domain/task.js';
import type { EventWindow, Store } from '../store/store.js';
import { localTime } from './views.js';
import { windowWords } from './window-view.js';

/** Something to say about an instant. */
interface Said {
  at: number;
  text: string;
}

/** How far from the instant an event may be to be the one that is meant, milliseconds. */
const NEAR_MS = 60_000;
/** Pages of events that are looked through, newest first, and events on each. */
const PAGES = 20;
const PAGE = 500;
/** Events that are told of one by one. */
const TOLD = 10;
/** Runs whose events are looked at. */
const RUNS = 200;
/** A debounce without `max_wait` is open for as long as events come; one that lasted longer is not looked for. */
const LONGEST_BURST = '1d';

/**
 * What an instant was for a task that runs on events: each event near it with what became of it, and each window that
 * was open then.
 * @param runs those of the task around the instant.
 */
export async function explainEvents(
  task: Task,
  schedule: EventSchedule,
  at: number,
  runs: readonly Run[],
  store: Store,
): Promise<Said[]> {
  const closed = await closedWindows(task.id, schedule, at, runs, store);
  const open = await store.listWindows(task.id);
  const events = await eventsNear(schedule, at, store);
  const told = events.slice(0, TOLD).map(
    (event): Said => ({
      at: event.createdAt,
      text: `${event.topic} at ${localTime(event.createdAt, zoneOf(schedule))} (${event.id}): ${fateOf(event, task, schedule, { runs, closed, open })}.`,
    }),
  );
  if (events.length > TOLD) told.push({ at, text: `${events.length - TOLD} more events came then.` });
  const wasIn = closed.filter(({ run, since }) => since <= at && at <= run.scheduledFor);
  const windows = wasIn.map(({ run, since, count }): Said => {
    const zone = zoneOf(schedule);
    const span = `from ${localTime(since, zone)} to ${localTime(run.scheduledFor, zone)}`;
    const what =
      schedule.absent === undefined
        ? `A window with ${counted(count, 'event')} was open ${span}`
        : `${schedule.absent.topic} did not come ${span}`;
    return { at: run.scheduledFor, text: `${what}: ${endOf(run)}.` };
  });
  return [...told, ...windows];
}

/** A run that stands for a window that closed. */
interface ClosedWindow {
  run: Run;
  since: number;
  count: number;
  eventIds: ReadonlySet<string>;
}

async function closedWindows(
  taskId: string,
  schedule: EventSchedule,
  at: number,
  runs: readonly Run[],
  store: Store,
): Promise<ClosedWindow[]> {
  const { absent, batch, debounce } = schedule;
  const longest = absent?.within ?? batch?.window ?? debounce?.max_wait ?? (debounce && LONGEST_BURST);
  if (longest === undefined) return [];
  // A window that was open at the instant closed after it.
  const later = await store.listRuns({ taskId, since: at, until: at + parseDuration(longest), limit: RUNS });
  const found: ClosedWindow[] = [];
  for (const run of new Map([...runs, ...later.items].map((one) => [one.id, one])).values()) {
    const together = run.trigger === 'event' ? await store.getRunEvents(run.id) : null;
    if (together === null) continue;
    const since =
      absent === undefined ? together.events[0]?.createdAt : run.scheduledFor - parseDuration(absent.within);
    const eventIds = new Set(together.events.map(({ id }) => id));
    if (since !== undefined) found.push({ run, since, count: together.count, eventIds });
  }
  return found;
}

/** Events on a task's topics near an instant, oldest first; looked for among the newest. */
async function eventsNear(schedule: EventSchedule, at: number, store: Store): Promise<PublishedEvent[]> {
  const found: PublishedEvent[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES; page += 1) {
    const { items, nextCursor } = await store.listEvents({ limit: PAGE, cursor });
    found.push(
      ...items.filter(
        (event) => Math.abs(event.createdAt - at) < NEAR_MS && listensTo(schedule, event.topic),
      ),
    );
    const oldest = items.at(-1);
    if (oldest === undefined || oldest.createdAt < at - NEAR_MS || nextCursor === null) break;
    cursor = nextCursor;
  }
  return found.reverse();
}

/** What became of an event, for this task. */
function fateOf(
  event: PublishedEvent,
  task: Task,
  schedule: EventSchedule,
  known: { runs: readonly Run[]; closed: readonly ClosedWindow[]; open: readonly EventWindow[] },
): string {
  const zone = zoneOf(schedule);
  if (event.dispatchedAt === null) return 'the scheduler has not looked at it yet';
  const own = known.runs.find(({ eventId, trigger }) => trigger === 'event' && eventId === event.id);
  const window = known.closed.find(({ eventIds }) => eventIds.has(event.id));
  const inOpen = known.open.find(({ eventIds }) => eventIds.includes(event.id));
  if (schedule.absent === undefined && window !== undefined)
    return `taken into a window that closed at ${localTime(window.run.scheduledFor, zone)} with ${counted(window.count, 'event')}: ${endOf(window.run)}`;
  if (schedule.absent === undefined && own !== undefined) return endOf(own);
  if (event.createdAt < task.createdAt) return 'it came before the task was created';
  if (schedule.absent !== undefined) {
    const ends = answers(schedule.absent.topic, schedule.absent.filter, event);
    const begins = !isSinceLast(schedule) && answers(schedule.topic, schedule.filter, event);
    if (ends && isSinceLast(schedule))
      return `it is what is waited for: nothing ran for it, and the time began anew${inOpen === undefined ? '' : ` (now ${windowWords(inOpen, task, event.createdAt)})`}`;
    if (ends) return 'it came in time: it ended the wait where one was open, and nothing ran';
    if (inOpen !== undefined) return `it began a wait: ${windowWords(inOpen, task, event.createdAt)}`;
    if (begins) return `${schedule.absent.topic} had to come after it; it began a wait unless one was open`;
  }
  if (inOpen !== undefined) return `it waits in a window: ${windowWords(inOpen, task, event.createdAt)}`;
  if (!answers(schedule.topic, schedule.filter, event))
    return 'the filter of the task does not let it through';
  if (event.createdAt < task.updatedAt)
    return `the task was changed after it (version ${task.version}); what became of it is not kept`;
  return 'there is no row of it: the task was not active, or its row is older than history is kept';
}

/** Whether an event is one that a pattern and a filter mean; a filter that has no answer lets nothing through. */
function answers(topic: string, filter: string | undefined, event: PublishedEvent): boolean {
  try {
    return topicMatches(topic, event.topic) && passesFilter(filter, event);
  } catch (error) {
    if (error instanceof TemplateError) return false;
    throw error;
  }
}

const endOf = ({ id, status, reason }: Run): string =>
  `run ${id} ${status}${reason === null ? '' : ` (${reason})`}`;

const zoneOf = ({ timezone }: EventSchedule): string => timezone;
