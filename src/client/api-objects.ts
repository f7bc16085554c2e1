import type { Channel } from '../domain/channel.js';
import type { ApprovalState } from '../domain/approval.js';
import type { DeliveryOrigin, DeliveryStatus } from '../domain/delivery.js';
import type { Problem } from '../domain/errors.js';
import type { RunError, RunStatus, RunTrigger, StepStatus } from '../domain/run.js';
import type { TaskInput, TaskState } from '../domain/task.js';
import type { ToolInput } from '../domain/tool.js';

/** One page of a list; `next_cursor` is null on the last one. */
export interface ListPage<Item> {
  items: Item[];
  next_cursor: string | null;
}

/** One instant a schedule names. */
export interface OccurrenceObject {
  /** RFC 3339, UTC. */
  at: string;
  /** The same in the task's zone, as a person reads it. */
  local?: string;
  note?: string;
}

/** Something about a schedule a person should know: a DST gap, a date that never comes. */
export interface WarningObject {
  code?: string;
  message: string;
  hint?: string;
  /** The first instant it concerns. */
  at?: string;
}

/** A task as the API shows it; times are RFC 3339 UTC. */
export interface TaskObject {
  id: string;
  name: string;
  title: string | null;
  description: string | null;
  agent_id: string;
  version: number;
  state: TaskState;
  state_reason: string | null;
  schedule: (Record<string, unknown> & { kind: string; timezone?: string }) | null;
  timezone: string | null;
  priority: number;
  dedupe: Record<string, unknown> | null;
  concurrency: Record<string, unknown> | null;
  retry: Record<string, unknown> | null;
  timeout: string;
  params: Record<string, unknown>;
  runs_on: string[] | null;
  /** What is watched about it, as it was written. */
  monitor?: TaskInput['monitor'] | null;
  /** What its runs may use, as it was written. */
  budget?: TaskInput['budget'] | null;
  quiet_hours: unknown;
  vacation: unknown;
  on_vacation: string;
  tags: string[] | null;
  pipeline: Record<string, unknown>[];
  /** The next occurrence that is not left out. */
  next_due_at: string | null;
  next_due_local: string | null;
  /** Occurrences before it that were skipped or snoozed; 100 at most. */
  left_out_before?: number;
  /** The schedule in words. */
  words: string;
  snoozed_until: string | null;
  last_run_at: string | null;
  created_at: string;
  updated_at: string;
  created_by?: string;
  /** The run inside which it was created; null: from outside of any. */
  created_in_run?: string | null;
  /** Of one task: what is due next. */
  next_occurrences?: OccurrenceObject[];
  /** Of one task: what it may cost; null when it asks no model. */
  estimate?: EstimateObject | null;
  /** Of one task: what it has used since midnight in its zone. */
  spent_today?: SpentTodayObject;
  /** Of one task: windows of events (debounce, batch, absent) that are open, those that close first; 20 at most. */
  open_windows?: { total: number; items: OpenWindowObject[] };
}

/** Events that are taken together, or the time in which one must come. */
export interface OpenWindowObject {
  /** What the `key` of the schedule gave; empty without one. */
  key: string;
  kind: 'debounce' | 'batch' | 'absent';
  events: number;
  opened_at: string;
  /** When it fires, as far as is known now. */
  closes_at: string;
  words: string;
}

/** What was used; money in US dollars. */
export interface SpendObject {
  tokens: number;
  usd: number;
  calls: number;
  runs: number;
  /** Of the calls, those whose money is not in `usd`. */
  calls_of_unknown_price: number;
  /** The same in words. */
  words: string;
}

/** What was used of a budget of a day. */
export interface SpentTodayObject extends SpendObject {
  day: string;
  limits: { tokens?: number; usd?: number; calls?: number; runs?: number };
}

/** What was used today, by whom. */
export interface SpendTodayObject {
  /** All agents together; null for those who may not see all. */
  all: SpentTodayObject | null;
  agents: { agent_id: string; name: string; spent_today: SpentTodayObject }[];
  /** Tasks that have a budget or used something. */
  tasks: { task_id: string; name: string; agent_id: string; spent_today: SpentTodayObject }[];
  /** There are more agents or tasks than were looked at. */
  truncated: boolean;
}

