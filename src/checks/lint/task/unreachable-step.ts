import { evaluateCondition } from '../../../domain/pipeline/template.js';
import type { InnerStep, Step } from '../../../domain/pipeline/step.js';
import { PaoError } from '../../../domain/errors.js';
import type { TaskRule } from '../rule.js';
import { readExpression, stepsOf } from './steps.js';

/** A step that no run gets to does nothing, and reads as if it did. */
export const unreachableStep: TaskRule = {
  id: 'unreachable-step',
  title: 'Every step can run',
  kind: 'task',
  severity: 'warning',
  fixable: false,
  check(file, tell) {
    for (const { spec, span } of file.tasks) {
      if (spec === null) continue;
      /** Names of outputs that never exist. */
      const never = new Set<unknown>();
      for (const { step, pointer, outer } of stepsOf(spec)) {
        const isInside = outer !== null && never.has(outer.id);
        const why = isInside ? null : whyNever(step, never);
        if (why === null && !isInside) continue;
        never.add(step.id);
        if (step.save_as !== undefined) never.add(step.save_as);
        if (why !== null)
          tell(span(`${pointer}/${why.key}`), `The step "${step.id}" never runs: ${why.message}`, {
            hint: HINT,
          });
      }
    }
  },
};

const HINT = 'Remove the step, or mend its condition';

function whyNever(
  step: Step | InnerStep,
  never: ReadonlySet<unknown>,
): { key: string; message: string } | null {
  if (step.if === false) return { key: 'if', message: 'its condition is false' };
  if (typeof step.if === 'string') {
    const references = readExpression(step.if);
    const reads = references?.filter(({ path }) => path[0] !== 'steps' || !never.has(path[1]));
    if (references !== null && reads?.length === 0 && isFalse(step.if)) {
      const names = references.map(({ path }) => path.slice(0, 2).join('.'));
      const message =
        names.length === 0
          ? 'its condition is always false'
          : `its condition needs ${[...new Set(names)].join(', ')}, which no step gives`;
      return { key: 'if', message };
    }
  }
  const items = step.foreach?.items;
  if (items !== undefined && isEmptyList(items)) return { key: 'foreach', message: 'its list is empty' };
  return null;
}

function isFalse(condition: string): boolean {
  try {
    return !evaluateCondition(condition, { steps: {} });
  } catch (error) {
    if (error instanceof PaoError) return false;
    throw error;
  }
}

/** A list that is written out, with nothing in it. */
function isEmptyList(items: string): boolean {
  return /^\s*(\$\{\s*)?(`\s*\[\s*\]\s*`|\[\s*\])(\s*\})?\s*$/.test(items);
}
