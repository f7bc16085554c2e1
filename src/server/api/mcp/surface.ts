import { z } from 'zod';
import { mayUseTool } from '../../../domain/agent.js';
import { taskNameSchema } from '../../../domain/task.js';
import type { Caller } from '../operation.js';
import * as answers from './answers.js';

/** One tool of the MCP server: an operation of the API under a name, with what a model needs to use it. */
export interface ToolDefinition {
  name: string;
  /** The operation of the API behind it, by its name: what it does, who may, and what it refuses are defined there alone. */
  operation: string;
  title: string;
  /** Models read only this. */
  description: string;
  /** Its input where the operation's own schema says too little to a model; made of path, query and body otherwise. */
  input?: z.ZodObject;
  answer: z.ZodObject;
  /** What of the operation's answer is said differently here. */
  shape?: (answer: Record<string, unknown>, caller: Caller) => Record<string, unknown>;
  /** The whole body of the operation is this one part of the input. */
  bodyIn?: string;
  /** It changes nothing, though its operation is a POST. */
  isReadOnly?: boolean;
  /** It may undo or stop something that a person set up. */
  isDestructive?: boolean;
  /** Calling it again with the same input changes nothing more. */
  isIdempotent?: boolean;
}

const task = z.string().min(1).max(200).describe('Name or id of the task');
const schedule = z
  .looseObject({
    kind: z.enum(['cron', 'rrule', 'once', 'event', 'condition']),
    expr: z
      .string()
      .optional()
      .describe(
        'cron: 5 fields; rrule: RFC 5545, such as FREQ=WEEKLY;BYDAY=MO;BYHOUR=9; once: 2026-12-01T09:00',
      ),
    timezone: z
      .string()
      .optional()
      .describe('IANA name, such as Europe/Berlin: always give the zone of the person'),
    topic: z.string().optional().describe('For event: topic pattern, such as mail.received or mail.*'),
    every: z.string().optional().describe('condition: how often to look, such as 5m'),
    check: z
      .looseObject({ uses: z.string(), with: z.record(z.string(), z.unknown()).optional() })
      .optional()
      .describe('condition: the tool call that looks'),
    when: z
      .string()
      .optional()
      .describe('condition: JMESPath over result, previous and state; runs when true'),
    clear_when: z.string().optional().describe('condition: true until this is'),
    trigger: z
      .enum(['edge', 'level'])
      .optional()
      .describe('condition: once it becomes true, or each time it is'),
    for: z.string().optional().describe('condition: it must hold this long'),
    cooldown: z.string().optional().describe('condition: least time between two runs'),
  })
  .describe('When it is due. Ask schedule_preview first.');
const step = z
  .looseObject({
    id: z.string().describe('Letters, digits and _'),
    uses: z.string().optional().describe('Address of a tool: see tool_list'),
    with: z
      .record(z.string(), z.unknown())
      .optional()
      .describe('Its input; "${steps.ID.field}" and "${params.NAME}" are filled in when it runs'),
  })
  .describe(
    'Also: if, save_as, on_error, timeout, retry, foreach, parallel, wait, approve, idempotency_key; kind: notify for messages, with quiet_hours and urgent',
  );
const taskInput = z.object({
  name: taskNameSchema.describe('Unique for this agent'),
  title: z.string().optional(),
  description: z.string().optional(),
  schedule: schedule.optional(),
  params: z.record(z.string(), z.unknown()).optional(),
  pipeline: z.array(step).min(1).describe('Tool calls, in order'),
  retry: z.looseObject({ max: z.int().optional() }).optional(),
  timeout: z.string().optional().describe('Such as 5m'),
  priority: z.int().optional().describe('1 (first) to 9'),
  budget: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('per_run and per_day: { usd, tokens, calls }, per_day also runs; on_exceed: skip or pause'),
  quiet_hours: z
    .unknown()
    .optional()
    .describe('When its messages wait: { from: "22:00", to: "07:00", timezone }, a list of them, or none'),
  dedupe: z
    .looseObject({ key: z.string(), window: z.string().optional() })
    .optional()
    .describe('Runs with the same key within window (1h) are one'),
  concurrency: z
    .looseObject({ key: z.string(), limit: z.int().optional() })
    .optional()
    .describe('At most limit (1) runs at once over all tasks with this key'),
  monitor: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('max_age of the last success, notify_after and pause_after failures, notify: { channel }'),
});

