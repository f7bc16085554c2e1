import type { Agent, AgentToken } from '../../domain/agent.js';
import type { Approval } from '../../domain/approval.js';
import type { Delivery, DeliveryStatus } from '../../domain/delivery.js';
import type { PublishedEvent } from '../../domain/event.js';
import { whyBroken } from '../../domain/broken-schedule.js';
import { countLeftOut, nextNotLeftOut } from '../../domain/left-out.js';
import type { Hook } from '../../domain/hook.js';
import { isTimed, specOfSchedule } from '../../domain/recurrence-of.js';
import { describe, formatInZone } from '../../domain/recurrence/index.js';
import { traceIdOf } from '../../domain/observability/trace.js';
import type { Run, StepRun } from '../../domain/run.js';
import { type EventSchedule, isSinceLast, type Schedule } from '../../domain/schedule.js';
import type { Task } from '../../domain/task.js';
import { hideSecrets } from '../deliver/message-secrets.js';
import type { StoredTool } from '../store/store.js';

/** An instant as the API writes it: RFC 3339 UTC, null stays null. */
export const instant = (ms: number | null): string | null =>
  ms === null ? null : new Date(ms).toISOString();

/** An instant as a person of the zone reads it. */
export const localTime = (ms: number, zone: string): string => formatInZone(zone, ms);

export function taskView(task: Task, now: number): Record<string, unknown> {
  const { spec } = task;
  const zone = spec.schedule?.timezone ?? null;
  // One whose schedule was damaged is shown all the same, with what is wrong as its words.
  const isBroken = whyBroken(spec.schedule) !== null;
  const nextDueAt = isBroken ? null : nextNotLeftOut(task);
  return {
    id: task.id,
    name: task.name,
    title: spec.title ?? null,
    description: spec.description ?? null,
    tags: spec.tags ?? [],
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
    runs_on: spec.runs_on ?? [],
    monitor: spec.monitor ?? null,
    budget: spec.budget ?? null,
    quiet_hours: spec.quiet_hours ?? null,
    vacation: spec.vacation ?? null,
    on_vacation: spec.on_vacation ?? 'run',
    pipeline: spec.pipeline,
    next_due_at: instant(nextDueAt),
    next_due_local: nextDueAt === null || zone === null ? null : localTime(nextDueAt, zone),
    left_out_before: isBroken ? 0 : countLeftOut(task),
    words: taskWords(task, now),
    snoozed_until: instant(task.snoozedUntil),
    last_run_at: instant(task.lastRunAt),
    created_by: task.createdBy,
    created_in_run: task.createdInRun,
    created_at: instant(task.createdAt),
    updated_at: instant(task.updatedAt),
  };
}

function eventWords(schedule: EventSchedule): string {
  const { topic, absent, debounce, batch } = schedule;
  if (absent !== undefined) {
    const since = isSinceLast(schedule) ? 'of the last one' : `of ${topic}`;
    return `when no ${absent.topic} comes within ${absent.within} ${since}`;
  }
  if (debounce !== undefined) {
    const most = debounce.max_wait === undefined ? '' : `, after ${debounce.max_wait} at most`;
    return `on events ${topic}, once none has come for ${debounce.quiet}${most}`;
  }
  if (batch !== undefined) return `on ${batch.size} events ${topic}, or those of ${batch.window}`;
  return `on event ${topic}`;
}

/** The schedule of a task in words, with the next time that is not left out. */
export const taskWords = ({ spec, snoozedUntil }: Task, now: number): string =>
  scheduleWords(spec.schedule, Math.max(now, (snoozedUntil ?? 0) - 1));

/** A schedule in words. */
export function scheduleWords(schedule: Schedule | undefined, now: number): string {
  if (schedule === undefined) return 'only when asked to';
  const why = whyBroken(schedule);
  if (why !== null) return `can not be scheduled: ${why}`;
  if (schedule.kind === 'event') return eventWords(schedule);
  if (schedule.kind === 'condition') return `looks every ${schedule.every}, runs when ${schedule.when}`;
  return isTimed(schedule) ? describe(specOfSchedule(schedule), { now }) : '';
}

/** From what needs a person most to what is well. */
const WORST: readonly DeliveryStatus[] = [
  'failed',
  'unknown',
  'sending',
  'pending',
  'deferred',
  'suppressed',
  'delivered',
];

/** How the messages of a run are doing, as the worst of them; null when it has none. */
export function worstDelivery(deliveries: readonly Delivery[]): DeliveryStatus | null {
  return WORST.find((status) => deliveries.some((one) => one.status === status)) ?? null;
}

/** A message, with `***` where secrets stand. */
export function deliveryView(delivery: Delivery): Record<string, unknown> {
  return {
    id: delivery.id,
    agent_id: delivery.agentId,
    task_id: delivery.taskId,
    run_id: delivery.runId,
    step: delivery.stepId,
    origin: delivery.origin,
    channel: delivery.channel,
    status: delivery.status,
    reason: delivery.reason,
    due_at: instant(delivery.dueAt),
    attempts: delivery.attempts,
    urgent: delivery.urgent,
    input: hideSecrets(delivery.message),
    answer: delivery.answer ?? null,
    error: delivery.error,
    idempotency_key: delivery.key,
    merged_into: delivery.mergedInto,
    created_at: instant(delivery.createdAt),
    updated_at: instant(delivery.updatedAt),
    finished_at: instant(delivery.finishedAt),
  };
}

