import { z } from 'zod';
import { FORBIDDEN_KEYS } from '../forbidden-keys.js';
import { tryParseDuration } from '../duration.js';
import { isChannel } from '../channel.js';
import { QUIET_MODES } from '../delivery.js';
import { durationText } from '../schedule.js';

/** Most steps of a pipeline, those inside `parallel` included. */
export const MAX_STEPS = 100;
/** Longest a step may wait or an approval stay open. */
const MAX_WAIT_MS = 366 * 86_400_000;
const MAX_TEMPLATE = 65_536;

/** How a failed call is made again; `max` counts the retries after the first attempt. */
export const retrySchema = z
  .strictObject({
    max: z.int().min(0).max(20).default(2),
    backoff: z.enum(['fixed', 'exponential', 'exponential_jitter']).default('exponential_jitter'),
    base: durationText(10, 86_400_000).default('2s'),
    cap: durationText(10, 86_400_000).default('60s'),
  })
  .refine(({ base, cap }) => (tryParseDuration(cap) ?? 0) >= (tryParseDuration(base) ?? 0), {
    path: ['cap'],
    message: 'must not be shorter than base',
  });

const name = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,49}$/i, 'must be a letter, then letters, digits or "_", at most 50 in all')
  .refine((text) => !FORBIDDEN_KEYS.has(text), { message: 'is a name that is not allowed' });

/** Root names of an expression, which the item of a `foreach` may not hide; `item` is its own default. */
export const SCOPE_NAMES = ['task', 'run', 'params', 'steps', 'event', 'now', 'secrets'] as const;

const template = z.string().min(1).max(MAX_TEMPLATE);

const foreachSchema = z.strictObject({
  /** An expression that gives a list, bare or in `${…}`. */
  items: template,
  as: name
    .refine((text) => !(SCOPE_NAMES as readonly string[]).includes(text), {
      message: `must not be one of ${SCOPE_NAMES.join(', ')}`,
    })
    .default('item'),
  max_concurrency: z.int().min(1).max(20).default(1),
  /** A longer list fails the step: nothing is left out in silence. */
  max_items: z.int().min(1).max(1000).default(100),
});

const waitSchema = z
  .strictObject({
    for: durationText(1, MAX_WAIT_MS).optional(),
    /** An RFC 3339 instant, or a template that gives one. */
    until: template.optional(),
    event: z.string().min(1).max(200).optional(),
    /** Which of the events releases the step: an expression over `{topic, payload}` and the scope. */
    filter: template.optional(),
    /** With `event`: one that came this long before the step began counts as well. */
    look_back: durationText(1, MAX_WAIT_MS).optional(),
    /** With `event`: how long to wait for it. */
    timeout: durationText(1, MAX_WAIT_MS).optional(),
    /** With `event`: what happens when it does not come. */
    on_timeout: z.enum(['fail', 'continue']).optional(),
  })
  .superRefine((wait, context) => {
    const given = (['for', 'until', 'event'] as const).filter((key) => wait[key] !== undefined);
    if (given.length !== 1) {
      context.addIssue({ code: 'custom', message: 'needs exactly one of for, until and event' });
    }
    if (wait.event !== undefined && wait.timeout === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['timeout'],
        message: 'is required with event: a step must not wait for ever',
      });
    }
    for (const key of ['filter', 'look_back', 'timeout', 'on_timeout'] as const) {
      if (wait.event === undefined && wait[key] !== undefined) {
        context.addIssue({ code: 'custom', path: [key], message: 'belongs to event' });
      }
    }
  });

const approveSchema = z.strictObject({
  /** What the person is asked; may hold templates. */
  message: z.string().min(1).max(4000),
  /** What is to be approved, with templates; the person may change it, and later steps read `steps.<id>.data`. */
  data: z.json().optional(),
  expires_in: durationText(1000, 90 * 86_400_000).default('24h'),
  /**
   * What happens when nobody answers: `deny` fails the step, `approve` goes on as after a yes, `skip` leaves out all that
   * comes after it and ends the run as skipped, which is no failure: `on_error` does not go past it.
   */
  on_timeout: z.enum(['deny', 'approve', 'skip']).default('deny'),
  /** The channel that asks, by its name; else the one of the configuration (`notify.approvals`). */
  notify: z.string().min(1).max(50).optional(),
});

/**
 * A gate that costs nothing: the step is skipped (`unchanged`) while the value is what it was when the step last did its
 * work in a run that ended well. The first time counts as changed.
 */
const changedSchema = z.union(
  [
    template,
    z.strictObject({
      /** An expression, bare or in `${…}`. */
      value: template,
      /** Runs the step when the value can not be told, instead of failing it. */
      fail_open: z.boolean().default(false),
      /** What is left out: this step, or with `run` the rest of the pipeline as well. */
      skip: z.enum(['step', 'run']).default('step'),
    }),
  ],
  { error: 'must be an expression or { value, fail_open, skip }' },
);