/** The tools of pao (agents.md A.5), in the order of their names. */
export const toolDefinitions: readonly ToolDefinition[] = [
  {
    name: 'agenda',
    operation: 'agenda',
    title: 'What runs soon',
    description: 'Lists what is due in the next hours, in local time, over all tasks you may see.',
    answer: answers.agendaAnswer,
  },
  {
    name: 'approval_decide',
    operation: 'approval_decide',
    title: 'Answer an approval',
    description:
      'Says yes (approve) or no (deny) for the person. Clients that can ask the person do; with others give decision, and only when the person said it in this conversation. data replaces what is approved.',
    input: z.strictObject({
      id: z.string().describe('Id of the approval: apr_…'),
      decision: z.enum(['approve', 'deny']).optional().describe('What the person said'),
      comment: z.string().max(2000).optional(),
      data: z.json().optional().describe('Replaces what is approved'),
    }),
    answer: answers.approvalAnswer,
    isDestructive: true,
    isIdempotent: true,
  },
  {
    name: 'approval_list',
    operation: 'approval_list',
    title: 'What waits for a person',
    description: 'Lists the questions that runs wait with, what each would do, and until when.',
    answer: answers.pageOf(answers.approvalAnswer),
  },
  {
    name: 'delivery_list',
    operation: 'delivery_list',
    title: 'What became of messages',
    description:
      'Lists messages that runs sent, and whether they arrived. status=failed,unknown shows what needs a person.',
    answer: answers.pageOf(answers.deliveryAnswer),
  },
  {
    name: 'delivery_resend',
    operation: 'delivery_resend',
    title: 'Send a message again',
    description:
      'Sends a message once more. One of unknown outcome may arrive twice: only do so when the person said so.',
    answer: answers.deliveryAnswer,
    isDestructive: true,
  },
  {
    name: 'delivery_resolve',
    operation: 'delivery_resolve',
    title: 'Say how a message ended',
    description:
      'Says for the person that a message of unknown outcome was delivered or failed, or that a waiting one is not to be sent (suppressed).',
    answer: answers.deliveryAnswer,
    isDestructive: true,
    isIdempotent: true,
  },
  {
    name: 'event_publish',
    operation: 'event_publish',
    title: 'Publish an event',
    description:
      'Publishes an event on a topic; tasks that wait for it start. Give dedupe_key when you may call twice.',
    answer: answers.eventAnswer,
  },
  {
    name: 'event_get',
    operation: 'event_get',
    title: 'Show an event',
    description: 'Shows one event: the chain of runs and events that led to it, and the runs it started.',
    answer: answers.eventAnswer,
  },
  {
    name: 'event_list',
    operation: 'event_list',
    title: 'List events',
    description: 'Lists events, newest first. topic takes a pattern, such as mail.*.',
    answer: answers.pageOf(answers.eventAnswer),
  },
  {
    name: 'hook_create',
    operation: 'hook_create',
    title: 'Create an inbound webhook',
    description:
      'Makes an address that another service posts to; each rightly signed delivery becomes an event on topic. The secret is in this answer and never again: give it to the person. scheme: standard (Standard Webhooks) or github.',
    answer: answers.newHookAnswer,
  },
  {
    name: 'hook_delete',
    operation: 'hook_delete',
    title: 'Delete an inbound webhook',
    description: 'Ends an inbound webhook, by name or id: what is posted to it is refused from now on.',
    answer: answers.nothing,
    isDestructive: true,
    isIdempotent: true,
  },
  {
    name: 'hook_list',
    operation: 'hook_list',
    title: 'List inbound webhooks',
    description: 'Lists inbound webhooks with their topics and when something last came, without secrets.',
    answer: answers.pageOf(answers.hookAnswer),
  },
  {
    name: 'hook_rotate',
    operation: 'hook_rotate',
    title: 'New secret for a webhook',
    description:
      'Gives an inbound webhook a new secret, shown once; the old one counts for grace_seconds more (a day when left out).',
    answer: answers.newHookAnswer,
    isDestructive: true,
  },
  {
    name: 'health',
    operation: 'health',
    title: 'Is pao well?',
    description: 'Says whether the orchestrator is healthy, and what is wrong if not.',
    answer: answers.healthAnswer,
  },
  {
    name: 'run_cancel',
    operation: 'run_cancel',
    title: 'Cancel a run',
    description: 'Ends a run that is queued, runs or waits. What its steps did already stays done.',
    answer: answers.canceledRunAnswer,
    isDestructive: true,
    isIdempotent: true,
  },
  {
    name: 'run_get',
    operation: 'run_get',
    title: 'Show a run',
    description:
      'Shows one run with its steps, outputs and the reason it ended as it did. wait: "20s" waits for its end.',
    answer: answers.runAnswer,
  },
  {
    name: 'run_list',
    operation: 'run_list',
    title: 'List runs',
    description:
      'Lists runs, newest first, also those that were skipped or missed, with the reason. task_id takes a name too.',
    answer: answers.pageOf(answers.runAnswer),
  },
  {
    name: 'run_replay',
    operation: 'run_replay',
    title: 'Run it again',
    description:
      'Runs a finished run again for the same instant. from_step keeps the recorded results of the steps before it; what was sent is not sent again unless again is true.',
    answer: answers.runAnswer,
  },
  {
    name: 'run_resolve',
    operation: 'run_resolve',
    title: 'Settle a lost outcome',
    description:
      'Says for the person whether a call whose outcome was lost (step status unknown) was done or not_done. Only when the person said so in this conversation; then run_replay goes on.',
    answer: answers.runAnswer,
    isIdempotent: true,
  },
  {
    name: 'schedule_preview',
    operation: 'schedule_preview',
    title: 'Check a schedule',
    description:
      'Says in words what a schedule means, its next times in local time, and warnings. Call it before task_create.',
    input: z.object({ schedule, count: z.int().min(1).max(100).optional() }),
    answer: answers.previewAnswer,
    isReadOnly: true,
  },
  {
    name: 'secret_list',
    operation: 'secret_list',
    title: 'List secrets',
    description:
      'Lists the names of the secrets you may use in a step as ${secrets.NAME}. Values are never shown; a person sets them with pao secret set.',
    answer: answers.pageOf(answers.secretAnswer),
  },
  {
    name: 'task_cancel',
    operation: 'task_cancel',
    title: 'Cancel a task',
    description: 'Ends a task for good, and what is queued of it. Its history stays.',
    answer: answers.taskAnswer,
    isDestructive: true,
    isIdempotent: true,
  },
  {
    name: 'task_create',
    operation: 'task_create',
    title: 'Create a task',
    description:
      'Creates a task and answers with its next occurrences in local time and with warnings: read them, and correct the schedule with task_update if they are not what was meant.',
    input: taskInput,
    answer: answers.createdTaskAnswer,
  },
  {
    name: 'task_explain',
    operation: 'task_explain',
    title: 'Why it ran, or did not',
    description: 'Says in sentences why a task ran or did not, lately or about the instant at.',
    answer: answers.explanationAnswer,
  },
  {
    name: 'task_get',
    operation: 'task_get',
    title: 'Show a task',
    description: 'Shows one task with its pipeline and its next occurrences.',
    answer: answers.taskAnswer,
  },
  {
    name: 'task_list',
    operation: 'task_list',
    title: 'List tasks',
    description: 'Lists tasks. state: active, paused, done, canceled; search: part of a name or title.',
    answer: answers.pageOf(answers.taskAnswer),
  },
  {
    name: 'task_pause',
    operation: 'task_pause',
    title: 'Pause a task',
    description: 'Stops a task from becoming due until task_resume. Say why in reason.',
    answer: answers.taskAnswer,
    isIdempotent: true,
  },
  {
    name: 'task_resume',
    operation: 'task_resume',
    title: 'Resume a task',
    description:
      'Lets a paused task become due again. What came due meanwhile is skipped unless catchup says otherwise.',
    answer: answers.taskAnswer,
    isIdempotent: true,
  },
  {
    name: 'task_run_now',
    operation: 'task_run_now',
    title: 'Run a task now',
    description:
      'Starts a task now and answers with the run. Give idempotency_key so that a repeated call starts it once; wait: "20s" waits for its end, or until it asks the person. dry_run: true only shows what each step would do.',
    answer: answers.runAnswer,
  },
  {
    name: 'task_skip',
    operation: 'task_skip',
    title: 'Skip the next occurrence',
    description: 'Leaves out the next occurrence; called again, also the one after it.',
    answer: answers.skippedTaskAnswer,
  },
  {
    name: 'task_snooze',
    operation: 'task_snooze',
    title: 'Snooze a task',
    description: 'Skips occurrences for some seconds, or until an instant. Each skipped one leaves a row.',
    answer: answers.taskAnswer,
    isIdempotent: true,
  },
  {
    name: 'task_update',
    operation: 'task_update',
    title: 'Change a task',
    description:
      'Changes what is named in changes and leaves the rest (JSON Merge Patch: null removes). Shows the next occurrences before and after.',
    input: z.object({ id: task, changes: z.record(z.string(), z.unknown()) }),
    bodyIn: 'changes',
    answer: answers.changedTaskAnswer,
    isDestructive: true,
    isIdempotent: true,
  },
  {
    name: 'tool_list',
    operation: 'tool_list',
    title: 'List tools',
    description:
      'Lists what pipelines may call, with the schema of each input. usable: false: this token lacks its scope.',
    answer: answers.pageOf(answers.toolAnswer),
    shape: ({ items, ...page }, { scopes }) => ({
      items: (items as { address: string }[]).map((tool) =>
        mayUseTool(scopes, tool.address) ? tool : { ...tool, usable: false },
      ),
      ...page,
    }),
  },
];
