import type { TaskObject } from '../../client/api-objects.js';
import { parseDuration } from '../../domain/duration.js';
import type { CalendarTask } from '../../domain/icalendar/task-calendar.js';
import { isTimed } from '../../domain/recurrence-of.js';
import { scheduleSchema } from '../../domain/schedule.js';

/** The keys a person writes, in the order they are read best. */
const KEYS = [
  'name',
  'title',
  'description',
  'tags',
  'schedule',
  'priority',
  'dedupe',
  'concurrency',
  'retry',
  'timeout',
  'params',
  'runs_on',
  'monitor',
  'budget',
  'quiet_hours',
  'vacation',
  'pipeline',
] as const satisfies readonly (keyof TaskObject)[];

/** A task as it is handed in: without what only the server knows, and without what is empty. */
export function specOf(task: TaskObject): Record<string, unknown> {
  return Object.fromEntries(
    [
      ...KEYS.map((key) => [key, task[key]] as const),
      // No quiet hours are none, whatever its agent has; to leave them out would be to take over those.
      ...(Array.isArray(task.quiet_hours) && task.quiet_hours.length === 0
        ? [['quiet_hours', 'none'] as const]
        : []),
      ...(task.on_vacation === 'skip' ? [['on_vacation', 'skip'] as const] : []),
    ].filter(([, value]) => !isEmpty(value)),
  );
}

/** A task as YAML that `pao task apply` takes back. */
export async function yamlOf(task: TaskObject): Promise<string> {
  const { stringify } = await import('yaml');
  // Texts are not folded: a template in one must stay on its line.
  return stringify(specOf(task), { lineWidth: 0, version: '1.2', aliasDuplicateObjects: false });
}

/** A task as a calendar shows it; nothing when its schedule names no times. */
export function calendarTaskOf(task: TaskObject): CalendarTask[] {
  const schedule = scheduleSchema.safeParse(task.schedule).data;
  if (!isTimed(schedule)) return [];
  const { id, name, title, words } = task;
  const [rule = words] = words.split('; next ');
  const [durationMs, updatedAt] = [parseDuration(task.timeout), Date.parse(task.updated_at)];
  return [{ id, name, title, words: rule, schedule, durationMs, updatedAt }];
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
