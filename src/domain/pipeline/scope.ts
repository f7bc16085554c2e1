import type { TemplateScope } from './template.js';
import { formatLocal, formatUtc, localDayOf, type LocalDay } from './instants.js';

/** What {@link runScope} builds the scope of a run from. Times are epoch milliseconds. */
export interface RunScopeInput {
  task: { id: string; name: string; title?: string | null | undefined };
  run: { id: string; trigger: string; scheduledFor: number; attempt: number };
  params: Readonly<Record<string, unknown>>;
  /** The event that triggered the run. */
  event?: unknown;
  /** Outputs of the steps that are done, by `save_as` and by id. */
  steps?: Readonly<Record<string, unknown>>;
  /** IANA zone of the task; `UTC` for a task without a schedule. */
  zone: string;
  /** What `now` is; the instant the run is for when left out, so that a replay sees the same. */
  now?: number;
}

/** The names an expression of a pipeline can begin with, `item` only inside a `foreach`. */
export const ROOT_NAMES = ['task', 'run', 'params', 'steps', 'event', 'now'] as const;
/** What `task` has. */
export const TASK_NAMES = ['id', 'name', 'title', 'timezone'] as const;
/** What `run` has. */
export const RUN_NAMES = [
  'id',
  'trigger',
  'scheduled_for',
  'day_start',
  'day_end',
  'local_date',
  'attempt',
] as const;

/**
 * The scope of the templates of one run. All `run.*` times derive from the instant the run is for, never from the
 * clock, so that a catch-up or a replay speaks of the right day (product.md).
 */
export function runScope(input: RunScopeInput): TemplateScope {
  const { task, run, zone } = input;
  const day = cachedDay(run.scheduledFor, zone);
  return {
    zone,
    values: {
      task: { id: task.id, name: task.name, title: task.title ?? task.name, timezone: zone },
      run: {
        id: run.id,
        trigger: run.trigger,
        scheduled_for: formatUtc(run.scheduledFor),
        day_start: day.start,
        day_end: day.end,
        local_date: day.date,
        attempt: run.attempt,
      },
      params: input.params,
      steps: { ...input.steps },
      event: input.event ?? null,
      now: formatUtc(input.now ?? run.scheduledFor),
    },
  };
}

/** A scope for one item of a `foreach`. @param as the name it goes by. */
export function withItem(scope: TemplateScope, as: string, item: unknown): TemplateScope {
  return { zone: scope.zone, values: { ...scope.values, [as]: item } };
}

interface WrittenDay extends LocalDay {
  start: string;
  end: string;
}

const MAX_DAYS = 256;
const days = new Map<string, WrittenDay>();

/** Runs of one zone are mostly of one day, and writing it out costs more than the rest of the scope. */
function cachedDay(at: number, zone: string): WrittenDay {
  const known = days.get(zone);
  if (known !== undefined && at >= known.startAt && at < known.endAt) return known;
  const day = localDayOf(at, zone);
  const written = { ...day, start: formatLocal(day.startAt, zone), end: formatLocal(day.endAt, zone) };
  if (days.size >= MAX_DAYS) days.clear();
  days.set(zone, written);
  return written;
}
