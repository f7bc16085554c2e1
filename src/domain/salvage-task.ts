import type { z } from 'zod';
import { isObject } from './pipeline/expression/json-values.js';
import { type InnerStep, innerStepSchema, type Pipeline, type Step, stepSchema } from './pipeline/step.js';
import { type Schedule, scheduleSchema } from './schedule.js';

/** What a step does that can not be read. */
const NOTHING = { wait: { for: '1s' } };

/** What of a faulty task can be looked into further. */
export interface SalvagedTask {
  schedule?: Schedule;
  /** As long as what was written; a step that can not be read stands as one that does nothing. */
  pipeline: Pipeline;
  /** null: they can not be read. */
  params: Record<string, unknown> | null;
}

/**
 * Takes what is sound out of a task that its schema refuses, so that the rest of its problems can be told in the same
 * answer. Never stored: what was left out may have been what matters.
 */
export function salvageTask(input: unknown): SalvagedTask {
  const task = isObject(input) ? input : {};
  const schedule = isObject(task.schedule) ? salvageSchedule(task.schedule) : undefined;
  return {
    ...(schedule === undefined ? {} : { schedule }),
    pipeline: Array.isArray(task.pipeline) ? task.pipeline.map((step) => salvageStep(step, stepSchema)) : [],
    params: task.params === undefined ? {} : isObject(task.params) ? task.params : null,
  };
}

function salvageSchedule(written: Record<string, unknown>): Schedule | undefined {
  // Whether an expression can be is the same in every zone, or nearly.
  const zone = typeof written.timezone === 'string' && written.timezone !== '' ? written.timezone : 'UTC';
  return withoutFaults(scheduleSchema, { ...written, timezone: zone })?.value;
}

function salvageStep<T extends Step | InnerStep>(written: unknown, schema: z.ZodType<T>): T {
  const step = isObject(written) ? written : {};
  // Names are kept as they were written: other steps refer to them.
  const names = {
    id: typeof step.id === 'string' ? step.id : '',
    ...(typeof step.save_as === 'string' ? { save_as: step.save_as } : {}),
  };
  const { save_as: _name, ...unnamed } = step;
  const inner = Array.isArray(step.parallel)
    ? { parallel: step.parallel.map((one) => salvageStep(one, innerStepSchema)) }
    : {};
  const standIn = 'parallel' in inner ? { parallel: [{ id: 'any', ...NOTHING }] } : {};
  const found = withoutFaults(schema, { ...unnamed, ...standIn, id: 'any' });
  // Without its `foreach` a step would not know its item.
  if (found === undefined || found.removed.includes('foreach')) {
    return { ...names, ...NOTHING } as T;
  }
  return { ...found.value, ...inner, ...names };
}

/** An object without the keys that its schema refuses; undefined when it is not valid without them either. */
function withoutFaults<T>(
  schema: z.ZodType<T>,
  written: Record<string, unknown>,
): { value: T; removed: string[] } | undefined {
  const rest = { ...written };
  const removed: string[] = [];
  // Mending one fault may bring out another, as a rule over the whole object is looked at last.
  for (;;) {
    const parsed = schema.safeParse(rest);
    if (parsed.success) return { value: parsed.data, removed };
    const faulty = parsed.error.issues
      .flatMap(({ path, ...issue }) =>
        path.length > 0
          ? [String(path[0])]
          : issue.code === 'unrecognized_keys'
            ? (issue as { keys: string[] }).keys
            : [],
      )
      .filter((key) => Object.hasOwn(rest, key));
    if (faulty.length === 0) return undefined;
    for (const key of faulty) delete rest[key];
    removed.push(...faulty);
  }
}
