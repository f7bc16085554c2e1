import { BUDGET_SCOPES } from '../budget.js';
import { RUN_TRIGGERS } from '../run.js';
import { TASK_STATES } from '../task.js';

/** Series that a system may have at most; counted with a hundred tools in use. */
export const MAX_SERIES = 2000;

/** Every metric of ours begins with this. */
export const METRIC_PREFIX = 'orchestrator_';

/** One metric: a public interface, compared with what `/metrics` says (observability.md A3.12). */
export interface MetricDefinition {
  /** Without {@link METRIC_PREFIX}. */
  name: string;
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  /** Label names with their closed list of values; null for one that is bounded otherwise (a route, a tool, a slot). */
  labels: Readonly<Record<string, readonly string[] | null>>;
  buckets?: keyof typeof METRIC_BUCKETS;
}

/**
 * Upper bounds, seconds; the last one lies above the objective of what is measured. Few: each is a series of every tool,
 * route or operation. Those that rules and health judge by are among them.
 */
export const METRIC_BUCKETS = {
  http: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  tool: [0.1, 0.5, 1, 5, 10, 30, 120],
  run: [0.1, 1, 5, 30, 60, 300, 900, 3600],
  delay: [0.1, 0.25, 0.5, 1, 5, 30, 60, 300],
  db: [0.001, 0.005, 0.025, 0.1, 0.25, 1, 5],
  tick: [0.005, 0.025, 0.1, 0.25, 1, 5],
} as const;

const FINAL = ['succeeded', 'partial', 'failed', 'dead', 'canceled', 'skipped', 'missed'] as const;
const PROTOCOLS = ['http', 'mcp', 'llm'] as const;

/** Why a step failed. */
export const STEP_FAILURES = ['timeout', 'tool_error', 'schema', 'template', 'policy', 'canceled'] as const;

/** How a call to the outside ended. */
export const CALL_OUTCOMES = [
  'ok',
  'http_4xx',
  'http_5xx',
  'timeout',
  'connect',
  'dns',
  'tls',
  'schema',
  'too_large',
  'blocked',
  'canceled',
  'tool_error',
  'circuit_open',
] as const;

/** Why the egress guard refused. */
export const EGRESS_REASONS = [
  'loopback',
  'private',
  'link_local',
  'metadata',
  'scheme',
  'credentials',
  'redirect',
  'rebind',
] as const;
export type EgressReason = (typeof EGRESS_REASONS)[number];

/** Kinds of database work. */
export const DB_OPERATIONS = ['claim', 'complete', 'heartbeat', 'schedule', 'read', 'write'] as const;
export type DatabaseOperation = (typeof DB_OPERATIONS)[number];

