import { z } from 'zod';
import { TASK_STATES } from '../../../domain/task.js';
import {
  anyObject,
  count,
  instant,
  maybeInstant,
  maybeText,
  occurrence,
  spentToday,
  text,
  warning,
} from './parts.js';
import { run } from './runs.js';

const state = z.enum(TASK_STATES);
const schedule = z.looseObject({ kind: text, timezone: text.optional() });

export const task = z.object({
  id: text,
  name: text,
  title: maybeText,
  description: maybeText,
  tags: z.array(text),
  agent_id: text,
  version: count,
  state,
  state_reason: maybeText,
  schedule: schedule.nullable(),
  timezone: maybeText,
  priority: count,
  dedupe: anyObject.nullable(),
  concurrency: anyObject.nullable(),
  retry: anyObject.nullable(),
  timeout: text,
  params: anyObject,
  runs_on: z.array(text),
  monitor: anyObject.nullable().describe('What is watched about it, as it was written'),
  budget: anyObject.nullable().describe('What its runs may use, as it was written'),
  quiet_hours: z.array(anyObject).nullable(),
  vacation: z.array(anyObject).nullable(),
  on_vacation: text,
  pipeline: z.array(anyObject),
  next_due_at: maybeInstant.describe('The next occurrence that is not left out'),
  next_due_local: maybeText,
  left_out_before: count.describe('Occurrences before it that were skipped or snoozed; 100 at most'),
  words: text.describe('The schedule in words'),
  snoozed_until: maybeInstant,
  last_run_at: maybeInstant,
  created_by: text,
  created_in_run: maybeText.describe('The run inside which it was created; null: from outside of any'),
  created_at: instant,
  updated_at: instant,
});

const estimated = z.object({ calls: z.number(), tokens: z.number(), usd: z.number().nullable() });
const estimate = z.object({
  per_run: estimated,
  per_day: estimated.extend({ runs: z.number() }).nullable(),
  open_input: z.boolean().describe('What models are given is not all written in the task'),
  smallest_call: z.number().describe('Tokens that the smallest call sets aside'),
  unknown_prices: z.array(text),
  requests: z
    .array(
      z.object({
        step: text,
        tool: text,
        model: text,
        items: z.number(),
        input_tokens: z.number(),
        output_tokens: z.number(),
        price: z.object({ input: z.number(), output: z.number() }).nullable(),
      }),
    )
    .describe('What each step that asks a model sets aside for one request'),
  words: text,
});

const openWindow = z.object({
  key: text.describe('What the key of the schedule gave; empty without one'),
  kind: z.enum(['debounce', 'batch', 'absent']),
  events: z.number(),
  opened_at: instant,
  closes_at: instant.describe('When it fires, as far as is known now'),
  words: text,
});

export const wholeTask = task.extend({
  next_occurrences: z.array(occurrence),
  estimate: estimate.nullable().describe('What it may cost; null when it asks no model'),
  spent_today: spentToday,
  open_windows: z
    .object({ total: count, items: z.array(openWindow) })
    .describe('Windows of events that are open'),
});

const outcome = z.enum(['created', 'updated', 'unchanged']);

export const changedTask = wholeTask.extend({
  outcome,
  warnings: z.array(warning),
  previous_occurrences: z.array(occurrence).optional().describe('What was due next before the change'),
});

export const createdTask = changedTask.extend({
  active_tasks: count.describe('Tasks of this agent that are not canceled'),
});

export const skippedTask = task.extend({ left_out: occurrence });

export const taskCheck = z.object({
  valid: z.literal(true),
  outcome: outcome.describe('What applying it would do'),
  name: text,
  words: text,
  next_occurrences: z.array(occurrence),
  warnings: z.array(warning),
});

export const occurrences = z.object({
  items: z.array(occurrence),
  warnings: z.array(warning),
  words: text,
  timezone: maybeText,
});

export const explanation = z.object({
  task: z.object({ id: text, name: text, state, timezone: text, words: text }),
  at: maybeInstant,
  lines: z
    .array(
      z.object({
        at: instant,
        kind: text,
        text,
        run_id: text.optional().describe('A moment of this run'),
      }),
    )
    .describe('Sentences, in the order they should be read'),
  runs: z.array(run),
});

export const taskVersion = z.object({
  version: count,
  changed_by: text,
  changed_at: instant,
  spec: anyObject,
});

export const schedulePreview = z.object({
  valid: z.literal(true),
  words: text,
  timezone: text,
  schedule: schedule.nullable().describe('As it would be stored'),
  items: z.array(occurrence),
  warnings: z.array(warning),
});

const agendaItem = occurrence.omit({ note: true }).extend({
  task_id: text,
  task_name: text,
  timezone: maybeText,
  quiet: z.enum(['quiet_hours', 'vacation']).nullable().describe('Why messages wait then'),
  skipped: z.boolean().optional().describe('It is left out, for the vacation'),
});

export const agenda = z.object({
  from: instant,
  until: instant,
  items: z.array(agendaItem),
  often: z
    .array(agendaItem)
    .optional()
    .describe('The next occurrence of tasks that are due more often than was asked for'),
  truncated: z.boolean().describe('More is due in this time than is listed'),
});
