import { z } from 'zod';
import { hasScope, mayUseTool } from '../../domain/agent.js';
import {
  conflict,
  EXIT,
  forbidden,
  invalidInput,
  notFound,
  PaoError,
  type Problem,
} from '../../domain/errors.js';
import { newId } from '../../domain/ids.js';
import { canonicalJson } from '../../domain/json.js';
import { pipelineSchema, validatePipeline } from '../../domain/pipeline/index.js';
import { evaluateCondition } from '../../domain/pipeline/template.js';
import { problemsFromZod } from '../../domain/problems-from-zod.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import { isTimeZone } from '../../domain/recurrence/index.js';
import type { Run } from '../../domain/run.js';
import { type Task, type TaskSpec, taskSpecSchema } from '../../domain/task.js';
import type { Tool } from '../../domain/tool.js';
import type { NewRun } from '../store/store.js';
import type { ApiServices, Caller } from './operation.js';
import { instant, localTime } from './views.js';

/** Tasks one agent may have. */
const MAX_TASKS = 10_000;

export interface ScheduleWarning {
  code: string;
  message: string;
}

/**
 * Reads and checks a task as a whole: every problem at once, with pointers.
 * @throws PaoError 422 with all problems; 403 when only scopes are missing.
 */
export async function checkTask(
  input: unknown,
  services: ApiServices,
  caller: Caller,
  previous?: Task,
): Promise<{ spec: TaskSpec; warnings: ScheduleWarning[] }> {
  const parsed = taskSpecSchema.safeParse(input);
  if (!parsed.success)
    throw invalidInput('The task is not valid.', problemsFromZod(parsed.error, input, taskSpecSchema));
  const spec = parsed.data;
  const problems: Problem[] = [];
  const missing: string[] = [];
  const tools = await loadTools(services);
  const mayUse = (address: string) => {
    const may = mayUseTool(caller.scopes, address);
    if (!may && tools.has(address)) missing.push(`tool:${address}`);
    return may;
  };
  const warnings = checkSchedule(spec, services, problems, previous);
  const context = {
    findTool: (address: string) => tools.get(address) ?? null,
    toolAddresses: () => [...tools.keys()],
    mayUse,
    mayUseSecret: (name: string) => {
      const may = hasScope(caller.scopes, `secrets:use:${name}`);
      if (!may) missing.push(`secrets:use:${name}`);
      return may;
    },
    params: spec.params,
    zone: spec.schedule?.timezone ?? 'UTC',
  };
  problems.push(...validatePipeline(spec.pipeline, context), ...notYet(spec));
  if (spec.schedule?.kind === 'condition') {
    // The observation is a step before the pipeline and is checked as one.
    const { uses, with: input } = spec.schedule.check;
    const check = pipelineSchema.safeParse([
      { id: 'check', uses, ...(input === undefined ? {} : { with: input }) },
    ]);
    const found = check.success ? validatePipeline(check.data, context) : problemsFromZod(check.error);
    problems.push(
      ...found.map((one) => ({
        ...one,
        pointer: one.pointer.replace(/^\/(pipeline\/)?0/, '/schedule/check'),
      })),
    );
  }
  if (problems.length === 0) return { spec, warnings };
  const scopes = [...new Set(missing)];
  const onlyScopes =
    scopes.length > 0 &&
    problems.every((problem) =>
      scopes.some((scope) => `${problem.message} ${problem.hint ?? ''}`.includes(scope)),
    );
  if (onlyScopes) {
    throw new PaoError('PAO_FORBIDDEN', `The agent lacks the scope ${scopes.join(', ')}.`, {
      exitCode: EXIT.forbidden,
      status: 403,
      problems,
      hints: [`Ask an operator for the scope ${scopes.join(', ')}`],
    });
  }
  throw invalidInput('The task is not valid.', problems);
}

