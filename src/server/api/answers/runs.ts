import { z } from 'zod';
import { APPROVAL_STATES } from '../../../domain/approval.js';
import { DELIVERY_STATUSES } from '../../../domain/delivery.js';
import { RUN_STATUSES, RUN_TRIGGERS, STEP_STATUSES } from '../../../domain/run.js';
import {
  anyObject,
  callError,
  count,
  instant,
  maybeCount,
  maybeInstant,
  maybeText,
  spend,
  text,
  usage,
} from './parts.js';

const status = z.enum(RUN_STATUSES);
const trigger = z.enum(RUN_TRIGGERS);

export const step = z.object({
  id: text.describe('As the pipeline names it'),
  position: count,
  tool: maybeText,
  status: z.enum(STEP_STATUSES),
  reason: maybeText,
  attempts: count,
  started_at: maybeInstant,
  finished_at: maybeInstant,
  duration_ms: maybeCount,
  input: z.unknown().describe('As it was sent, secrets replaced by ***'),
  output: z.unknown(),
  error: callError.nullable(),
  idempotency_key: maybeText,
  usage: usage.nullable(),
});

export const delivery = z.object({
  id: text,
  agent_id: text,
  task_id: maybeText,
  run_id: maybeText,
  step: maybeText,
  origin: z.enum(['step', 'approval', 'notice', 'test']),
  channel: text,
  status: z.enum(DELIVERY_STATUSES),
  reason: maybeText,
  due_at: maybeInstant,
  attempts: count,
  urgent: z.boolean(),
  input: z.unknown().describe('What is handed to the channel, secrets replaced by ***'),
  answer: z.unknown(),
  error: callError.nullable(),
  idempotency_key: text,
  merged_into: maybeText.describe('The message it was sent with, as one'),
  created_at: instant,
  updated_at: instant,
  finished_at: maybeInstant,
});

const eventLink = z.object({ id: text, topic: text, at: instant });
const cause = z.union([
  eventLink.extend({ kind: z.literal('event') }),
  z.object({ kind: z.literal('run'), id: text, task_name: text, status, trigger, at: instant }),
]);

export const run = z.object({
  id: text,
  task_id: text,
  task_name: text,
  task_version: count,
  agent_id: text,
  status,
  reason: maybeText.describe('Why, unless it plainly succeeded'),
  trigger,
  scheduled_for: instant,
  created_at: instant,
  run_at: instant,
  started_at: maybeInstant,
  finished_at: maybeInstant,
  duration_ms: maybeCount,
  lateness_ms: maybeCount,
  attempt: count,
  priority: count,
  params: anyObject,
  event_id: maybeText,
  parent_run_id: maybeText,
  dedupe_key: maybeText,
  output: z.unknown(),
  error: callError.nullable(),
  trace_id: maybeText,
  worker_id: maybeText,
});

export const runWithSteps = run.extend({ steps: z.array(step) });
/** Started: with its steps where its end was waited for. */
export const startedRun = run.extend({ steps: z.array(step).optional() });
export const listedRun = run.extend({
  delivery: z
    .enum(DELIVERY_STATUSES)
    .nullable()
    .describe('How its messages are doing, as the worst of them; null when it has none'),
});
export const replayedRun = run.extend({
  kept_steps: z.array(text).describe('Steps whose results are those of the run before'),
});
export const dryRun = run.extend({
  id: z.literal('dry_run'),
  dry_run: z.literal(true),
  steps: z.array(step.extend({ action: text.describe('What would be done') })),
});

const paidRequest = z.object({
  id: text,
  step: maybeText,
  tool: maybeText,
  model: maybeText,
  state: z.enum(['reserved', 'settled']),
  reserved_tokens: z.number(),
  input_tokens: z.number().nullable(),
  output_tokens: z.number().nullable(),
  tokens: z.number(),
  usd: z.number().nullable(),
  estimated: z.boolean(),
  at: instant,
});

export const wholeRun = listedRun.extend({
  steps: z.array(step),
  deliveries: z.array(delivery),
  spent: spend.extend({ estimated: z.boolean(), requests: z.array(paidRequest) }),
  causes: z.array(cause).describe('What led to it, the nearest first'),
  events: z
    .object({ count, items: z.array(eventLink) })
    .nullable()
    .describe('The events that triggered it together'),
  published: z.array(eventLink).describe('Events that it published'),
});

export const approval = z.object({
  id: text,
  run_id: text,
  task_id: text,
  task_name: text,
  agent_id: text,
  step: text,
  message: text.describe('What the person is asked'),
  data: z.unknown(),
  state: z.enum(APPROVAL_STATES),
  on_timeout: z.enum(['deny', 'approve', 'skip']),
  requested_at: instant,
  expires_at: instant,
  decided_at: maybeInstant,
  decided_by: maybeText,
  comment: maybeText,
});

export const event = z.object({
  id: text,
  sequence: count,
  topic: text,
  payload: z.unknown(),
  dedupe_key: maybeText,
  agent_id: text,
  created_at: instant,
  dispatched_at: maybeInstant.describe('When its triggers had been worked off'),
  cause_run_id: maybeText.describe('The run it was published from'),
  depth: count.describe('How many runs there are before it in its chain of causes'),
});

export const publishedEvent = event.extend({
  duplicate: z.boolean().describe('The same key was published before: this is the event of that time'),
});

export const wholeEvent = event.extend({
  causes: z.array(cause).describe('What led to it, the nearest first'),
  runs: z
    .array(z.object({ id: text, task_name: text, status, reason: maybeText }))
    .describe('What it triggered'),
});