/** What a task can cost at most, in so far as it is known before it runs. */
export interface EstimateObject {
  per_run: { calls: number; tokens: number; usd: number | null };
  per_day: { runs: number; calls: number; tokens: number; usd: number | null } | null;
  /** What models are given is not all written in the task. */
  open_input: boolean;
  /** Tokens that the smallest call sets aside. */
  smallest_call: number;
  unknown_prices: string[];
  /** What each step that asks a model sets aside for one request. */
  requests?: {
    step: string;
    tool: string;
    model: string;
    /** Items of a foreach, at most. */
    items: number;
    input_tokens: number;
    output_tokens: number;
    /** US dollars for a million tokens; null: not known. */
    price: { input: number; output: number } | null;
  }[];
  words: string;
}

/** One request to a model that a run paid for. */
export interface PaidRequestObject {
  id: string;
  step: string | null;
  tool: string | null;
  model: string | null;
  /** `reserved`: under way, or cut off; counts in full. */
  state: 'reserved' | 'settled';
  reserved_tokens: number;
  input_tokens: number | null;
  output_tokens: number | null;
  tokens: number;
  /** Null: its price is not known. */
  usd: number | null;
  estimated: boolean;
  at: string;
}

/** What becomes of a task that is handed in. */
export type ApplyOutcome = 'created' | 'updated' | 'unchanged';

/** The answer to creating or applying a task. */
export interface ChangedTaskObject extends TaskObject {
  outcome: ApplyOutcome;
  next_occurrences: OccurrenceObject[];
  /** What was due next before the change; only of a task that was there. */
  previous_occurrences?: OccurrenceObject[];
  warnings: WarningObject[];
}

/** The answer to creating a task. */
export interface CreatedTaskObject extends ChangedTaskObject {
  /** Tasks of this agent that are not canceled. */
  active_tasks: number;
}

/** The answer to leaving out the next occurrence. */
export interface SkippedTaskObject extends TaskObject {
  left_out: OccurrenceObject;
}

/** The answer to checking a task that is not kept. */
export interface TaskCheckObject {
  valid: boolean;
  /** What applying it would do. */
  outcome: ApplyOutcome;
  name: string;
  words: string;
  next_occurrences: OccurrenceObject[];
  warnings: WarningObject[];
}

/** The next occurrences of a task. */
export interface OccurrencesObject {
  items: OccurrenceObject[];
  warnings?: WarningObject[];
  /** The schedule in words. */
  words: string;
  timezone: string | null;
}

/** One step of a run. */
export interface StepObject {
  /** As the pipeline names it. */
  id: string;
  position: number;
  tool: string | null;
  status: StepStatus;
  reason: string | null;
  attempts: number;
  started_at: string | null;
  finished_at: string | null;
  duration_ms?: number | null;
  /** As it was sent, secrets replaced by `***`. */
  input: unknown;
  output: unknown;
  error: RunError | null;
  idempotency_key?: string | null;
  usage?: { input_tokens: number; output_tokens: number; estimated?: boolean } | null;
}

/** A run as the API shows it; `steps` is there when one run is asked for. */
export interface RunObject {
  id: string;
  task_id: string;
  task_name: string;
  task_version: number;
  agent_id: string;
  status: RunStatus;
  reason: string | null;
  trigger: RunTrigger;
  scheduled_for: string;
  created_at: string;
  run_at: string;
  started_at: string | null;
  finished_at: string | null;
  duration_ms: number | null;
  lateness_ms: number | null;
  attempt: number;
  priority: number;
  params: Record<string, unknown>;
  event_id: string | null;
  parent_run_id: string | null;
  dedupe_key: string | null;
  output: unknown;
  error: RunError | null;
  trace_id: string | null;
  worker_id: string | null;
  steps?: StepObject[];
  /** What it paid for; of one run. */
  spent?: SpendObject & { estimated: boolean; requests: PaidRequestObject[] };
  /** How its messages are doing, as the worst of them; null when it has none. */
  delivery?: DeliveryStatus | null;
  deliveries?: DeliveryObject[];
  /** What led to it, the nearest first; only of a run that is shown alone, as the two below. */
  causes?: CauseObject[];
  /** The events that triggered it together. */
  events?: { count: number; items: EventLink[] } | null;
  /** Events that it published. */
  published?: EventLink[];
}

/** A run that repeats another one. */
export interface ReplayedRunObject extends RunObject {
  /** Steps whose results are those of the run before. */
  kept_steps: string[];
}

