import type { TaskSpec } from '../../domain/task.js';
import type { SimulatedRequest } from './simulation.js';

type Step = TaskSpec['pipeline'][number];

/**
 * The pipeline of a task whose tools nobody said an answer for, as far as it can be played: which tools are called and
 * which messages written, with the steps' own `on_error`. What depends on answers (conditions, templates, people) is
 * taken to go well, and a list to have as many items as `requests` says, or one.
 */
export function assumedPipeline(spec: TaskSpec, requests: readonly SimulatedRequest[]): TaskSpec {
  const items = new Map(requests.map((one) => [one.step, one.measured?.items ?? one.items]));
  return { ...spec, pipeline: assumedSteps(spec.pipeline, items) };
}

function assumedSteps(steps: readonly Step[], items: ReadonlyMap<string, number>): Step[] {
  return steps.flatMap((step): Step[] => {
    const { id, on_error: onError } = step;
    const common = {
      id,
      ...(step.if === false ? { if: false } : {}),
      // What stands in for a step that failed may be a template over answers.
      ...(onError === undefined
        ? {}
        : { on_error: typeof onError === 'object' ? ('continue' as const) : onError }),
    };
    if ('parallel' in step && step.parallel !== undefined) {
      const parallel = assumedSteps(step.parallel as Step[], items);
      return parallel.length === 0 ? [] : [{ ...common, parallel } as Step];
    }
    if (step.uses === undefined) return [];
    const { uses, kind, quiet_hours: quiet, urgent, foreach } = step;
    const count = Math.max(1, Math.round(items.get(id) ?? 1));
    return [
      {
        ...common,
        uses,
        ...(kind === undefined ? {} : { kind }),
        ...(quiet === undefined ? {} : { quiet_hours: quiet }),
        ...(typeof urgent === 'boolean' ? { urgent } : {}),
        ...(foreach === undefined
          ? {}
          : {
              foreach: {
                ...foreach,
                items: `\`${JSON.stringify(new Array(count).fill(0))}\``,
                max_items: 1000,
              },
            }),
      } as Step,
    ];
  });
}