export function runView(
  run: Run,
  steps?: StepRun[],
  deliveries?: readonly Delivery[],
): Record<string, unknown> {
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
    started_at: instant(run.startedAt),
    finished_at: instant(run.finishedAt),
    duration_ms: run.startedAt === null || run.finishedAt === null ? null : run.finishedAt - run.startedAt,
    lateness_ms: run.startedAt === null ? null : Math.max(0, run.startedAt - run.scheduledFor),
    attempt: run.attempt,
    priority: run.priority,
    params: run.params,
    event_id: run.eventId,
    parent_run_id: run.parentRunId,
    dedupe_key: run.dedupeKey,
    output: run.output ?? null,
    error: run.error,
    trace_id: traceIdOf(run),
    worker_id: run.workerId,
    ...(steps === undefined ? {} : { steps: steps.map(stepView) }),
    ...(deliveries === undefined ? {} : { delivery: worstDelivery(deliveries) }),
    ...(deliveries === undefined || steps === undefined ? {} : { deliveries: deliveries.map(deliveryView) }),
  };
}

export function stepView(step: StepRun): Record<string, unknown> {
  return {
    id: step.stepId,
    position: step.position,
    tool: step.tool,
    status: step.status,
    reason: step.reason,
    attempts: step.attempts,
    started_at: instant(step.startedAt),
    finished_at: instant(step.finishedAt),
    duration_ms:
      step.startedAt === null || step.finishedAt === null ? null : step.finishedAt - step.startedAt,
    input: step.input ?? null,
    output: step.output ?? null,
    error: step.error,
    idempotency_key: step.idempotencyKey,
    usage:
      step.usage === null
        ? null
        : {
            input_tokens: step.usage.inputTokens,
            output_tokens: step.usage.outputTokens,
            ...(step.usage.estimated === true ? { estimated: true } : {}),
          },
  };
}

export function agentView(agent: Agent, tokens?: AgentToken[]): Record<string, unknown> {
  return {
    id: agent.id,
    name: agent.name,
    title: agent.title,
    scopes: agent.scopes,
    max_tasks: agent.maxTasks,
    budget: agent.budget,
    disabled_at: instant(agent.disabledAt),
    created_at: instant(agent.createdAt),
    updated_at: instant(agent.updatedAt),
    ...(tokens === undefined ? {} : { tokens: tokens.map((token) => tokenView(token)) }),
  };
}

/** A token without its secret, or with it the one time it is shown. */
export function tokenView(token: AgentToken, secret?: string): Record<string, unknown> {
  return {
    id: token.id,
    prefix: token.prefix,
    label: token.label,
    scopes: token.scopes,
    created_at: instant(token.createdAt),
    expires_at: instant(token.expiresAt),
    revoked_at: instant(token.revokedAt),
    last_used_at: instant(token.lastUsedAt),
    ...(secret === undefined ? {} : { secret }),
  };
}

export function approvalView(approval: Approval, now: number): Record<string, unknown> {
  return {
    id: approval.id,
    run_id: approval.runId,
    task_id: approval.taskId,
    task_name: approval.taskName,
    agent_id: approval.agentId,
    step: approval.stepId,
    message: approval.message,
    data: approval.data ?? null,
    // Its run notes it when it comes back; to a reader it has expired as soon as the time has passed.
    state: approval.state === 'pending' && approval.expiresAt <= now ? 'expired' : approval.state,
    on_timeout: approval.onTimeout,
    requested_at: instant(approval.requestedAt),
    expires_at: instant(approval.expiresAt),
    decided_at: instant(approval.decidedAt),
    decided_by: approval.decidedBy,
    comment: approval.comment,
  };
}

export function eventView(event: PublishedEvent): Record<string, unknown> {
  return {
    id: event.id,
    sequence: event.sequence,
    topic: event.topic,
    payload: event.payload ?? null,
    dedupe_key: event.dedupeKey,
    agent_id: event.agentId,
    created_at: instant(event.createdAt),
    dispatched_at: instant(event.dispatchedAt),
    cause_run_id: event.causeRunId,
    depth: event.depth,
  };
}

/** A hook without its secret, or with it the one time it is shown. */
/** @param publicUrl the address of this server for others, of the configuration. */
export function hookView(
  hook: Hook,
  publicUrl: string | undefined,
  secret?: string,
): Record<string, unknown> {
  return {
    id: hook.id,
    name: hook.name,
    topic: hook.topic,
    scheme: hook.scheme,
    allow_repeats: hook.allowRepeats,
    path: `/hooks/${hook.id}`,
    url: publicUrl === undefined ? null : `${publicUrl.replace(/\/$/, '')}/hooks/${hook.id}`,
    agent_id: hook.agentId,
    created_at: instant(hook.createdAt),
    updated_at: instant(hook.updatedAt),
    last_received_at: instant(hook.lastReceivedAt),
    old_secret_until: instant(hook.oldSecretUntil),
    ...(secret === undefined ? {} : { secret }),
  };
}

export function toolView(stored: StoredTool): Record<string, unknown> {
  return {
    ...stored.tool,
    version: stored.version,
    created_at: instant(stored.createdAt),
    updated_at: instant(stored.updatedAt),
  };
}
