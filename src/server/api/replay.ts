import { isMessage } from '../../domain/pipeline/step.js';
import { conflict, invalidInput } from '../../domain/errors.js';
import type { StepRun } from '../../domain/run.js';
import type { Task } from '../../domain/task.js';
import type { Tool } from '../../domain/tool.js';

export interface ReplayWish {
  /** The results of the steps before this one are kept. */
  fromStep: string | undefined;
  /** Calls that may be made once and were made are made again. */
  again: boolean;
}

/**
 * The recorded steps that a replay keeps: those before `fromStep`, and wherever they stand those that did their work with a
 * tool that may be called once. What was sent is not sent again because a later step failed.
 * @param toolOf the catalog; a tool that is gone counts as one that may be called once.
 * @throws PaoError 422 for a step that is not there, 409 while it is not known whether such a call was made.
 */
export function keptSteps(
  steps: readonly StepRun[],
  task: Task,
  toolOf: (address: string) => Tool | undefined,
  { fromStep, again }: ReplayWish,
): Omit<StepRun, 'runId'>[] {
  const ids = task.spec.pipeline.map((step) => step.id);
  const from = fromStep === undefined ? 0 : ids.indexOf(fromStep);
  if (from < 0) {
    throw invalidInput('There is no such step.', [
      { pointer: '/from_step', message: `is none of ${ids.join(', ')}` },
    ]);
  }
  // A message is the same message in a replay, whatever the tool: the outbox knows whether it is to be sent.
  const messages = new Set(
    task.spec.pipeline
      .flatMap((step) => [step, ...(step.parallel ?? [])])
      .filter(isMessage)
      .map(({ id }) => id),
  );
  const isOnce = ({ tool, stepId }: StepRun) =>
    tool !== null &&
    !messages.has(stepId.replace(/\[\d+\]$/, '')) &&
    (toolOf(tool)?.side_effect ?? 'once') === 'once';
  const unknown = again ? undefined : steps.find((step) => step.status === 'unknown' && isOnce(step));
  if (unknown !== undefined) {
    throw conflict(
      `Whether step ${unknown.stepId} did its work is not known: look at the other side first.`,
      [
        `pao run resolve ${unknown.runId} ${unknown.stepId} --done`,
        `pao run resolve ${unknown.runId} ${unknown.stepId} --not-done`,
        `pao run replay ${unknown.runId} --again calls it again, whatever became of it`,
      ],
    );
  }
  return steps
    .filter((step) => step.status === 'succeeded' && (step.position < from || (!again && isOnce(step))))
    .map(({ runId: _runId, ...step }) => step);
}
