import { zoneOf } from '../../domain/broken-schedule.js';
import { counted } from '../../domain/counted.js';
import { parseDuration } from '../../domain/duration.js';
import { type EventSchedule, isSinceLast } from '../../domain/schedule.js';
import type { Task } from '../../domain/task.js';
import type { EventWindow, Store } from '../store/store.js';
import { instant, localTime } from './views.js';

/** Windows of one task that are shown; it may have a thousand. */
const SHOWN = 20;

/** The windows of events that a task has open, those that close first: how many, and 20 of them. */
export async function openWindowsView(task: Task, now: number, store: Pick<Store, 'listWindows'>) {
  const windows = (await store.listWindows(task.id)).sort((a, b) => a.closesAt - b.closesAt);
  return {
    total: windows.length,
    items: windows.slice(0, SHOWN).map((window) => ({
      key: window.key,
      kind: kindOf(window, task),
      events: window.count,
      opened_at: instant(window.openedAt),
      closes_at: instant(window.closesAt),
      words: windowWords(window, task, now),
    })),
  };
}

function kindOf({ kind }: EventWindow, { spec }: Task): 'debounce' | 'batch' | 'absent' {
  if (kind === 'absent') return 'absent';
  return spec.schedule?.kind === 'event' && spec.schedule.batch !== undefined ? 'batch' : 'debounce';
}

/** What a window holds, since when, and what becomes of it. */
export function windowWords(window: EventWindow, task: Task, now: number): string {
  const { schedule } = task.spec;
  const zone = zoneOf(schedule);
  const isOurs =
    schedule?.kind === 'event' &&
    (window.kind === 'absent' ? schedule.absent : (schedule.debounce ?? schedule.batch)) !== undefined;
  if (window.kind === 'absent' && window.size > 0)
    return `${counted(window.size, 'span')} from ${localTime(window.openedAt, zone)} on passed without the event; the rows are being written`;
  const since = localTime(window.openedAt, zone);
  const until = localTime(window.closesAt, zone);
  const forKey = window.key === '' ? '' : `for ${window.key}: `;
  const held = `${counted(window.count, 'event')} since ${since}`;
  if (task.state !== 'active' || !isOurs) {
    const why = task.state === 'active' ? 'its schedule is another one now' : `the task is ${task.state}`;
    return `${forKey}${held}; left out at ${until}, as ${why}`;
  }
  const whenOver = window.closesAt <= now ? 'its time is up, and the scheduler closes it next' : null;
  if (window.kind === 'absent') return `${forKey}${absentWords(schedule, since, until, whenOver)}`;
  return `${forKey}${held}; ${whenOver ?? closingWords(window, schedule, until, zone)}`;
}

function absentWords(schedule: EventSchedule, since: string, until: string, whenOver: string | null): string {
  const { topic, absent } = schedule;
  const what = absent?.topic ?? '';
  const began = isSinceLast(schedule) ? `since ${since}` : `after ${topic} at ${since}`;
  return `no ${what} ${began}; ${whenOver ?? `it runs at ${until} unless one comes before`}`;
}

function closingWords(window: EventWindow, schedule: EventSchedule, until: string, zone: string): string {
  const { batch, debounce } = schedule;
  if (batch !== undefined) return `it runs at ${until}, or when there are ${batch.size}`;
  const most = debounce?.max_wait;
  const latest = most === undefined ? null : window.openedAt + parseDuration(most);
  if (latest !== null && latest <= window.closesAt) return `it runs at ${until}`;
  return `it runs at ${until} unless another comes before${latest === null ? '' : `, and at ${localTime(latest, zone)} at the latest`}`;
}
