import { z } from 'zod';

// What tools answer with, as far as a model reads it. Loose: what the API adds later is no change of contract.
const instant = z.string().describe('RFC 3339, UTC');
const maybeInstant = instant.nullable();

const occurrence = z.looseObject({ at: instant, local: z.string().describe('In the time zone of the task') });
const warning = z.looseObject({ code: z.string(), message: z.string() });

export const taskAnswer = z.looseObject({
  id: z.string(),
  name: z.string(),
  title: z.string().nullable(),
  state: z.string().describe('active, paused, done or canceled'),
  state_reason: z.string().nullable(),
  words: z.string().describe('The schedule in words'),
  timezone: z.string().nullable(),
  next_due_at: maybeInstant,
  next_due_local: z.string().nullable(),
  last_run_at: maybeInstant,
  next_occurrences: z.array(occurrence).optional(),
  warnings: z.array(warning).optional(),
});

export const createdTaskAnswer = taskAnswer.extend({
  outcome: z.string().describe('created, updated or unchanged'),
  active_tasks: z.int().describe('Tasks of this agent that are not canceled'),
});

const stepAnswer = z.looseObject({
  id: z.string(),
  tool: z.string().nullable(),
  status: z.string(),
  reason: z.string().nullable(),
});

export const runAnswer = z.looseObject({
  id: z.string(),
  task_id: z.string(),
  task_name: z.string(),
  status: z
    .string()
    .describe('queued, running, waiting, succeeded, partial, failed, dead, canceled, skipped or missed'),
  reason: z.string().nullable().describe('Why, unless it plainly succeeded'),
  trigger: z.string(),
  scheduled_for: instant,
  started_at: maybeInstant,
  finished_at: maybeInstant,
  steps: z.array(stepAnswer).optional(),
  delivery: z.string().nullable().optional().describe('How its messages are doing, apart from the run'),
});

export const approvalAnswer = z.looseObject({
  id: z.string(),
  run_id: z.string(),
  task_name: z.string(),
  step: z.string(),
  message: z.string().describe('What the person is asked'),
  state: z.string().describe('pending, approved, denied, expired or canceled'),
  expires_at: instant,
});

export const deliveryAnswer = z.looseObject({
  id: z.string(),
  run_id: z.string().nullable(),
  channel: z.string(),
  status: z
    .string()
    .describe('pending, sending, deferred, delivered, suppressed, failed or unknown (sent, answer lost)'),
  reason: z.string().nullable(),
  due_at: maybeInstant,
});

export const eventAnswer = z.looseObject({ id: z.string(), topic: z.string(), created_at: instant });

export const hookAnswer = z.looseObject({
  id: z.string(),
  name: z.string(),
  topic: z.string(),
  path: z.string().describe('Where to post, below the address of this server'),
  last_received_at: maybeInstant,
});

export const newHookAnswer = hookAnswer.extend({ secret: z.string().describe('Shown this once') });

export const toolAnswer = z.looseObject({ address: z.string(), description: z.string().nullish() });

export const secretAnswer = z.looseObject({ name: z.string(), source: z.string() });

export const agendaAnswer = z.looseObject({
  from: instant,
  until: instant,
  items: z.array(
    occurrence.extend({
      task_id: z.string(),
      task_name: z.string(),
      timezone: z.string().nullable(),
      quiet: z.string().nullable().describe('quiet_hours or vacation: messages wait then'),
      skipped: z.boolean().optional().describe('It is left out, for the vacation'),
    }),
  ),
  truncated: z.boolean().describe('More is due in this time than is listed'),
});

export const previewAnswer = z.looseObject({
  valid: z.boolean(),
  words: z.string(),
  timezone: z.string(),
  items: z.array(occurrence),
  warnings: z.array(warning),
});

export const healthAnswer = z.looseObject({
  status: z.string().describe('healthy, degraded or unhealthy'),
  version: z.string(),
  checks: z.array(z.looseObject({ name: z.string(), status: z.string(), message: z.string() })),
});

/** Of what has nothing to say. */
export const nothing = z.looseObject({});

/** One page of a list. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.looseObject({
    items: z.array(item),
    next_cursor: z.string().nullable().describe('Give it as cursor for the next page; null on the last one'),
  });