/** What the language already knows and this version does not run: refused when it is written, not when it is due. */
function notYet(spec: TaskSpec): Problem[] {
  return spec.pipeline.flatMap((step, index) => {
    const inner = [step, ...(step.parallel ?? [])];
    return inner.flatMap((one): Problem[] => {
      if (one.approve !== undefined)
        return [
          { pointer: `/pipeline/${index}/approve`, message: 'approvals are not part of this version of pao' },
        ];
      if (one.wait?.event !== undefined)
        return [
          {
            pointer: `/pipeline/${index}/wait/event`,
            message: 'waiting for an event is not part of this version of pao',
          },
        ];
      return [];
    });
  });
}

function checkSchedule(
  spec: TaskSpec,
  services: ApiServices,
  problems: Problem[],
  previous?: Task,
): ScheduleWarning[] {
  const { schedule } = spec;
  const now = services.clock.now();
  if (schedule === undefined) return [];
  const isZone: boolean = isTimeZone(schedule.timezone);
  if (!isZone) {
    problems.push({
      pointer: '/schedule/timezone',
      message: `"${schedule.timezone.slice(0, 40)}" is not a time zone`,
      hint: 'Use an IANA name such as Europe/Chisinau or UTC',
    });
    return [];
  }
  if (schedule.kind === 'event' && schedule.filter !== undefined)
    checkExpression(schedule.filter, '/schedule/filter', problems);
  if (schedule.kind === 'condition') checkExpression(schedule.when, '/schedule/when', problems);
  if (!isTimed(schedule)) return [];
  // The anchor of INTERVAL and COUNT is stored once: what it means must never depend on when it is looked at.
  if (schedule.kind === 'rrule' && schedule.dtstart === undefined && !/DTSTART/i.test(schedule.expr)) {
    const before = previous?.spec.schedule;
    schedule.dtstart =
      before?.kind === 'rrule' &&
      before.expr === schedule.expr &&
      before.timezone === schedule.timezone &&
      before.dtstart !== undefined
        ? before.dtstart
        : new Date(Math.floor(now / 1000) * 1000).toISOString().replace('.000Z', 'Z');
  }
  try {
    const recurrence = recurrenceOf(schedule);
    if (recurrence.next(now) === null && !isSameSchedule(previous, schedule)) {
      problems.push({
        pointer: '/schedule/expr',
        message: schedule.kind === 'once' ? 'is in the past' : 'has no occurrence after now',
        hint: 'pao task next shows what a schedule means',
      });
    }
    return recurrence.warnings(now).map(({ code, message }) => ({ code, message }));
  } catch (error) {
    if (!(error instanceof PaoError)) throw error;
    const own = error.problems.map((problem) => ({ ...problem, pointer: `/schedule${problem.pointer}` }));
    problems.push(
      ...(own.length > 0
        ? own
        : [
            {
              pointer: '/schedule/expr',
              message: error.message,
              ...(error.hints[0] === undefined ? {} : { hint: error.hints[0] }),
            },
          ]),
    );
    return [];
  }
}

/** Whether a task has this very schedule already: one that is used up may stay as it is. */
function isSameSchedule(previous: Task | undefined, schedule: NonNullable<TaskSpec['schedule']>): boolean {
  return previous !== undefined && canonicalJson(previous.spec.schedule ?? null) === canonicalJson(schedule);
}

function checkExpression(text: string, pointer: string, problems: Problem[]): void {
  try {
    evaluateCondition(text, {}, { pointer });
  } catch (error) {
    if (!(error instanceof PaoError)) throw error;
    // Run on nothing, an expression may miss values; only what can never be read is a problem here.
    if (error.code === 'PAO_TEMPLATE_SYNTAX') problems.push({ pointer, message: error.message });
  }
}

