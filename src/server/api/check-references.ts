import type { Problem } from '../../domain/errors.js';
import { nearest } from '../../domain/nearest.js';
import type { Pipeline } from '../../domain/pipeline/step.js';
import { unheardSteps } from '../../domain/pipeline/unheard.js';
import type { ScheduleWarning } from '../../domain/recurrence/index.js';
import type { TaskSpec } from '../../domain/task.js';
import { secretNamesIn } from '../../domain/tool-secrets.js';
import type { ApiServices } from './operation.js';

/** Something that will fail unless somebody does something first. */
type Warning = ScheduleWarning & { hint: string };

/** The steps that call a task, those inside parallel included, with where they stand. */
function taskCalls(pipeline: Pipeline): { pointer: string; input: Record<string, unknown> }[] {
  return pipeline
    .flatMap((step, index) => [
      { step, pointer: `/pipeline/${index}` },
      ...(step.parallel ?? []).map((one, inner) => ({
        step: one,
        pointer: `/pipeline/${index}/parallel/${inner}`,
      })),
    ])
    .filter(({ step }) => step.uses === 'task.run')
    .map(({ step, pointer }) => ({ pointer, input: step.with ?? {} }));
}

/** Params of a run are kept and shown: a secret has no place in them. */
export function secretsInCalls(pipeline: Pipeline): Problem[] {
  return taskCalls(pipeline)
    .filter(({ input }) => secretNamesIn(input).length > 0)
    .map(({ pointer }) => ({
      pointer: `${pointer}/with`,
      message: 'a secret can not be handed to another task: params of a run are kept',
      hint: 'Name it in the step of that task that needs it',
    }));
}

/** Tasks that are called and not there (yet): several may be handed in one after the other. */
export async function missingTasks(
  { name, pipeline }: TaskSpec,
  { store }: ApiServices,
  owner: string | undefined,
): Promise<Warning[]> {
  const called = taskCalls(pipeline)
    .map(({ input }) => input['task'])
    .filter((task) => typeof task === 'string' && !task.includes('${') && task !== name) as string[];
  const warnings: Warning[] = [];
  if (owner === undefined) return warnings;
  for (const task of new Set(called)) {
    if ((await store.findTaskByName(owner, task)) !== null || (await store.getTask(task)) !== null) continue;
    const { items } = await store.listTasks({ agentId: owner, states: ['active', 'paused'], limit: 500 });
    const near = nearest(
      task,
      items.map((one) => one.name),
    );
    warnings.push({
      code: 'task_missing',
      message: `There is no task ${task} yet: the step that calls it fails.`,
      hint: near === null ? 'pao task apply FILE' : `Did you mean ${near}?`,
    });
  }
  return warnings;
}

/** Secrets that are named and not there: a warning, as another machine's worker may have them. */
export async function missingSecrets(spec: TaskSpec, { secrets }: ApiServices): Promise<Warning[]> {
  const named = secretNamesIn([spec.pipeline, spec.schedule]);
  if (named.length === 0 || secrets === undefined) return [];
  const there = await secrets.list().then(
    (all) => all.map(({ name }) => name),
    () => null,
  );
  if (there === null) return [];
  return named
    .filter((name) => !there.includes(name))
    .map((name) => {
      const near = nearest(name, there);
      return {
        code: 'secret_missing',
        message: `There is no secret ${name} here: a step that needs it fails.`,
        hint: near === null ? `pao secret set ${name}` : `Did you mean ${near}?`,
      };
    });
}

/** Questions that nobody is told of. */
export const unheardQuestions = ({ pipeline }: TaskSpec, { config }: ApiServices): Warning[] =>
  unheardSteps(pipeline, config.notify.approvals, Object.keys(config.channels)).map(({ message, hint }) => ({
    code: 'approval_unheard',
    message,
    hint,
  }));
