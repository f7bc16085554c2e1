import { z } from 'zod';
import { whyBroken } from '../../domain/broken-schedule.js';
import { hasScope } from '../../domain/agent.js';
import { conflict, forbidden, notFound } from '../../domain/errors.js';
import { newId } from '../../domain/ids.js';
import { canonicalJson } from '../../domain/json.js';
import { storedTrace, type TraceContext } from '../../domain/observability/trace.js';
import { quietTimesOf } from '../../domain/quiet-times.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import type { ScheduleWarning } from '../../domain/recurrence/index.js';
import type { Run } from '../../domain/run.js';
import { isSinceLast } from '../../domain/schedule.js';
import type { Task, TaskSpec } from '../../domain/task.js';
import type { NewRun } from '../store/store.js';
import { reportEnqueued } from './report-enqueued.js';
import { rememberMonitored } from '../telemetry/monitored-tasks.js';
import { checkTask } from './check-task.js';
import { MAX_IDEMPOTENCY_KEY } from './idempotency.js';
import { originOf, requireShallow, runOfRequest } from './inside-run.js';
import type { ApiServices, Caller } from './operation.js';
import { instant, localTime } from './views.js';

/** From this share of its tasks on an agent is warned. */
const NEAR = 0.9;

/** A task that the caller may see. @throws PaoError 404 also when it is another agent's. */
export async function findTask(idOrName: string, services: ApiServices, caller: Caller): Promise<Task> {
  const { store } = services;
  let task = await store.getTask(idOrName);
  task ??= await store.findTaskByName(caller.agent.id, idOrName);
  if (task === null && hasScope(caller.scopes, 'admin')) {
    const named = await store.findTasksByName(idOrName);
    if (named.length > 1)
      throw conflict(`Several agents have a task named "${idOrName}".`, ['Use its id: pao task list']);
    task = named[0] ?? null;
  }
  if (task === null || (task.agentId !== caller.agent.id && !hasScope(caller.scopes, 'admin'))) {
    throw notFound('task', idOrName, ['pao task list']);
  }
  return task;
}

/** The first due time of a spec. */
export function firstDue(spec: TaskSpec, now: number): number | null {
  if (isTimed(spec.schedule)) return recurrenceOf(spec.schedule).next(now);
  const { schedule } = spec;
  // The span in which the first event must come is opened by the scheduler.
  const opens = schedule?.kind === 'event' && isSinceLast(schedule) && schedule.key === undefined;
  return schedule?.kind === 'condition' || opens ? now : null;
}

/**
 * @param request its trace, and the name the task must have when the path says it.
 * @throws PaoError 409 when the agent has a task of that name or as many as it may have, 422 when it is not valid, 403 from
 * inside a run without the scope tasks:spawn.
 */
export async function createTask(
  input: unknown,
  services: ApiServices,
  caller: Caller,
  { name, trace }: { name?: string; trace: TraceContext },
): Promise<{ task: Task; warnings: ScheduleWarning[] }> {
  const { store, clock, bus } = services;
  const origin = await originOf(await runOfRequest(caller, trace, services), caller, services);
  const check = { scopes: caller.scopes, agentId: caller.agent.id, ...(name === undefined ? {} : { name }) };
  const { spec, warnings } = await checkTask(input, services, check);
  warnings.push(...(await checkQuota(caller, services)));
  const now = clock.now();
  const task: Task = {
    id: newId('tsk', now),
    agentId: caller.agent.id,
    name: spec.name,
    version: 1,
    state: 'active',
    stateReason: null,
    spec,
    scopes: caller.scopes,
    nextDueAt: firstDue(spec, now),
    snoozedUntil: null,
    lastRunAt: null,
    memory: null,
    createdBy: caller.actor,
    ...origin,
    createdAt: now,
    updatedAt: now,
  };
  const most = mostTasks(caller, services);
  // Counted again with the writing: others may have created some in between.
  if (!(await store.createTask(task, most))) throw tooManyTasks(caller, most, most);
  if (spec.monitor !== undefined) await rememberMonitored(store, task);
  await audit(services, caller, 'task.created', task.id, {
    name: task.name,
    ...(origin.createdInRun === null ? {} : { run_id: origin.createdInRun }),
  });
  bus.publish('schedule', { reason: 'task' });
  return { task, warnings };
}

