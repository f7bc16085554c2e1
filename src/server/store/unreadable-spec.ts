import { UNREADABLE } from '../../domain/broken-schedule.js';
import { type TaskSpec, taskSpecSchema } from '../../domain/task.js';

/**
 * Stands for the definition of a task that is not in the database any more as it was written, so that the task, and the list
 * it is in, can be shown and handed in anew. It names no due time and is refused by whoever would run it.
 */
export function unreadableSpec(name: string, error: unknown): TaskSpec {
  const why = `its definition can not be read: ${error instanceof Error ? error.message : String(error)}`;
  const pipeline = [{ id: 'unreadable', uses: 'unreadable' }];
  return {
    ...taskSpecSchema.parse({ name, pipeline }),
    schedule: { kind: UNREADABLE, why } as unknown as TaskSpec['schedule'],
  };
}
