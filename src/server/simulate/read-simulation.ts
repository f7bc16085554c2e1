import type { Delivery } from '../../domain/delivery.js';
import type { Run } from '../../domain/run.js';
import type { Store } from '../store/store.js';
import type { World } from './simulated-world.js';
import type { Simulation } from './simulation.js';

/** Every message, in order of time. */
export async function allMessages(store: Store): Promise<Delivery[]> {
  const messages: Delivery[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.listDeliveries({ limit: 1000, cursor });
    messages.push(...page.items);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return messages.reverse();
}

/** Every row, in order of time. */
export async function allRuns(store: Store): Promise<Run[]> {
  const runs: Run[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.listRuns({ limit: 1000, cursor });
    runs.push(...page.items);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return runs.sort((a, b) => a.scheduledFor - b.scheduledFor || (a.taskName < b.taskName ? -1 : 1));
}

/** Tasks that a budget paused; nothing else pauses one here. */
export async function pausedTasks(store: Store, { tasks }: World): Promise<Simulation['paused']> {
  const paused: Simulation['paused'] = [];
  for (const id of tasks.keys()) {
    const task = await store.getTask(id);
    if (task?.state === 'paused')
      paused.push({ name: task.name, at: task.updatedAt, why: task.stateReason ?? '' });
  }
  return paused;
}

/** How many events triggered a run together, where several can. */
export async function togetherOf(store: Store, runs: readonly Run[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const { id, trigger } of runs) {
    const events = trigger === 'event' ? await store.getRunEvents(id) : null;
    if (events !== null) counts.set(id, events.count);
  }
  return counts;
}

/** Windows of events that have not closed yet. */
export async function openWindows(store: Store, { tasks }: World): Promise<Simulation['openWindows']> {
  const open: Simulation['openWindows'] = [];
  for (const [id, { spec }] of tasks)
    if (spec.schedule?.kind === 'event')
      open.push(...(await store.listWindows(id)).map((window) => ({ name: spec.name, ...window })));
  return open;
}