/** Every metric there is, and no other. */
export const METRICS: readonly MetricDefinition[] = [
  {
    name: 'build_info',
    type: 'gauge',
    labels: { version: null, node_version: null, db_backend: null, bus_backend: null },
    help: 'Constant 1, labelled with the running build and its backends.',
  },
  {
    name: 'http_requests_total',
    type: 'counter',
    labels: { method: null, route: null, status_code: null },
    help: 'HTTP requests answered, by route template and status code.',
  },
  {
    name: 'http_request_duration_seconds',
    type: 'histogram',
    labels: { method: null, route: null },
    buckets: 'http',
    help: "Time from the request's first byte to the end of the response.",
  },
  { name: 'http_requests_in_flight', type: 'gauge', labels: {}, help: 'HTTP requests being served now.' },
  {
    name: 'http_rejections_total',
    type: 'counter',
    labels: {
      reason: [
        'auth_missing',
        'auth_invalid',
        'scope',
        'rate_limited',
        'body_too_large',
        'media_type',
        'host',
        'origin',
        'headers',
        'validation',
      ],
    },
    help: 'Requests refused before the handler, by reason.',
  },
  { name: 'tasks', type: 'gauge', labels: { state: TASK_STATES }, help: 'Tasks known, by state.' },
  {
    name: 'runs_total',
    type: 'counter',
    labels: { outcome: FINAL, trigger: RUN_TRIGGERS },
    help: 'Runs finished, by outcome (their status) and trigger.',
  },
  { name: 'runs_in_progress', type: 'gauge', labels: {}, help: 'Runs that hold a lease now.' },
  {
    name: 'task_duration_seconds',
    type: 'histogram',
    labels: { outcome: FINAL },
    buckets: 'run',
    help: "Time from a run's claim to its final state.",
  },
  {
    name: 'dispatch_delay_seconds',
    type: 'histogram',
    labels: { trigger: RUN_TRIGGERS },
    buckets: 'delay',
    help: 'Time from the moment a run was due to the moment a worker started it (schedule to start).',
  },
  {
    name: 'oldest_running_start_timestamp_seconds',
    type: 'gauge',
    labels: {},
    help: 'Unix time at which the oldest run still in progress started, 0 when none.',
  },
  {
    name: 'task_last_success_timestamp_seconds',
    type: 'gauge',
    labels: { task: null },
    help: 'Unix time of the last successful run, for tasks that set monitor.max_age (100 at most).',
  },
  {
    name: 'task_success_deadline_seconds',
    type: 'gauge',
    labels: { task: null },
    help: 'Longest allowed time between successes, for tasks that set monitor.max_age.',
  },
  {
    name: 'schedule_misfires_total',
    type: 'counter',
    labels: { policy: ['window', 'skip', 'latest', 'max', 'catch_up'] },
    help: 'Occurrences found later than misfire_after, by what became of them: missed under a catch-up rule (window, skip, latest, max) or run late (catch_up).',
  },
  {
    name: 'schedule_overlaps_total',
    type: 'counter',
    labels: { policy: ['skip', 'queue', 'allow', 'cancel_previous'] },
    help: 'Occurrences that met a run of the same task still in progress, by the overlap policy that decided.',
  },
  {
    name: 'step_success_total',
    type: 'counter',
    labels: { tool: null },
    help: 'Pipeline steps that succeeded.',
  },
  {
    name: 'step_failure_total',
    type: 'counter',
    labels: { tool: null, reason: STEP_FAILURES },
    help: 'Pipeline steps that failed for good, by reason.',
  },
  {
    name: 'step_duration_seconds',
    type: 'histogram',
    labels: { outcome: ['success', 'failure'] },
    buckets: 'tool',
    help: 'Time one step took, retries included; by tool see external_tool_duration_seconds.',
  },
  {
    name: 'step_retries_total',
    type: 'counter',
    labels: { tool: null, reason: STEP_FAILURES },
    help: 'Step attempts that were repeated.',
  },
  {
    name: 'external_tool_calls_total',
    type: 'counter',
    labels: { tool: null, protocol: PROTOCOLS, outcome: CALL_OUTCOMES },
    help: 'Calls to tools outside the process, by protocol and outcome.',
  },
  {
    name: 'external_tool_duration_seconds',
    type: 'histogram',
    labels: { tool: null, protocol: PROTOCOLS },
    buckets: 'tool',
    help: 'Time one call to an outside tool took.',
  },
  {
    name: 'external_tool_circuit_open',
    type: 'gauge',
    labels: { tool: null },
    help: '1 while calls to the tool are cut off after repeated failure, in any worker.',
  },
  {
    name: 'model_tokens_total',
    type: 'counter',
    labels: { direction: ['input', 'output'] },
    help: 'Tokens that models used, as they said or as reserved where nobody said.',
  },
  {
    name: 'model_cost_usd_total',
    type: 'counter',
    labels: {},
    help: 'US dollars that models cost, by the price table; models without a price are not in it.',
  },
  {
    name: 'budget_refusals_total',
    type: 'counter',
    labels: { scope: BUDGET_SCOPES },
    help: 'Calls and runs that were not begun because a budget did not reach, by whose budget.',
  },
  {
    name: 'egress_blocked_total',
    type: 'counter',
    labels: { reason: EGRESS_REASONS },
    help: 'Outbound connections refused by the egress guard, by reason.',
  },
  {
    name: 'due_work_queue_depth',
    type: 'gauge',
    labels: {},
    help: 'Work items that are due and not yet claimed.',
  },
  {
    name: 'work_items',
    type: 'gauge',
    labels: { state: ['scheduled', 'due', 'leased', 'dead'] },
    help: 'Work items by state.',
  },
  {
    name: 'scheduler_lag_seconds',
    type: 'gauge',
    labels: {},
    help: 'Age of the oldest due and unclaimed work item, 0 when there is none.',
  },
  {
    name: 'scheduler_last_tick_timestamp_seconds',
    type: 'gauge',
    labels: {},
    help: 'Unix time at which the scheduler last finished a tick.',
  },
  {
    name: 'scheduler_tick_duration_seconds',
    type: 'histogram',
    labels: {},
    buckets: 'tick',
    help: 'Time one scheduler tick took.',
  },
  {
    name: 'clock_skew_seconds',
    type: 'gauge',
    labels: {},
    help: "This host's clock less the database's clock.",
  },
  {
    name: 'clock_jumps_total',
    type: 'counter',
    labels: { direction: ['forward', 'backward'] },
    help: 'Wall clock steps of more than 1 s against the monotonic clock, by direction (forward, backward).',
  },
  {
    name: 'lease_expirations_total',
    type: 'counter',
    labels: {},
    help: 'Leases that ran out and were taken back.',
  },
  {
    name: 'lease_renewals_total',
    type: 'counter',
    labels: { outcome: ['ok', 'lost'] },
    help: 'Lease renewals, by outcome (lost: the lease had moved on).',
  },
  {
    name: 'fencing_rejections_total',
    type: 'counter',
    labels: { operation: ['complete', 'record'] },
    help: "Writes refused because the writer's lease was no longer its own.",
  },
  {
    name: 'run_retries_total',
    type: 'counter',
    labels: { reason: ['failure', 'timeout', 'lease_expired', 'interrupted'] },
    help: 'Runs put back for another attempt, by reason.',
  },
  {
    name: 'dead_letters_total',
    type: 'counter',
    labels: { reason: ['attempts_exhausted', 'poison'] },
    help: 'Runs given up, by reason.',
  },
  { name: 'dead_letter_depth', type: 'gauge', labels: {}, help: 'Dead letters waiting for a person.' },
  {
    name: 'workers_desired',
    type: 'gauge',
    labels: {},
    help: 'Worker processes the supervisor should be running.',
  },
  {
    name: 'active_workers',
    type: 'gauge',
    labels: {},
    help: 'Worker processes with a heartbeat younger than the heartbeat timeout.',
  },
  {
    name: 'worker_last_heartbeat_timestamp_seconds',
    type: 'gauge',
    labels: { worker: null },
    help: 'Unix time of the last heartbeat, by worker slot.',
  },
  {
    name: 'worker_slots',
    type: 'gauge',
    labels: { state: ['idle', 'busy'] },
    help: 'Run slots over all workers, by state (idle, busy).',
  },
  {
    name: 'worker_restarts_total',
    type: 'counter',
    labels: { reason: ['crash', 'oom', 'stuck'] },
    help: 'Worker processes started again, by reason.',
  },
  {
    name: 'database_up',
    type: 'gauge',
    labels: { backend: null },
    help: '1 if the last database probe was answered in time.',
  },
  {
    name: 'database_query_duration_seconds',
    type: 'histogram',
    labels: { operation: DB_OPERATIONS },
    buckets: 'db',
    help: 'Time one database operation took, by operation.',
  },
  {
    name: 'database_errors_total',
    type: 'counter',
    labels: {
      operation: DB_OPERATIONS,
      error_type: ['busy', 'timeout', 'connection', 'constraint', 'disk_full', 'io', 'corrupt', 'other'],
    },
    help: 'Database operations that failed, by error type.',
  },
  {
    name: 'database_pool_connections',
    type: 'gauge',
    labels: { state: ['idle', 'active', 'waiting'] },
    help: 'Pooled connections, by state (idle, active, waiting).',
  },
  {
    name: 'database_size_bytes',
    type: 'gauge',
    labels: { part: ['main', 'wal'] },
    help: 'Database size, by part (main, wal).',
  },
  {
    name: 'data_disk_free_bytes',
    type: 'gauge',
    labels: {},
    help: 'Free space on the file system that holds the data directory.',
  },
  {
    name: 'last_backup_timestamp_seconds',
    type: 'gauge',
    labels: {},
    help: 'Unix time of the last backup that was verified, 0 when none.',
  },
  {
    name: 'bus_up',
    type: 'gauge',
    labels: { backend: null },
    help: '1 if the last event bus probe was answered in time.',
  },
  {
    name: 'events_published_total',
    type: 'counter',
    labels: { outcome: ['ok', 'rejected'] },
    help: 'Events accepted for delivery, by outcome (ok, rejected).',
  },
  {
    name: 'event_deliveries_total',
    type: 'counter',
    labels: { outcome: ['ok', 'retry'] },
    help: 'Events handed to the tasks that listen, by outcome.',
  },
  { name: 'event_backlog', type: 'gauge', labels: {}, help: 'Events accepted and not yet delivered.' },
  {
    name: 'event_delivery_delay_seconds',
    type: 'histogram',
    labels: {},
    buckets: 'delay',
    help: "Time from an event's acceptance to its delivery.",
  },
  {
    name: 'auth_failures_total',
    type: 'counter',
    labels: { reason: ['missing', 'malformed', 'unknown', 'expired', 'revoked', 'scope'] },
    help: 'Refused credentials, by reason.',
  },
  {
    name: 'audit_append_failures_total',
    type: 'counter',
    labels: {},
    help: 'Audit records that could not be written (the action was refused).',
  },
  {
    name: 'secret_redactions_total',
    type: 'counter',
    labels: { sink: ['log', 'run', 'error', 'trace'] },
    help: 'Secret values taken out of output, by sink (log, run, error, trace).',
  },
  {
    name: 'log_messages_total',
    type: 'counter',
    labels: { level: ['debug', 'info', 'warn', 'error'] },
    help: 'Log lines written, by level.',
  },
  {
    name: 'metrics_collect_errors_total',
    type: 'counter',
    labels: { source: ['db', 'bus', 'os'] },
    help: 'Failures while reading values for a scrape, by source.',
  },
  {
    name: 'tasks_repaired_total',
    type: 'counter',
    labels: {},
    help: 'Active tasks that had no due time and were given one by the reconciler.',
  },
  {
    name: 'tasks_stalled_total',
    type: 'counter',
    labels: {},
    help: 'Active tasks that the reconciler found due for longer than the lag bound, just after a pass of the scheduler.',
  },
  {
    name: 'tasks_without_next_due',
    type: 'gauge',
    labels: {},
    help: 'Active timed tasks that have no due time; always 0 unless something is wrong.',
  },
  {
    name: 'deliveries_total',
    type: 'counter',
    labels: { outcome: ['delivered', 'deferred', 'suppressed', 'failed', 'unknown'] },
    help: 'Messages of the outbox, by what became of them (deferred: put off by a quiet time).',
  },
  {
    name: 'deliveries_waiting',
    type: 'gauge',
    labels: { state: ['pending', 'deferred', 'sending', 'unknown'] },
    help: 'Messages of the outbox that are not settled, and those of unknown outcome.',
  },
  {
    name: 'delivery_lag_seconds',
    type: 'gauge',
    labels: {},
    help: 'Age of the oldest message that is due and not being sent, 0 when there is none.',
  },
  {
    name: 'notifications_total',
    type: 'counter',
    labels: { outcome: ['sent', 'failed'] },
    help: 'Notices of failing and recovered tasks handed to a webhook or tool, by outcome.',
  },
  {
    name: 'hook_requests_total',
    type: 'counter',
    labels: { outcome: ['taken', 'duplicate', 'refused', 'limited'] },
    help: 'Deliveries to inbound webhooks, by outcome (refused: no such hook, or not signed as it wants).',
  },
  {
    name: 'telegram_polls_total',
    type: 'counter',
    labels: { outcome: ['ok', 'conflict', 'error'] },
    help: 'Times Telegram was asked for answers to questions, by outcome (conflict: another program or a webhook gets them).',
  },
  {
    name: 'tasks_budget_paused_total',
    type: 'counter',
    labels: {},
    help: 'Tasks paused because a budget with on_exceed: pause was used up.',
  },
  {
    name: 'tasks_auto_paused_total',
    type: 'counter',
    labels: {},
    help: 'Tasks paused because they failed too often in a row, or could not be scheduled.',
  },
  {
    name: 'failing_tasks',
    type: 'gauge',
    labels: {},
    help: 'Tasks whose last runs failed as often as their notify_after says.',
  },
];

/**
 * All combinations of a metric's label values, when every label has a closed list. Counters begin at 0 for each of them:
 * a series that first appears at 1 never rises, so its alert never fires (observability.md A3.3).
 * @returns null when a label is open.
 */
export function closedSeries(metric: MetricDefinition): Record<string, string>[] | null {
  let series: Record<string, string>[] = [{}];
  for (const [label, values] of Object.entries(metric.labels)) {
    if (values === null) return null;
    series = series.flatMap((one) => values.map((value) => ({ ...one, [label]: value })));
  }
  return series;
}