/** The whole catalog: what is stored and what is built in. */
export async function loadTools(services: ApiServices): Promise<Map<string, Tool>> {
  const tools = new Map(services.builtinTools.map((tool) => [tool.address, tool]));
  let cursor: string | undefined;
  do {
    const page = await services.store.listTools({ limit: 1000, cursor });
    for (const { tool } of page.items) tools.set(tool.address, tool);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return tools;
}

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
function firstDue(spec: TaskSpec, now: number): number | null {
  if (isTimed(spec.schedule)) return recurrenceOf(spec.schedule).next(now);
  return spec.schedule?.kind === 'condition' ? now : null;
}

/** @throws PaoError 409 when the agent has a task of that name, 422 at the quota. */
export async function createTask(
  input: unknown,
  services: ApiServices,
  caller: Caller,
): Promise<{ task: Task; warnings: ScheduleWarning[] }> {
  const { store, clock, bus } = services;
  const { spec, warnings } = await checkTask(input, services, caller);
  if ((await store.countTasks(caller.agent.id)) >= MAX_TASKS) {
    throw conflict(`This agent has ${MAX_TASKS} tasks, which is the most it may have.`, [
      'pao task cancel NAME',
    ]);
  }
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
    createdAt: now,
    updatedAt: now,
  };
  await store.createTask(task);
  await audit(services, caller, 'task.created', task.id, { name: task.name });
  bus.publish('schedule', { reason: 'task' });
  return { task, warnings };
}

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
): Promise<{ task: Task; warnings: ScheduleWarning[]; outcome: 'updated' | 'unchanged' }> {
  const { spec, warnings } = await checkTask(input, services, caller, task);
  if (canonicalJson(spec) === canonicalJson(task.spec) && task.state !== 'canceled')
    return { task, warnings, outcome: 'unchanged' };
  const now = services.clock.now();
  const sameSchedule = canonicalJson(spec.schedule ?? null) === canonicalJson(task.spec.schedule ?? null);
  const nextDueAt = sameSchedule ? task.nextDueAt : firstDue(spec, now);
  const revived =
    task.state === 'done' && !sameSchedule ? { state: 'active' as const, stateReason: null } : {};
  const saved = await saveTask(
    task,
    { spec, name: spec.name, nextDueAt, scopes: caller.scopes, ...revived },
    services,
    caller,
    'task.updated',
  );
  return { task: saved, warnings, outcome: 'updated' };
}

/** The next occurrences of a task, in UTC and in its zone. */
export function occurrencesOf(task: Task, from: number, count: number): { at: string; local: string }[] {
  const { schedule } = task.spec;
  if (!isTimed(schedule)) return [];
  return recurrenceOf(schedule)
    .take(from, count)
    .map((at) => ({ at: instant(at) as string, local: localTime(at, schedule.timezone) }));
}

export const runBodySchema = z.strictObject({
  params: z.record(z.string(), z.unknown()).optional(),
  idempotency_key: z.string().min(1).max(200).optional(),
  /** Passes over the dedupe window. */
  force: z.boolean().optional(),
});

/** Starts a task by hand, through the same queue as what is scheduled. */
export async function runTask(
  task: Task,
  body: z.infer<typeof runBodySchema>,
  services: ApiServices,
  caller: Caller,
): Promise<Run> {
  const { store, clock, bus } = services;
  if (task.state === 'canceled')
    throw conflict(`The task ${task.name} is canceled.`, ['pao task apply FILE']);
  const now = clock.now();
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
    parentRunId: null,
    dedupeKey: task.spec.dedupe?.key ?? null,
    traceId: null,
    serial: overlap === 'queue' || overlap === 'cancel_previous',
  };
  const created = await store.createRun({
    taskId: task.id,
    run,
    now,
    ...(body.force === true ? { force: true } : {}),
  });
  if (created.status === 'queued') bus.publish('work', { count: 1 });
  await audit(services, caller, 'task.run', task.id, { run_id: created.id });
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
  await services.store.appendAudit({
    at: services.clock.now(),
    actor: caller.actor,
    action,
    target,
    details,
  });
}

/** @throws PaoError 403 naming the scope. */
export function requireScope(caller: Caller, scope: string): void {
  if (!hasScope(caller.scopes, scope))
    throw forbidden(`The token lacks the scope ${scope}.`, [`Ask an operator for the scope ${scope}`]);
}
