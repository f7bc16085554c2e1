import { hasScope } from '../../domain/agent.js';
import { whyBroken } from '../../domain/broken-schedule.js';
import { parseDuration } from '../../domain/duration.js';
import type { CalendarTask } from '../../domain/icalendar/task-calendar.js';
import { isTimed } from '../../domain/recurrence-of.js';
import type { Task } from '../../domain/task.js';
import type { ApiServices, Caller } from './operation.js';
import { scheduleWords } from './views.js';

/** Tasks in one calendar at most. */
const MAX_TASKS = 1000;

/** The active tasks that a caller may see, as an iCalendar document: to be subscribed to. */
export async function calendarOf({ store, clock }: ApiServices, caller: Caller): Promise<string> {
  const { calendarWindow, taskCalendar } = await import('../../domain/icalendar/task-calendar.js');
  const now = clock.now();
  const { items } = await store.listTasks({
    agentId: hasScope(caller.scopes, 'admin') ? undefined : caller.agent.id,
    states: ['active'],
    limit: MAX_TASKS,
  });
  return taskCalendar(
    items.flatMap((task) => calendarTask(task, now)),
    calendarWindow(now),
  );
}

function calendarTask({ id, spec, updatedAt }: Task, now: number): CalendarTask[] {
  const { name, title, schedule, timeout } = spec;
  if (!isTimed(schedule) || whyBroken(schedule) !== null) return [];
  const words = scheduleWords(schedule, now).replace(/; (next|never again).*$/, '');
  return [{ id, name, title: title ?? null, words, schedule, durationMs: parseDuration(timeout), updatedAt }];
}