/** A message on its way to a channel. */
export interface DeliveryObject {
  id: string;
  agent_id: string;
  task_id: string | null;
  run_id: string | null;
  step: string | null;
  origin: DeliveryOrigin;
  channel: string;
  status: DeliveryStatus;
  reason: string | null;
  due_at: string | null;
  attempts: number;
  urgent: boolean;
  /** What is handed to the channel, secrets replaced by `***`. */
  input: unknown;
  answer: unknown;
  error: RunError | null;
  idempotency_key: string;
  /** The message it was sent with, as one. */
  merged_into: string | null;
  created_at: string;
  updated_at: string;
  finished_at: string | null;
}

/** A channel of the configuration. */
export interface ChannelObject {
  name: string;
  /** `channel.NAME`, the tool that sends by it. */
  address: string;
  kind: Channel['kind'];
  /** Questions by it have buttons to answer them. */
  buttons: boolean;
  /** Why answers do not come in by it; null when all is well. */
  problem: { kind: 'conflict' | 'webhook' | 'auth'; message: string; hint: string; since: string } | null;
}

/** An event that something else refers to. */
export interface EventLink {
  id: string;
  topic: string;
  at: string;
}

/** One link of a chain of causes. */
export type CauseObject =
  | ({ kind: 'event' } & EventLink)
  | { kind: 'run'; id: string; task_name: string; status: RunStatus; trigger: RunTrigger; at: string };

/** A question that a run waits with. */
export interface ApprovalObject {
  id: string;
  run_id: string;
  task_id: string;
  task_name: string;
  agent_id: string;
  step: string;
  message: string;
  data: unknown;
  state: ApprovalState;
  on_timeout: 'deny' | 'approve' | 'skip';
  requested_at: string;
  expires_at: string;
  decided_at: string | null;
  decided_by: string | null;
  comment: string | null;
}

/** An agent; `tokens` never hold a secret. */
export interface AgentObject {
  id: string;
  name: string;
  title: string | null;
  scopes: string[];
  /** How many tasks it may have; null: as many as the configuration says. */
  max_tasks?: number | null;
  /** What all its tasks together may use in a day. */
  budget?: AgentBudgetObject | null;
  /** Of one agent: what it has used since midnight in its zone. */
  spent_today?: SpentTodayObject;
  disabled_at: string | null;
  created_at: string;
  updated_at: string;
  /** When the messages of its tasks wait; of one agent. */
  quiet_hours?: { from: string; to: string; timezone: string; days?: string[]; digest?: boolean }[];
  vacation?: { from: string; to: string; timezone: string }[];
  tokens?: TokenObject[];
}

/** What is known of a secret; never its value. */
export interface SecretObject {
  name: string;
  source: 'environment' | 'file' | 'store' | 'command';
  /** Addresses of the tools that may use it; null: all. */
  tools: string[] | null;
  /** Names of the agents that may use it; null: all that have its scope. */
  agents: string[] | null;
  /** Names of the agents with its scope, for those who may see agents. */
  granted_to?: string[];
  updated_at: string | null;
  last_used_at?: string | null;
  last_used_by?: { tool: string | null; agent: string | null } | null;
}

/** The budget of an agent. */
export interface AgentBudgetObject {
  per_day: {
    tokens?: number | undefined;
    usd?: number | undefined;
    calls?: number | undefined;
    runs?: number | undefined;
  };
  timezone?: string | undefined;
  on_exceed?: string | undefined;
}

/** What is known of a token; never its secret. */
export interface TokenObject {
  id: string;
  prefix: string;
  label: string | null;
  /** null when it may do all that its agent may. */
  scopes?: string[] | null;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  last_used_at: string | null;
}

/** The answer that made a token: the only time its secret can be read. */
export interface NewTokenObject extends TokenObject {
  secret: string;
}

/** The answer to creating an agent, with its first token. */
export type CreatedAgentObject = AgentObject & { token: NewTokenObject };

