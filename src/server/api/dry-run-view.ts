import { conflict } from '../../domain/errors.js';
import type { Task } from '../../domain/task.js';
import type { ApiServices } from './operation.js';
import { runView, stepView } from './views.js';

/** A dry run takes no longer than this, milliseconds: tools that read answer in a moment. */
const LONGEST_MS = 120_000;

/** What a run of a task would do, as a run that is not kept. @throws PaoError 409 when the task is canceled. */
export async function viewDryRun(
  task: Task,
  given: { params?: Record<string, unknown> | undefined; outputs?: Record<string, unknown> | undefined },
  services: ApiServices,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const agent = await services.store.getAgent(task.agentId);
  if (task.state === 'canceled' || agent === null || services.dryRun === undefined)
    throw conflict(`The task ${task.name} is canceled.`, ['pao task apply FILE']);
  const { run, steps } = await services.dryRun({
    task,
    agent,
    params: given.params ?? {},
    outputs: given.outputs ?? {},
    signal: AbortSignal.any([signal, AbortSignal.timeout(LONGEST_MS)]),
  });
  return {
    ...runView(run),
    // It is in no list: there is nothing to be asked for by its id.
    id: 'dry_run',
    trace_id: null,
    dry_run: true,
    steps: steps.map((step) => ({ ...stepView(step), action: step.action })),
  };
}
