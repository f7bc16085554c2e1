import type { Task } from '../domain/task.js';
import type { Store } from './store/store.js';

/**
 * Pauses a task on behalf of the system, with the reason in the task and in the audit log.
 * @param reason in words for people; cut after 500 characters. @param details more for the audit log.
 * @returns whether it was active and is paused now.
 */
export async function pauseTask(
  store: Pick<Store, 'updateTask' | 'appendAudit'>,
  task: Task,
  reason: string,
  details: Record<string, unknown>,
  now: number,
): Promise<boolean> {
  if (task.state !== 'active') return false;
  const stateReason = reason.slice(0, 500);
  const paused: Task = { ...task, state: 'paused', stateReason, version: task.version + 1, updatedAt: now };
  if (!(await store.updateTask(paused, task.version, 'system'))) return false;
  await store.appendAudit({
    at: now,
    actor: 'system',
    action: 'task.paused',
    target: task.id,
    details: { name: task.name, reason: stateReason, ...details },
  });
  return true;
}