/** A published event. */
export interface EventObject {
  id: string;
  sequence: number;
  topic: string;
  payload: unknown;
  dedupe_key: string | null;
  agent_id: string;
  created_at: string;
  /** When its triggers had been worked off; null while they wait. */
  dispatched_at: string | null;
  /** The run it was published from; null when it came from outside. */
  cause_run_id: string | null;
  /** How many runs there are before it in its chain of causes. */
  depth: number;
  /** True when the same key was published before; then this is the event of that time. */
  duplicate?: boolean;
  /** What led to it, the nearest first; only of an event that is shown alone, as the one below. */
  causes?: CauseObject[];
  /** Runs that it triggered. */
  runs?: { id: string; task_name: string; status: RunStatus; reason: string | null }[];
}

/** An inbound webhook. */
export interface HookObject {
  id: string;
  name: string;
  topic: string;
  /** How its sender signs. */
  scheme: 'standard' | 'github';
  /** With `github`: an equal body under a new id is an event of its own. */
  allow_repeats: boolean;
  /** Where to post, below the address of the server. */
  path: string;
  /** Where to post; null where `public_url` is not configured. */
  url: string | null;
  agent_id: string;
  created_at: string;
  updated_at: string;
  last_received_at: string | null;
  /** Until when the secret before a rotation counts as well. */
  old_secret_until: string | null;
}

/** A hook with its secret, which is shown this once. */
export interface NewHookObject extends HookObject {
  secret: string;
}

/** A tool of the catalog; a built-in one has no version and no times. */
export type ToolObject = ToolInput & { version?: number; created_at?: string; updated_at?: string };

/** The answer to a direct tool call. */
export interface ToolCallObject {
  output: unknown;
  duration_ms?: number;
  usage?: { input_tokens: number; output_tokens: number; estimated?: boolean } | null;
}

/** What an import brought; what could not be taken is a problem with a pointer into the document. */
export interface ToolImportObject {
  items: (Pick<ToolObject, 'address' | 'kind' | 'side_effect'> & { title: string | null })[];
  created: number;
  replaced: number;
  problems?: Problem[];
}

/** What happened to a task around an instant, and why. */
export interface ExplanationObject {
  task: { id: string; name: string; state: TaskState; timezone: string | null; words: string };
  at: string | null;
  /** Sentences, in the order they should be read. */
  lines: {
    at: string;
    text: string;
    /** `due`, `gated`, `skipped`, `missed`, `leased`, `step`, `delivered`, `ended`, `next`, `note`. */
    kind?: string;
    /** A moment of this run; only of the one that was asked about. */
    run_id?: string;
  }[];
  runs: RunObject[];
}

/** One process of the system, by the sign it gave last. */
export interface ServiceObject {
  id: string;
  kind: 'supervisor' | 'api' | 'scheduler' | 'worker';
  slot: string;
  pid: number;
  host: string;
  version: string;
  tags: string[];
  started_at: string;
  last_seen_at: string;
  /** Runs it does at once, and those it does now; 0 for what is no worker. */
  slots_total: number;
  slots_busy: number;
}

/** One version of a task. */
export interface TaskVersionObject {
  version: number;
  changed_by: string;
  changed_at: string;
  spec: TaskInput;
}

/** What a schedule means. */
export interface SchedulePreviewObject {
  valid: true;
  words: string;
  timezone: string;
  /** As it would be stored. */
  schedule: unknown;
  items: { at: string; local: string }[];
  warnings: { code: string; message: string }[];
}

/** One occurrence that will come. */
export interface AgendaItem {
  at: string;
  local: string;
  task_id: string;
  task_name: string;
  timezone: string | null;
  /** Why messages wait then. */
  quiet: 'quiet_hours' | 'vacation' | null;
  /** It is left out, for the vacation. */
  skipped?: boolean;
}

/** What is due soon, in order of time. */
export interface AgendaObject {
  from: string;
  until: string;
  items: AgendaItem[];
  /** When asked for: the next occurrence of tasks that are due more often than that; they are not in `items`. */
  often?: AgendaItem[];
  /** More is due in this time than is listed. */
  truncated: boolean;
}

/** One entry of the audit log. */
export interface AuditObject {
  sequence: number;
  at: string;
  /** `agent:<id>`, `system`, … */
  actor: string;
  /** Name of the agent. */
  actor_name: string | null;
  action: string;
  target: string | null;
  details: Record<string, unknown>;
  hash: string;
}

/** What a person did to stored secrets. */
export interface SecretChange {
  change: 'set' | 'limited' | 'deleted' | 'rekeyed';
  name?: string;
  tools?: string[];
  agents?: string[];
}
