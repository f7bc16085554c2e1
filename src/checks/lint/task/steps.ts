import { isSecret } from '../../../domain/pipeline/compile-expression.js';
import { type Reference, referencesOf } from '../../../domain/pipeline/references.js';
import type { InnerStep, Step } from '../../../domain/pipeline/step.js';
import { compileBareExpression, templateExpressions } from '../../../domain/pipeline/template.js';
import { TemplateError } from '../../../domain/pipeline/template-error.js';
import type { TaskSpec } from '../../../domain/task.js';

/** A step and where it is, those inside `parallel` as well. */
export interface PlacedStep {
  step: Step | InnerStep;
  pointer: string;
  /** The step whose `parallel` it is in. */
  outer: Step | null;
}

/** All steps in the order in which they run. */
export function stepsOf(spec: TaskSpec): PlacedStep[] {
  return spec.pipeline.flatMap((step, index) => {
    const pointer = `/pipeline/${index}`;
    return [
      { step, pointer, outer: null },
      ...(step.parallel ?? []).map((one, inner) => ({
        step: one,
        pointer: `${pointer}/parallel/${inner}`,
        outer: step,
      })),
    ];
  });
}

/** Everything the expressions of a step read; those at fault are left to the check of the pipeline. */
export function referencesIn(step: Step | InnerStep): Reference[] {
  const changed = typeof step.changed === 'object' ? step.changed.value : step.changed;
  const bare = [step.if, changed, step.foreach?.items, step.wait?.filter].flatMap((text) =>
    typeof text === 'string' ? readBare(text) : [],
  );
  const fallback = typeof step.on_error === 'object' ? step.on_error.fallback : undefined;
  const templates = [
    step.with,
    step.idempotency_key,
    fallback,
    step.approve?.message,
    step.wait?.until,
    step.wait?.event,
  ];
  return [...bare, ...templates.flatMap(readTemplates)];
}

/** What one expression, bare or in `${…}`, reads; null when it can not be read. */
export function readExpression(text: string): Reference[] | null {
  try {
    const { node, optional } = compileBareExpression(text, '');
    return referencesOf(node, optional);
  } catch (error) {
    if (error instanceof TemplateError) return null;
    throw error;
  }
}

const readBare = (text: string): Reference[] => readExpression(text) ?? [];

function readTemplates(value: unknown): Reference[] {
  return templateExpressions(value, '').flatMap(({ expression }) =>
    expression === null || isSecret(expression) ? [] : referencesOf(expression.node, expression.optional),
  );
}