/** @returns a warning near the bound. @throws PaoError 409 when the agent has as many tasks as it may have. */
async function checkQuota(caller: Caller, services: ApiServices): Promise<ScheduleWarning[]> {
  const { agent } = caller;
  const most = mostTasks(caller, services);
  const count = await services.store.countTasks(agent.id);
  if (count >= most) throw tooManyTasks(caller, count, most);
  if (count + 1 < most * NEAR) return [];
  return [
    { code: 'task_quota', message: `${agent.name} has ${count + 1} of the ${most} tasks it may have.` },
  ];
}

const mostTasks = ({ agent }: Caller, { config }: ApiServices): number =>
  agent.maxTasks ?? config.limits.tasks_per_agent;

const tooManyTasks = ({ agent }: Caller, count: number, most: number) =>
  conflict(`${agent.name} has ${count} tasks, and may have ${most}.`, [
    'pao task cancel NAME',
    `pao agent limit ${agent.name} --tasks N`,
  ]);

/** Writes changes to a task if nobody else did since. @throws PaoError 409 when somebody did. */
export async function saveTask(
  task: Task,
  changes: Partial<Task>,
  services: ApiServices,
  caller: Caller,
  action: string,
): Promise<Task> {
  const { store, clock, bus } = services;
  const changed: Task = { ...task, ...changes, version: task.version + 1, updatedAt: clock.now() };
  if (!(await store.updateTask(changed, task.version, caller.actor))) {
    throw conflict('The task was changed by someone else in between.', [`pao task show ${task.name}`]);
  }
  if (task.spec.monitor !== undefined || changed.spec.monitor !== undefined)
    await rememberMonitored(store, changed);
  if (canonicalJson(quietTimesOf(task.spec, null)) !== canonicalJson(quietTimesOf(changed.spec, null))) {
    await store.bringForward({ taskId: task.id, now: clock.now() });
    bus.publish('delivery', { count: 1 });
  }
  await audit(services, caller, action, task.id, { name: task.name, version: changed.version });
  bus.publish('schedule', { reason: 'task' });
  return changed;
}

/** Replaces the spec of a task; an equal one changes nothing. */
export async function replaceSpec(
  task: Task,
  input: unknown,
  services: ApiServices,
  caller: Caller,
  name?: string,
): Promise<{ task: Task; warnings: ScheduleWarning[]; outcome: 'updated' | 'unchanged' }> {
  const scopes = await scopesFor(task, services, caller);
  const check = { scopes, previous: task, ...(name === undefined ? {} : { name }) };
  const { spec, warnings } = await checkTask(input, services, check);
  if (isUnchanged(task, spec)) return { task, warnings, outcome: 'unchanged' };
  const now = services.clock.now();
  const sameSchedule = canonicalJson(spec.schedule ?? null) === canonicalJson(task.spec.schedule ?? null);
  const nextDueAt = sameSchedule ? task.nextDueAt : firstDue(spec, now);
  const revived =
    task.state === 'done' && !sameSchedule ? { state: 'active' as const, stateReason: null } : {};
  const saved = await saveTask(
    task,
    { spec, name: spec.name, nextDueAt, scopes, ...revived },
    services,
    caller,
    'task.updated',
  );
  return { task: saved, warnings, outcome: 'updated' };
}

/** What a changed task may do: a person who changes another agent's task lends it none of their own rights. */
async function scopesFor(task: Task, { store }: ApiServices, caller: Caller): Promise<string[]> {
  if (task.agentId === caller.agent.id) return caller.scopes;
  return (await store.getAgent(task.agentId))?.scopes ?? [];
}

const isUnchanged = (task: Task, spec: TaskSpec): boolean =>
  canonicalJson(spec) === canonicalJson(task.spec) && task.state !== 'canceled';

