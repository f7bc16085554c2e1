import { z } from 'zod';
import { formatInZone, isoInstant } from '../../../domain/recurrence/index.js';
import { isTimed, recurrenceOf } from '../../../domain/recurrence-of.js';
import type { Schedule } from '../../../domain/schedule.js';
import { TASK_STATES, type Task } from '../../../domain/task.js';
import { instant, instantOrNull, instantSchema } from './instant.js';

const json = z.record(z.string(), z.unknown());

export const warningSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  at: instantSchema.optional(),
});
export type WarningObject = z.input<typeof warningSchema>;

export const occurrenceSchema = z.strictObject({
  at: instantSchema,
  local: z.string().describe("The same on the clock of the task's zone, with its offset"),
  note: z.string().optional(),
});
export type OccurrenceObject = z.input<typeof occurrenceSchema>;

export const taskObjectSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  title: z.string().nullable(),
  description: z.string().nullable(),
  agent_id: z.string(),
  version: z.int(),
  state: z.enum(TASK_STATES),
  state_reason: z.string().nullable(),
  schedule: json.nullable().describe('As stored, policies filled in; null: it runs only when asked to'),
  timezone: z.string().nullable(),
  priority: z.int(),
  dedupe: json.nullable(),
  concurrency: json.nullable(),
  retry: json.nullable(),
  timeout: z.string(),
  params: json,
  runs_on: z.array(z.string()).nullable(),
  tags: z.array(z.string()).nullable(),
  pipeline: z.array(json),
  next_due_at: instantSchema.nullable(),
  next_due_local: z.string().nullable(),
  words: z.string().describe('The schedule in words'),
  snoozed_until: instantSchema.nullable(),
  last_run_at: instantSchema.nullable(),
  created_by: z.string(),
  created_at: instantSchema,
  updated_at: instantSchema,
});
export type TaskObject = z.input<typeof taskObjectSchema>;

/** What a change of a task answers besides the task. */
export const changedTaskSchema = z.strictObject({
  ...taskObjectSchema.shape,
  outcome: z.enum(['created', 'updated', 'unchanged']),
  warnings: z.array(warningSchema),
  next_occurrences: z.array(occurrenceSchema),
});
export type ChangedTaskObject = z.input<typeof changedTaskSchema>;

export function taskObject(task: Task): TaskObject {
  const { spec } = task;
  const zone = spec.schedule?.timezone ?? null;
  return {
    id: task.id,
    name: task.name,
    title: spec.title ?? null,
    description: spec.description ?? null,
    agent_id: task.agentId,
    version: task.version,
    state: task.state,
    state_reason: task.stateReason,
    schedule: spec.schedule ?? null,
    timezone: zone,
    priority: spec.priority,
    dedupe: spec.dedupe ?? null,
    concurrency: spec.concurrency ?? null,
    retry: spec.retry ?? null,
    timeout: spec.timeout,
    params: spec.params,
    runs_on: spec.runs_on ?? null,
    tags: spec.tags ?? null,
    pipeline: spec.pipeline as unknown as Record<string, unknown>[],
    next_due_at: task.state === 'active' ? instantOrNull(task.nextDueAt) : null,
    next_due_local:
      task.state === 'active' && task.nextDueAt !== null && zone !== null
        ? formatInZone(zone, task.nextDueAt, 'iso')
        : null,
    words: scheduleWords(spec.schedule),
    snoozed_until: instantOrNull(task.snoozedUntil),
    last_run_at: instantOrNull(task.lastRunAt),
    created_by: task.createdBy,
    created_at: instant(task.createdAt),
    updated_at: instant(task.updatedAt),
  };
}

/** Any schedule in words. */
export function scheduleWords(schedule: Schedule | undefined): string {
  if (schedule === undefined) return 'only when asked to';
  if (isTimed(schedule)) {
    try {
      return recurrenceOf(schedule).describe();
    } catch {
      // A zone or calendar that this machine no longer knows; the list must still be readable.
      return `${schedule.kind} ${schedule.expr} (${schedule.timezone})`;
    }
  }
  if (schedule.kind === 'event') {
    const filter = schedule.filter === undefined ? '' : ` and ${schedule.filter}`;
    return `when an event "${schedule.topic}" is published${filter}`;
  }
  return `looks every ${schedule.every} with ${schedule.check.uses}, runs when ${schedule.when}`;
}

/** Instants with the local time of a zone. */
export function occurrenceObjects(instants: readonly number[], zone: string): OccurrenceObject[] {
  return instants.map((at) => ({ at: isoInstant(at), local: formatInZone(zone, at, 'iso') }));
}
