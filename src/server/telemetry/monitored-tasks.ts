import { parseDuration } from '../../domain/duration.js';
import type { Task } from '../../domain/task.js';
import type { Store } from '../store/store.js';

const PREFIX = 'monitor:';
/** The label `task` has this many values at most. */
const MAX_TASKS = 100;

/** A task that must succeed at least every so often. */
export interface MonitoredTask {
  name: string;
  maxAgeSeconds: number;
  /** Its last success, or its creation when there was none yet; epoch milliseconds. */
  lastSuccessAt: number;
}

/** Keeps the list of monitored tasks, so that a scrape need not look through all tasks. Call after a task was written. */
export async function rememberMonitored(store: Store, task: Task): Promise<void> {
  const key = PREFIX + task.id;
  const before = await store.getMeta(key);
  const after = task.spec.monitor?.max_age !== undefined && task.state !== 'canceled' ? '1' : null;
  if (before !== after) await store.swapMeta(key, before, after);
}

/** Active tasks with `monitor.max_age`, and when each last succeeded. */
export async function monitoredTasks(store: Store): Promise<MonitoredTask[]> {
  const entries = await store.listMeta(PREFIX, MAX_TASKS);
  const found = await Promise.all(
    entries.map(async ({ key }): Promise<MonitoredTask | null> => {
      const task = await store.getTask(key.slice(PREFIX.length));
      const maxAge = task?.spec.monitor?.max_age;
      if (task === null || task.state !== 'active' || maxAge === undefined) return null;
      const [last] = (await store.listRuns({ taskId: task.id, statuses: ['succeeded', 'partial'], limit: 1 }))
        .items;
      return {
        name: task.name,
        maxAgeSeconds: parseDuration(maxAge) / 1000,
        lastSuccessAt: last?.finishedAt ?? task.createdAt,
      };
    }),
  );
  return found.filter((one) => one !== null);
}
