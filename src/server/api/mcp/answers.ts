import { z } from 'zod';
import {
  agenda,
  changedTask,
  createdTask,
  explanation,
  schedulePreview,
  skippedTask,
  wholeTask,
} from '../answers/tasks.js';
import { health, hook, newHook, secret, tool } from '../answers/others.js';
import { approval, delivery, event, step, wholeRun } from '../answers/runs.js';

// What of the API's answers stands in the output schemas of tools: what a model needs to know beforehand, as each schema
// is part of what it reads. The answers themselves have all of it.

const task = {
  id: true,
  name: true,
  title: true,
  state: true,
  state_reason: true,
  words: true,
  timezone: true,
  next_due_at: true,
  next_due_local: true,
  last_run_at: true,
} as const;

export const taskAnswer = wholeTask
  .pick({ ...task, next_occurrences: true })
  .partial({ next_occurrences: true });

export const changedTaskAnswer = changedTask.pick({
  ...task,
  next_occurrences: true,
  previous_occurrences: true,
  warnings: true,
  outcome: true,
});

export const createdTaskAnswer = createdTask.pick({
  ...task,
  next_occurrences: true,
  warnings: true,
  outcome: true,
  active_tasks: true,
});

export const skippedTaskAnswer = skippedTask.pick({
  id: true,
  name: true,
  next_due_local: true,
  left_out: true,
});

export const explanationAnswer = explanation.pick({ at: true, lines: true });

const stepAnswer = step.pick({ id: true, tool: true, status: true, reason: true });

export const runAnswer = wholeRun
  .pick({
    id: true,
    task_id: true,
    task_name: true,
    status: true,
    reason: true,
    trigger: true,
    scheduled_for: true,
    started_at: true,
    finished_at: true,
    delivery: true,
  })
  .extend({ steps: z.array(stepAnswer) })
  .partial({ steps: true, delivery: true });

export const canceledRunAnswer = wholeRun.pick({ id: true, task_name: true, status: true, reason: true });

export const approvalAnswer = approval.pick({
  id: true,
  run_id: true,
  task_name: true,
  step: true,
  message: true,
  state: true,
  expires_at: true,
});

export const deliveryAnswer = delivery.pick({
  id: true,
  run_id: true,
  channel: true,
  status: true,
  reason: true,
  due_at: true,
});

export const eventAnswer = event.pick({ id: true, topic: true, created_at: true });

const hookFields = { id: true, name: true, topic: true, path: true, last_received_at: true } as const;
export const hookAnswer = hook.pick(hookFields);
export const newHookAnswer = newHook.pick({ ...hookFields, secret: true });

export const toolAnswer = tool
  .pick({ address: true, description: true })
  .extend({ usable: z.literal(false).optional() });

export const secretAnswer = secret.pick({ name: true, source: true });

export const agendaAnswer = agenda.omit({ often: true });

export const previewAnswer = schedulePreview.omit({ schedule: true });

export const healthAnswer = health.pick({ status: true, version: true }).extend({
  checks: z.array(health.shape.checks.element.pick({ name: true, status: true, message: true })),
});

/** Of what has nothing to say. */
export const nothing = z.object({});

export { pageOf } from '../answers/parts.js';