/** What applying a task would do; nothing is changed. */
export async function tryTask(input: unknown, services: ApiServices, caller: Caller) {
  const name = (input as { name?: unknown } | null)?.name;
  const previous =
    typeof name === 'string' ? await services.store.findTaskByName(caller.agent.id, name) : null;
  const check = { scopes: caller.scopes, agentId: caller.agent.id, previous: previous ?? undefined };
  const { spec, warnings } = await checkTask(input, services, check);
  const outcome = previous === null ? 'created' : isUnchanged(previous, spec) ? 'unchanged' : 'updated';
  return { spec, warnings, outcome };
}

/** The next occurrences of a task, in UTC and in its zone; of those left out on request it is said. */
export function occurrencesOf(task: Task, from: number, count: number): Occurrence[] {
  const { schedule } = task.spec;
  if (!isTimed(schedule) || whyBroken(schedule) !== null) return [];
  const snoozed = task.snoozedUntil ?? 0;
  return recurrenceOf(schedule)
    .take(from, count)
    .map((at) => ({
      at: instant(at) as string,
      local: localTime(at, schedule.timezone),
      ...(at < snoozed ? { note: 'left out' } : {}),
    }));
}

/** One instant a schedule names. */
export interface Occurrence {
  at: string;
  local: string;
  /** What is special about it. */
  note?: string;
}

export const runBodySchema = z.strictObject({
  params: z.record(z.string(), z.unknown()).optional(),
  idempotency_key: z.string().min(1).max(MAX_IDEMPOTENCY_KEY).optional(),
  /** Passes over the dedupe window. */
  force: z.boolean().optional(),
  /** Only shows what it would do: tools that read are called, nothing else is, and nothing is kept. */
  dry_run: z.boolean().optional(),
  /** With dry_run: what steps give, by their id, in place of calling them. */
  outputs: z.record(z.string(), z.json()).optional(),
});

/** Starts a task by hand, through the same queue as what is scheduled. */
export async function runTask(
  task: Task,
  body: z.infer<typeof runBodySchema>,
  services: ApiServices,
  caller: Caller,
  request: { trace: TraceContext; requestId: string | null },
): Promise<Run> {
  const { store, clock, bus } = services;
  if (task.state === 'canceled')
    throw conflict(`The task ${task.name} is canceled.`, ['pao task apply FILE']);
  const now = clock.now();
  const startedIn = await runOfRequest(caller, request.trace, services);
  await requireShallow(startedIn, services);
  const overlap = task.spec.schedule?.overlap;
  const run: NewRun = {
    id: newId('run', now),
    status: 'queued',
    reason: null,
    trigger: 'manual',
    scheduledFor: now,
    runAt: now,
    params: body.params ?? {},
    eventId: null,
    parentRunId: startedIn?.id ?? null,
    dedupeKey: task.spec.dedupe?.key ?? null,
    traceId: storedTrace(request.trace),
    serial: overlap === 'queue' || overlap === 'cancel_previous',
  };
  const created = await store.createRun({
    taskId: task.id,
    run,
    now,
    ...(body.force === true ? { force: true } : {}),
  });
  if (created.status === 'queued') bus.publish('work', { count: 1 });
  reportEnqueued(created, request, services);
  await audit(services, caller, 'task.run', task.id, { name: task.name, run_id: created.id });
  return created;
}

/** Records who did what; when it can not be recorded the request fails. */
export async function audit(
  services: ApiServices,
  caller: Caller,
  action: string,
  target: string | null,
  details: Record<string, unknown>,
): Promise<void> {
  const at = services.clock.now();
  await services.store.appendAudit({ at, actor: caller.actor, action, target, details });
  services.bus.record?.([
    { type: action, at, subject: target ?? '', data: { ...details, by: caller.actor } },
  ]);
}

/** @throws PaoError 403 naming the scope. */
export function requireScope(caller: Caller, scope: string): void {
  if (!hasScope(caller.scopes, scope))
    throw forbidden(`The token lacks the scope ${scope}.`, [`Ask an operator for the scope ${scope}`]);
}
