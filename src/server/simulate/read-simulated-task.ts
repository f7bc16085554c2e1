import { invalidInput, PaoError } from '../../domain/errors.js';
import { problemsFromZod } from '../../domain/problems-from-zod.js';
import { anchored, isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import { type TaskSpec, taskSpecSchema } from '../../domain/task.js';

/**
 * Reads a task as it would be read when it is handed in at `from` (epoch milliseconds); no catalog of tools is asked.
 * @throws PaoError with every problem and its pointer.
 */
export function readSimulatedTask(input: unknown, from: number): TaskSpec {
  const parsed = taskSpecSchema.safeParse(input);
  if (!parsed.success)
    throw invalidInput('The task is not valid.', problemsFromZod(parsed.error, input, taskSpecSchema));
  const spec = parsed.data;
  if (!isTimed(spec.schedule)) return spec;
  try {
    const schedule = anchored(spec.schedule, undefined, from);
    recurrenceOf(schedule);
    return { ...spec, schedule };
  } catch (error) {
    if (!(error instanceof PaoError) || error.problems.length === 0) throw error;
    throw invalidInput(
      'The schedule can not be.',
      error.problems.map((problem) => ({
        ...problem,
        pointer: `/schedule${problem.pointer.replace('/tzid', '/timezone')}`,
      })),
    );
  }
}