const stepShape = {
  id: name,
  /** A condition, bare or in `${…}`; when it is false the step is skipped. */
  if: z.union([z.boolean(), template]).optional(),
  changed: changedSchema.optional(),
  save_as: name.optional(),
  on_error: z
    .union([z.enum(['fail', 'continue']), z.strictObject({ fallback: z.json() })], {
      error: 'must be fail, continue or { fallback: … }',
    })
    .optional(),
  timeout: durationText(10, 7 * 86_400_000).optional(),
  retry: retrySchema.optional(),
  idempotency_key: z.string().min(1).max(2000).optional(),
  /** `notify`: the step tells a person something. Its message goes to the outbox, and the run does not wait for it. */
  kind: z.literal('notify').optional(),
  /** What a quiet time does to the message; `defer` when left out. */
  quiet_hours: z.enum(QUIET_MODES).optional(),
  /** Passes quiet times; a condition, bare or in `${…}`. */
  urgent: z.union([z.boolean(), template]).optional(),
  uses: z.string().min(1).max(128).optional(),
  with: z.record(z.string(), z.json()).optional(),
  foreach: foreachSchema.optional(),
  wait: waitSchema.optional(),
  approve: approveSchema.optional(),
};

const ACTIONS = ['uses', 'parallel', 'wait', 'approve'] as const;
type Action = (typeof ACTIONS)[number];
const ONLY_CALLS = ['with', 'foreach', 'retry', 'idempotency_key', 'kind', 'timeout'] as const;
const ONLY_MESSAGES = ['quiet_hours', 'urgent'] as const;

/** Whether what a step sends goes to the outbox: it says so, or it uses a channel. */
export function isMessage(step: { kind?: unknown; uses?: unknown }): boolean {
  return step.kind === 'notify' || (typeof step.uses === 'string' && isChannel(step.uses));
}

function checkAction(
  step: { [key: string]: unknown },
  context: { addIssue(issue: { code: 'custom'; path?: string[]; message: string }): void },
  actions: readonly Action[],
): void {
  const given = actions.filter((key) => step[key] !== undefined);
  if (given.length === 0 && step['foreach'] !== undefined) {
    context.addIssue({ code: 'custom', path: ['uses'], message: 'is required with foreach' });
    return;
  }
  if (given.length !== 1) {
    context.addIssue({
      code: 'custom',
      message:
        given.length === 0
          ? `needs something to do: one of ${actions.join(', ')}`
          : `can do only one of ${given.join(' and ')}`,
    });
    return;
  }
  for (const key of ONLY_MESSAGES) {
    if (step[key] !== undefined && !isMessage(step)) {
      context.addIssue({
        code: 'custom',
        path: [key],
        message: 'belongs to a message: a step with kind: notify, or one that uses channel.…',
      });
    }
  }
  if (given[0] === 'uses') return;
  for (const key of ONLY_CALLS) {
    if (step[key] !== undefined) {
      context.addIssue({
        code: 'custom',
        path: [key],
        message: `belongs to a step with uses, not with ${given[0]}`,
      });
    }
  }
}

/** A step inside `parallel`: everything but another `parallel`. */
export const innerStepSchema = z.strictObject(stepShape).superRefine((step, context) => {
  checkAction(step, context, ['uses', 'wait', 'approve']);
  if (typeof step.changed === 'object' && step.changed.skip === 'run') {
    context.addIssue({
      code: 'custom',
      path: ['changed', 'skip'],
      message: 'can not be run inside parallel: the steps beside it are under way',
    });
  }
});

/** One step of a pipeline (product.md, The pipeline language), as it is written in a task file. */
export const stepSchema = z
  .strictObject({
    ...stepShape,
    /** Steps that run side by side; the next step waits for all of them. */
    parallel: z.array(innerStepSchema).min(1).max(20).optional(),
  })
  .superRefine((step, context) => checkAction(step, context, ACTIONS));

/** A step, defaults filled in. */
export type Step = z.infer<typeof stepSchema>;
/** A step inside `parallel`. */
export type InnerStep = z.infer<typeof innerStepSchema>;

/** The ordered steps of a task. */
export const pipelineSchema = z
  .array(stepSchema)
  .min(1, 'needs at least one step')
  .max(MAX_STEPS, `has more than ${MAX_STEPS} steps`)
  .superRefine((steps, context) => {
    const count = steps.reduce((sum, step) => sum + (step.parallel?.length ?? 1), 0);
    if (steps.length <= MAX_STEPS && count > MAX_STEPS) {
      context.addIssue({
        code: 'custom',
        message: `has ${count} steps with those inside parallel, at most ${MAX_STEPS} are allowed`,
      });
    }
  });
export type Pipeline = z.infer<typeof pipelineSchema>;

/** What a step does. */
export type StepKind = 'call' | 'foreach' | 'parallel' | 'wait' | 'approve';

/** What a step does; `foreach` is a call for each item. */
export function stepKind(step: Step | InnerStep): StepKind {
  if ('parallel' in step && step.parallel !== undefined) return 'parallel';
  if (step.wait !== undefined) return 'wait';
  if (step.approve !== undefined) return 'approve';
  return step.foreach === undefined ? 'call' : 'foreach';
}
