import { parseDuration } from '../../domain/duration.js';
import { isMessage, type Step } from '../../domain/pipeline/step.js';
import { type CompiledTemplate, compileTemplate } from '../../domain/pipeline/template.js';
import type { TaskSpec } from '../../domain/task.js';
import { type RetryPolicy, retryPolicy } from './retry.js';

/** A step, ready to be executed again and again. */
export interface PlannedStep {
  step: Step;
  position: number;
  input: CompiledTemplate | null;
  /** Address of the tool; null for steps that call none. */
  tool: string | null;
  /** What it sends goes to the outbox. */
  isMessage: boolean;
  idempotencyKey: CompiledTemplate | null;
  fallback: CompiledTemplate | null;
  items: string | null;
  changed: { value: string; pointer: string; failOpen: boolean; skipsRun: boolean } | null;
  retry: RetryPolicy;
  timeoutMs: number | null;
  children: PlannedStep[];
}

/** A task's pipeline, ready to be executed. */
export interface Plan {
  steps: PlannedStep[];
  timeoutMs: number;
  zone: string;
  /** The observation of a condition schedule, which comes before the pipeline. */
  check: PlannedStep | null;
}

/** Id of the step that records a condition's observation; no step of a person can have it. */
export const CHECK_STEP_ID = '_check';

/** Plans are kept per task version, so that a batch of runs of one task is compiled once. */
export class PlanCache {
  readonly #plans = new Map<string, Plan>();

  constructor(private readonly max = 1000) {}

  /** @throws TemplateError when a template of the pipeline can not be compiled. */
  get(taskId: string, version: number, spec: TaskSpec): Plan {
    const key = `${taskId}@${version}`;
    const known = this.#plans.get(key);
    if (known !== undefined) return known;
    const plan = planTask(spec);
    if (this.#plans.size >= this.max) {
      for (const oldest of this.#plans.keys()) {
        this.#plans.delete(oldest);
        break;
      }
    }
    this.#plans.set(key, plan);
    return plan;
  }
}

/** Compiles a task's pipeline. @throws TemplateError */
export function planTask(spec: TaskSpec): Plan {
  const { schedule } = spec;
  return {
    steps: spec.pipeline.map((step, position) => planStep(step, position, spec, `/pipeline/${position}`)),
    timeoutMs: parseDuration(spec.timeout),
    zone: schedule?.timezone ?? 'UTC',
    check:
      schedule?.kind === 'condition'
        ? planStep({ id: CHECK_STEP_ID, ...schedule.check } as Step, -1, spec, '/schedule/check')
        : null,
  };
}

function planStep(step: Step, position: number, spec: TaskSpec, pointer: string): PlannedStep {
  const fields = step as Partial<Record<string, unknown>> & Step;
  const onError = fields.on_error as 'fail' | 'continue' | { fallback: unknown } | undefined;
  const children = (fields.parallel as Step[] | undefined) ?? [];
  const tool = typeof fields.uses === 'string' ? fields.uses : null;
  return {
    step,
    position,
    tool,
    isMessage: isMessage(step),
    input: tool === null ? null : compileTemplate(fields.with ?? {}, `${pointer}/with`),
    idempotencyKey:
      typeof fields.idempotency_key === 'string'
        ? compileTemplate(fields.idempotency_key, `${pointer}/idempotency_key`)
        : null,
    fallback:
      typeof onError === 'object' ? compileTemplate(onError.fallback, `${pointer}/on_error/fallback`) : null,
    items: ((fields.foreach as { items?: string } | undefined)?.items ?? null) as string | null,
    changed: planChanged(step.changed, `${pointer}/changed`),
    retry: retryPolicy((fields.retry as Parameters<typeof retryPolicy>[0]) ?? spec.retry),
    timeoutMs: typeof fields.timeout === 'string' ? parseDuration(fields.timeout) : null,
    children: children.map((child, index) => planStep(child, position, spec, `${pointer}/parallel/${index}`)),
  };
}

function planChanged(changed: Step['changed'], pointer: string): PlannedStep['changed'] {
  if (changed === undefined) return null;
  if (typeof changed === 'string') return { value: changed, pointer, failOpen: false, skipsRun: false };
  const { value, fail_open: failOpen, skip } = changed;
  return { value, pointer: `${pointer}/value`, failOpen, skipsRun: skip === 'run' };
}
