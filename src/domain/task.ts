import { z } from 'zod';
import { taskBudgetSchema } from './budget.js';
import { pipelineSchema, retrySchema } from './pipeline/step.js';
import { quietHoursSchema, vacationsSchema } from './quiet-times.js';
import { durationText, scheduleSchema } from './schedule.js';

/** Control and bidirectional-override characters, which have no place in a name (security.md C2.4). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

/** One line of text for people. */
export const label = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((text) => !UNSAFE.test(text), { message: 'contains control characters' });

export const taskNameSchema = z
  .string()
  .min(1, { abort: true })
  .max(100)
  .regex(
    /^[a-z0-9][a-z0-9._-]*$/i,
    'may have letters, digits, ".", "_" and "-", and begins with a letter or digit',
  );

/** How people hear that a task fails: a channel, a webhook, or a tool of the catalog whose input may use \${notice.…}. */
export const notifySchema = z.union([
  z.strictObject({ webhook: z.url({ protocol: /^https?$/ }).max(2000) }),
  z.strictObject({ channel: z.string().min(1).max(50) }),
  z.strictObject({ tool: z.string().min(1).max(200), with: z.record(z.string(), z.unknown()).default({}) }),
]);

/** What is watched about a task; what is left out follows `notify` of the configuration. */
const monitorSchema = z
  .strictObject({
    /** A success must come at least this often, else the alert OrchestratorTaskSuccessOverdue fires. */
    max_age: durationText(1000).optional(),
    /** Failures in a row until people are told. */
    notify_after: z.int().min(1).max(1000).optional(),
    /** They are not told again before this has passed. */
    cooldown: durationText(1000).optional(),
    notify: notifySchema.optional(),
    /** Failures in a row until the task is paused. */
    pause_after: z.int().min(1).max(1000).optional(),
    /** Asked for after each success (also of a look that found nothing new): a dead-man switch such as healthchecks.io says when it stays away. */
    ping_url: z
      .url({ protocol: /^https?$/ })
      .max(2000)
      .optional(),
    /** `healthchecks`: also URL/start when a run begins, and URL/fail when it failed for good. */
    ping_style: z.enum(['plain', 'healthchecks']).optional(),
  })
  .refine(({ ping_url, ping_style }) => ping_style === undefined || ping_url !== undefined, {
    path: ['ping_style'],
    message: 'belongs to ping_url',
  });

/** What a person or agent hands in; see "A task file" in product.md. */
export const taskSpecSchema = z.strictObject({
  name: taskNameSchema,
  title: label(200).optional(),
  description: z.string().max(4000).optional(),
  tags: z.array(label(50)).max(20).optional(),
  /** None: the task runs only when asked to. */
  schedule: scheduleSchema.optional(),
  priority: z.int().min(1).max(9).default(5),
  dedupe: z
    .strictObject({ key: z.string().min(1).max(500), window: durationText(1000).default('1h') })
    .optional(),
  concurrency: z
    .strictObject({ key: z.string().min(1).max(200), limit: z.int().min(1).max(1000).default(1) })
    .optional(),
  retry: retrySchema.optional(),
  timeout: durationText(100, 7 * 86_400_000).default('5m'),
  params: z.record(z.string(), z.unknown()).default({}),
  /** Worker tags a worker must all have to take the runs of this task. */
  runs_on: z.array(label(50)).max(10).optional(),
  monitor: monitorSchema.optional(),
  /** What its runs may use; checked before each call. */
  budget: taskBudgetSchema.optional(),
  /** When its messages wait, in place of its agent's quiet hours; `none`: never. */
  quiet_hours: quietHoursSchema.optional(),
  /** Besides those of its agent. */
  vacation: vacationsSchema.optional(),
  /** `skip`: what comes due on a vacation is skipped; else it runs, and its messages wait. */
  on_vacation: z.enum(['run', 'skip']).optional(),
  pipeline: pipelineSchema,
});

/** A task as handed in, defaults filled in. */
export type TaskSpec = z.infer<typeof taskSpecSchema>;
/** A task as a person writes it. */
export type TaskInput = z.input<typeof taskSpecSchema>;

export const TASK_STATES = ['active', 'paused', 'canceled', 'done'] as const;
/** `done`: its schedule has no further occurrence (a `once` that ran, a COUNT used up). */
export type TaskState = (typeof TASK_STATES)[number];

/** A task as stored. Times are epoch milliseconds. */
export interface Task {
  id: string;
  agentId: string;
  name: string;
  /** Grows by one with each change; the number of its `task_version`. */
  version: number;
  state: TaskState;
  /** Why it is paused or canceled, in the words of who did it. */
  stateReason: string | null;
  spec: TaskSpec;
  /** What its agent could do when it was created; a run may use this ∩ what the agent may do now. */
  scopes: string[];
  /** The next occurrence; null when there is none (event tasks, manual tasks, done). */
  nextDueAt: number | null;
  /** Occurrences before this instant are skipped with reason `snoozed`. */
  snoozedUntil: number | null;
  lastRunAt: number | null;
  /** State kept between runs by condition schedules. */
  memory: Record<string, unknown> | null;
  createdBy: string;
  /** The run inside which it was created; null: from outside of any. */
  createdInRun: string | null;
  /** How many runs that created tasks are behind it: 0 for one that was created from outside. */
  spawnDepth: number;
  createdAt: number;
  updatedAt: number;
}
