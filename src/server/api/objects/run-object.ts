import { z } from 'zod';
import { RUN_STATUSES, RUN_TRIGGERS, type Run, STEP_STATUSES, type StepRun } from '../../../domain/run.js';
import { instant, instantOrNull, instantSchema } from './instant.js';

const errorSchema = z
  .strictObject({
    kind: z.string(),
    message: z.string(),
    step: z.string().optional(),
    pointer: z.string().optional(),
    hint: z.string().optional(),
  })
  .nullable();

export const stepObjectSchema = z.strictObject({
  id: z.string(),
  step_id: z.string(),
  position: z.int(),
  tool: z.string().nullable(),
  status: z.enum(STEP_STATUSES),
  reason: z.string().nullable(),
  attempts: z.int(),
  started_at: instantSchema.nullable(),
  finished_at: instantSchema.nullable(),
  duration_ms: z.number().nullable(),
  input: z.unknown().describe('As it was sent, secrets replaced by ***'),
  output: z.unknown(),
  error: errorSchema,
  idempotency_key: z.string().nullable(),
  usage: z
    .strictObject({ input_tokens: z.int(), output_tokens: z.int(), estimated: z.boolean().optional() })
    .nullable(),
});

export const runObjectSchema = z.strictObject({
  id: z.string(),
  task_id: z.string(),
  task_name: z.string(),
  task_version: z.int(),
  agent_id: z.string(),
  status: z.enum(RUN_STATUSES),
  reason: z.string().nullable(),
  trigger: z.enum(RUN_TRIGGERS),
  scheduled_for: instantSchema,
  created_at: instantSchema,
  run_at: instantSchema,
  started_at: instantSchema.nullable(),
  finished_at: instantSchema.nullable(),
  duration_ms: z.number().nullable().describe('From the first start to the end'),
  lateness_ms: z.number().nullable().describe('From scheduled_for to the first start'),
  attempt: z.int(),
  priority: z.int(),
  params: z.record(z.string(), z.unknown()),
  event_id: z.string().nullable(),
  parent_run_id: z.string().nullable(),
  output: z.unknown(),
  error: errorSchema,
  trace_id: z.string().nullable(),
  worker_id: z.string().nullable(),
});
export type RunObject = z.input<typeof runObjectSchema>;

export const runWithStepsSchema = z.strictObject({
  ...runObjectSchema.shape,
  steps: z.array(stepObjectSchema),
});

export function runObject(run: Run): RunObject {
  return {
    id: run.id,
    task_id: run.taskId,
    task_name: run.taskName,
    task_version: run.taskVersion,
    agent_id: run.agentId,
    status: run.status,
    reason: run.reason,
    trigger: run.trigger,
    scheduled_for: instant(run.scheduledFor),
    created_at: instant(run.createdAt),
    run_at: instant(run.runAt),
    started_at: instantOrNull(run.startedAt),
    finished_at: instantOrNull(run.finishedAt),
    duration_ms: between(run.startedAt, run.finishedAt),
    lateness_ms: between(run.scheduledFor, run.startedAt),
    attempt: run.attempt,
    priority: run.priority,
    params: run.params,
    event_id: run.eventId,
    parent_run_id: run.parentRunId,
    output: run.output ?? null,
    error: run.error,
    trace_id: run.traceId,
    worker_id: run.workerId,
  };
}

export function stepObject(step: StepRun): z.input<typeof stepObjectSchema> {
  const { usage } = step;
  return {
    id: step.stepId,
    step_id: step.stepId,
    position: step.position,
    tool: step.tool,
    status: step.status,
    reason: step.reason,
    attempts: step.attempts,
    started_at: instantOrNull(step.startedAt),
    finished_at: instantOrNull(step.finishedAt),
    duration_ms: between(step.startedAt, step.finishedAt),
    input: step.input ?? null,
    output: step.output ?? null,
    error: step.error,
    idempotency_key: step.idempotencyKey,
    usage:
      usage === null
        ? null
        : {
            input_tokens: usage.inputTokens,
            output_tokens: usage.outputTokens,
            ...(usage.estimated === undefined ? {} : { estimated: usage.estimated }),
          },
  };
}

function between(from: number | null, to: number | null): number | null {
  return from === null || to === null ? null : Math.max(0, to - from);
}
