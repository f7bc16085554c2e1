import { z } from 'zod';
import { hasScope } from '../../../domain/agent.js';
import { whyBroken, zoneOf } from '../../../domain/broken-schedule.js';
import { conflict, invalidInput, notFound, PaoError, type Problem } from '../../../domain/errors.js';
import { canonicalJson } from '../../../domain/json.js';
import { problemsFromZod } from '../../../domain/problems-from-zod.js';
import { isTimed, recurrenceOf } from '../../../domain/recurrence-of.js';
import type { ScheduleWarning } from '../../../domain/recurrence/index.js';
import { withResumeOrder } from '../../../domain/resume-order.js';
import { nextNotLeftOut } from '../../../domain/left-out.js';
import { scheduleSchema } from '../../../domain/schedule.js';
import { TASK_STATES, type Task, type TaskState, taskSpecSchema } from '../../../domain/task.js';
import { encodeCursor } from '../../store/cursor.js';
import type { TaskVersion } from '../../store/store.js';
import { type ApiServices, type Caller, type Operation, operation } from '../operation.js';
import { explainTask } from '../explain-task.js';
import { taskBudgetView } from '../budget-view.js';
import { checkTask } from '../check-task.js';
import { viewDryRun } from '../dry-run-view.js';
import { openWindowsView } from '../window-view.js';
import {
  createTask,
  findTask,
  firstDue,
  occurrencesOf,
  replaceSpec,
  runBodySchema,
  runTask,
  saveTask,
  tryTask,
} from '../task-service.js';
import { typicalRunMs } from '../run-durations.js';
import { instant, localTime, runView, scheduleWords, taskView, taskWords } from '../views.js';

import { listOf, pageQuery, timeText, waitQuery } from './list-query.js';
import { waitForEnd } from './runs.js';

const anything = z.unknown();
/** How many instants a preview shows. */
const previewCount = z.int().min(1).max(100).default(10);

async function withOccurrences(
  task: Task,
  services: ApiServices,
  warnings: ScheduleWarning[],
  outcome: string,
) {
  return { ...(await wholeTask(task, services)), outcome, warnings };
}

/** A task with what is due next, what it may cost and what it has used of today. */
async function wholeTask(task: Task, services: ApiServices) {
  const now = services.clock.now();
  return {
    ...taskView(task, now),
    next_occurrences: occurrencesOf(task, now, 5),
    ...(await taskBudgetView(task, services)),
    open_windows: await openWindowsView(task, now, services.store),
  };
}

/** A changed task, with what was due next before the change. */
async function changed(before: Task, input: unknown, services: ApiServices, caller: Caller, name?: string) {
  const { task, warnings, outcome } = await replaceSpec(before, input, services, caller, name);
  const previous = occurrencesOf(before, services.clock.now(), 5);
  return {
    body: { ...(await withOccurrences(task, services, warnings, outcome)), previous_occurrences: previous },
    etag: String(task.version),
  };
}

const verb = (
  name: string,
  summary: string,
  body: z.ZodType | undefined,
  change: (task: Task, body: never, services: ApiServices) => Partial<Task>,
): Operation =>
  operation({
    name: `task_${name}`,
    method: 'POST',
    path: `/v1/tasks/:id/${name}`,
    summary,
    scope: 'tasks:write',
    status: 200,
    answer: 'Task',
    ...(body === undefined ? {} : { body }),
    async handle({ params, body: given, services, caller }) {
      const saved = await changeTask(params.id as string, name, services, caller, (task) =>
        change(task, (given ?? {}) as never, services),
      );
      return { body: taskView(saved, services.clock.now()) };
    },
  });

/** Changes a task unless it is canceled. */
async function changeTask(
  idOrName: string,
  verbName: string,
  services: ApiServices,
  caller: Caller,
  change: (task: Task) => Partial<Task>,
): Promise<Task> {
  const task = await findTask(idOrName, services, caller);
  if (task.state === 'canceled') throw conflict(`The task ${task.name} is canceled.`);
  return saveTask(task, change(task), services, caller, `task.${verbName}`);
}

export const taskOperations: Operation[] = [
  operation({
    name: 'task_create',
    method: 'POST',
    path: '/v1/tasks',
    summary: 'Create a task; with ?dry_run=true only check it and say what applying it would do',
    scope: 'tasks:write',
    status: 201,
    answer: 'CreatedTask',
    otherAnswers: { 200: 'TaskCheck' },
    body: anything,
    documentedBody: taskSpecSchema,
    query: z.strictObject({ dry_run: z.enum(['true', 'false']).optional() }),
    async handle({ body, query, services, caller, trace }) {
      if (query.dry_run === 'true') {
        const { spec, warnings, outcome } = await tryTask(body, services, caller);
        const now = services.clock.now();
        const next = isTimed(spec.schedule) ? recurrenceOf(spec.schedule).take(now, 5) : [];
        const zone = spec.schedule?.timezone ?? 'UTC';
        return {
          status: 200,
          body: {
            valid: true,
            outcome,
            name: spec.name,
            words: scheduleWords(spec.schedule, now),
            warnings,
            next_occurrences: next.map((at) => ({ at: instant(at), local: localTime(at, zone) })),
          },
        };
      }
      const { task, warnings } = await createTask(body, services, caller, { trace });
      return {
        body: {
          ...(await withOccurrences(task, services, warnings, 'created')),
          active_tasks: await services.store.countTasks(task.agentId),
        },
        location: `/v1/tasks/${task.id}`,
        etag: String(task.version),
      };
    },
  }),
  operation({
    name: 'task_list',
    method: 'GET',
    path: '/v1/tasks',
    summary: 'List tasks',
    scope: 'tasks:read',
    status: 200,
    answer: 'TaskPage',
    query: z.strictObject({
      ...pageQuery,
      state: z.string().optional(),
      search: z.string().max(200).optional(),
    }),
    async handle({ query, services, caller }) {
      const page = await services.store.listTasks({
        agentId: hasScope(caller.scopes, 'admin') ? undefined : caller.agent.id,
        states: listOf<TaskState>(query.state, TASK_STATES, 'state'),
        search: query.search,
        limit: query.limit,
        cursor: query.cursor,
      });
      const now = services.clock.now();
      return { body: { items: page.items.map((task) => taskView(task, now)), next_cursor: page.nextCursor } };
    },
  }),
  operation({
    name: 'task_get',
    method: 'GET',
    path: '/v1/tasks/:id',
    summary: 'Show a task',
    scope: 'tasks:read',
    status: 200,
    answer: 'WholeTask',
    async handle({ params, services, caller }) {
      const task = await findTask(params.id as string, services, caller);
      return { body: await wholeTask(task, services), etag: String(task.version) };
    },
  }),
  operation({
    name: 'task_get_by_name',
    method: 'GET',
    path: '/v1/tasks/by-name/:name',
    summary: 'Show a task by its name',
    scope: 'tasks:read',
    status: 200,
    answer: 'WholeTask',
    async handle({ params, services, caller }) {
      const task = await findTask(params.name as string, services, caller);
      return { body: await wholeTask(task, services), etag: String(task.version) };
    },
  }),
  operation({
    name: 'task_apply',
    method: 'PUT',
    path: '/v1/tasks/by-name/:name',
    summary: 'Create the task of that name, or bring it to this form',
    scope: 'tasks:write',
    status: 200,
    answer: 'ChangedTask',
    otherAnswers: { 201: 'ChangedTask' },
    body: anything,
    documentedBody: taskSpecSchema,
    async handle({ params, body, services, caller, trace }) {
      const name = params.name as string;
      const given = typeof body === 'object' && body !== null ? { name, ...body } : body;
      const existing = await services.store.findTaskByName(caller.agent.id, name);
      if (existing === null) {
        const { task, warnings } = await createTask(given, services, caller, { name, trace });
        return {
          status: 201,
          body: await withOccurrences(task, services, warnings, 'created'),
          location: `/v1/tasks/${task.id}`,
          etag: String(task.version),
        };
      }
      return changed(existing, given, services, caller, name);
    },
  }),
  operation({
    name: 'task_update',
    method: 'PATCH',
    path: '/v1/tasks/:id',
    summary: 'Change what is named, leave the rest (RFC 7396)',
    scope: 'tasks:write',
    status: 200,
    answer: 'ChangedTask',
    body: z.record(z.string(), z.unknown()),
    async handle({ params, body, services, caller, ifMatch }) {
      const task = await findTask(params.id as string, services, caller);
      if (ifMatch !== null && ifMatch !== '*' && ifMatch !== String(task.version)) {
        throw new PaoError('PAO_PRECONDITION', `The task is at version ${task.version}, not ${ifMatch}.`, {
          status: 412,
        });
      }
      return changed(task, mergePatch(task.spec, body), services, caller);
    },
  }),
  operation({
    name: 'task_delete',
    method: 'DELETE',
    path: '/v1/tasks/:id',
    summary: 'Cancel a task and what is queued of it; its history stays',
    scope: 'tasks:write',
    status: 204,
    async handle({ params, services, caller }) {
      await cancelTask(await findTask(params.id as string, services, caller), services, caller, 'deleted');
      return {};
    },
  }),
  operation({
    name: 'task_cancel',
    method: 'POST',
    path: '/v1/tasks/:id/cancel',
    summary: 'Cancel a task and what is queued of it; its history stays',
    scope: 'tasks:write',
    status: 202,
    answer: 'Task',
    body: z.strictObject({ reason: z.string().max(500).optional() }).optional(),
    async handle({ params, body, services, caller }) {
      const task = await cancelTask(
        await findTask(params.id as string, services, caller),
        services,
        caller,
        body?.reason ?? 'canceled',
      );
      return { body: taskView(task, services.clock.now()) };
    },
  }),
  operation({
    name: 'task_run_now',
    method: 'POST',
    path: '/v1/tasks/:id/run',
    summary:
      'Run a task now; with ?wait=20s wait until it has ended; with dry_run only show what it would do',
    scope: 'runs:write',
    status: 202,
    answer: 'StartedRun',
    otherAnswers: { 200: 'DryRun' },
    body: runBodySchema.optional(),
    query: z.strictObject({ wait: waitQuery }),
    async handle({ params, query, body, services, caller, trace, requestId, signal }) {
      const task = await findTask(params.id as string, services, caller);
      if (body?.dry_run === true)
        return { status: 200, body: await viewDryRun(task, body, services, signal) };
      const run = await runTask(task, body ?? {}, services, caller, { trace, requestId });
      const location = `/v1/runs/${run.id}`;
      if (query.wait === undefined) return { body: runView(run), location };
      await waitForEnd(run.id, query.wait, services, signal);
      const now = await services.store.getRun(run.id);
      return { body: runView(now ?? run, await services.store.listSteps(run.id)), location };
    },
  }),
  verb(
    'pause',
    'Pause a task',
    z.strictObject({ reason: z.string().max(500).optional() }).optional(),
    (_task, body: { reason?: string }) => ({
      state: 'paused',
      stateReason: body.reason ?? 'paused by hand',
    }),
  ),
  verb(
    'resume',
    'Resume a paused task',
    z.strictObject({ catchup: z.enum(['latest', 'all', 'skip']).optional() }).optional(),
    (task, body: { catchup?: 'latest' | 'all' | 'skip' }, services) => {
      const { schedule } = task.spec;
      const why = whyBroken(schedule);
      // It would be paused again when it is due.
      if (why !== null)
        throw conflict(`The task ${task.name} can not be scheduled: ${why.replace(/\.$/, '')}.`, [
          'pao task apply FILE',
          `pao task resume ${task.name}`,
        ]);
      return {
        state: 'active',
        stateReason: null,
        // What came due meanwhile gets its rows from the scheduler: skipped, unless the person wants it caught up.
        ...(isTimed(schedule) && (body.catchup !== undefined || schedule.kind !== 'once')
          ? withResumeOrder({ catchup: body.catchup ?? 'skip', before: services.clock.now() })
          : {}),
        // The span in which an event must come begins anew.
        ...(schedule?.kind === 'event' ? { nextDueAt: firstDue(task.spec, services.clock.now()) } : {}),
      };
    },
  ),
  verb(
    'snooze',
    'Skip occurrences for a while',
    z.strictObject({
      seconds: z
        .int()
        .min(1)
        .max(366 * 86_400)
        .optional(),
      until: timeText.optional(),
    }),
    (_task, body: { seconds?: number; until?: string }, services) => {
      if ((body.seconds === undefined) === (body.until === undefined)) {
        throw invalidInput('Say how long.', [
          { pointer: '', message: 'needs exactly one of seconds and until' },
        ]);
      }
      const now = services.clock.now();
      const until = body.seconds === undefined ? Date.parse(body.until as string) : now + body.seconds * 1000;
      if (until <= now)
        throw invalidInput('The time is in the past.', [{ pointer: '/until', message: 'must be after now' }]);
      return { snoozedUntil: until };
    },
  ),
  operation({
    name: 'task_skip',
    method: 'POST',
    path: '/v1/tasks/:id/skip',
    summary: 'Leave out the next occurrence; once more, and the one after it is left out as well',
    scope: 'tasks:write',
    status: 200,
    answer: 'SkippedTask',
    async handle({ params, services, caller }) {
      let leftOut = 0;
      const saved = await changeTask(params.id as string, 'skip', services, caller, (task) => {
        const next = nextNotLeftOut(task);
        if (next === null)
          throw conflict(`The task ${task.name} has no next occurrence.`, [`pao task show ${task.name}`]);
        leftOut = next;
        return { snoozedUntil: next + 1 };
      });
      const zone = zoneOf(saved.spec.schedule);
      return {
        body: {
          ...taskView(saved, services.clock.now()),
          left_out: { at: instant(leftOut), local: localTime(leftOut, zone) },
        },
      };
    },
  }),
  operation({
    name: 'task_occurrences',
    method: 'GET',
    path: '/v1/tasks/:id/occurrences',
    summary: 'When a task is due next',
    scope: 'tasks:read',
    status: 200,
    answer: 'Occurrences',
    query: z.strictObject({
      from: timeText.optional(),
      count: z.coerce.number().int().min(1).max(1000).default(10),
    }),
    async handle({ params, query, services, caller }) {
      const task = await findTask(params.id as string, services, caller);
      const now = services.clock.now();
      const from = query.from === undefined ? now : Date.parse(query.from);
      const { schedule } = task.spec;
      const runMs = await typicalRunMs(task.id, services.store);
      return {
        body: {
          warnings:
            isTimed(schedule) && whyBroken(schedule) === null
              ? recurrenceOf(schedule).warnings(now, runMs === undefined ? {} : { runMs })
              : [],
          items: occurrencesOf(task, from, query.count),
          words: taskWords(task, now),
          timezone: task.spec.schedule?.timezone ?? null,
        },
      };
    },
  }),
  operation({
    name: 'task_explain',
    method: 'GET',
    path: '/v1/tasks/:id/explain',
    summary: 'Why a task ran, or did not',
    scope: 'tasks:read',
    status: 200,
    answer: 'Explanation',
    query: z.strictObject({ at: timeText.optional() }),
    async handle({ params, query, services, caller }) {
      const task = await findTask(params.id as string, services, caller);
      return {
        body: await explainTask(task, query.at === undefined ? null : Date.parse(query.at), services),
      };
    },
  }),
  operation({
    name: 'task_versions',
    method: 'GET',
    path: '/v1/tasks/:id/versions',
    summary: 'Every form a task had',
    scope: 'tasks:read',
    status: 200,
    answer: 'TaskVersionPage',
    query: z.strictObject(pageQuery),
    async handle({ params, query, services, caller }) {
      const task = await findTask(params.id as string, services, caller);
      const { items, nextCursor } = await services.store.listTaskVersions(task.id, query);
      return {
        body: {
          items: items.map((one) => ({
            version: one.version,
            spec: one.spec,
            changed_by: one.changedBy,
            changed_at: instant(one.changedAt),
          })),
          next_cursor: nextCursor,
        },
      };
    },
  }),
  operation({
    name: 'task_rollback',
    method: 'POST',
    path: '/v1/tasks/:id/rollback',
    summary: 'Bring a task back to a form it had; that is a new version',
    scope: 'tasks:write',
    status: 200,
    answer: 'ChangedTask',
    body: z.strictObject({ to: z.int().min(1).optional() }).optional(),
    async handle({ params, body, services, caller }) {
      const task = await findTask(params.id as string, services, caller);
      const version = await formerVersion(task, body?.to, services);
      return changed(task, version.spec, services, caller);
    },
  }),
  operation({
    name: 'schedule_preview',
    method: 'POST',
    path: '/v1/schedules/preview',
    summary: 'What a schedule means: next instants, words, warnings',
    scope: 'tasks:read',
    status: 200,
    answer: 'SchedulePreview',
    body: anything,
    documentedBody: z.object({ schedule: scheduleSchema, count: previewCount }),
    async handle({ body, services }) {
      const { count, schedule: nested, ...flat } = (body ?? {}) as { count?: unknown; schedule?: unknown };
      const howMany = previewCount.safeParse(count);
      const wrongCount = howMany.success
        ? []
        : problemsFromZod(howMany.error, count, previewCount).map((one) => ({ ...one, pointer: '/count' }));
      const { spec, warnings } = await checkSchedule(
        nested ?? flat,
        services,
        nested === undefined,
        wrongCount,
      );
      const now = services.clock.now();
      const given = spec.schedule;
      const next = isTimed(given) ? recurrenceOf(given).take(now, howMany.data ?? 0) : [];
      const zone = given?.timezone ?? 'UTC';
      return {
        body: {
          valid: true,
          words: scheduleWords(given, now),
          timezone: zone,
          // As it would be stored: `every` as a rule, with the start that it is counted from.
          schedule: given ?? null,
          items: next.map((at) => ({ at: instant(at), local: localTime(at, zone) })),
          warnings,
        },
      };
    },
  }),
];

/**
 * Checks a schedule as that of a task that does nothing: one check for all surfaces.
 * @param flat whether its fields are those of the body itself.
 * @param others what else of the body is wrong: all is told at once.
 */
async function checkSchedule(
  schedule: unknown,
  services: ApiServices,
  flat: boolean,
  others: readonly Problem[],
) {
  const task = { name: 'preview', schedule, pipeline: [{ id: 'none', uses: 'debug.echo' }] };
  let checked: Awaited<ReturnType<typeof checkTask>> | null = null;
  let wrong: Problem[] = [];
  try {
    checked = await checkTask(task, services, { scopes: ['admin'] });
  } catch (error) {
    if (!(error instanceof PaoError) || error.problems.length === 0) throw error;
    const cut = flat ? /^\/schedule/ : /^/;
    wrong = error.problems.map((one) => ({ ...one, pointer: one.pointer.replace(cut, '') }));
  }
  if (checked !== null && others.length === 0) return checked;
  throw invalidInput(wrong.length > 0 ? 'The schedule is not valid.' : 'The body is not valid.', [
    ...wrong,
    ...others,
  ]);
}

async function cancelTask(task: Task, services: ApiServices, caller: Caller, reason: string): Promise<Task> {
  if (task.state === 'canceled') return task;
  const saved = await saveTask(
    task,
    { state: 'canceled', stateReason: reason, nextDueAt: null },
    services,
    caller,
    'task.canceled',
  );
  const { store, bus, metrics, clock } = services;
  const { cancelRequested, canceled } = await store.cancelRunsOfTask(task.id, 'canceled', clock.now());
  if (cancelRequested.length > 0) bus.publish('cancel', { runIds: cancelRequested });
  if (canceled.length > 0) bus.publish('run', { runIds: canceled.map(({ id }) => id) });
  for (const { trigger } of canceled) metrics.observer.add('runs_total', { outcome: 'canceled', trigger });
  return saved;
}

/** The version asked for, else the newest one that differs from what the task is now. */
async function formerVersion(task: Task, to: number | undefined, { store }: ApiServices) {
  if (task.state === 'canceled')
    throw conflict(`The task ${task.name} is canceled.`, ['pao task apply FILE']);
  const now = canonicalJson(task.spec);
  const isIt = ({ version, spec }: TaskVersion) =>
    to === undefined ? canonicalJson(spec) !== now : version === to;
  let cursor = to === undefined ? null : encodeCursor(to + 1);
  do {
    const page = await store.listTaskVersions(task.id, {
      limit: to === undefined ? 100 : 1,
      cursor: cursor ?? undefined,
    });
    const found = page.items.find(isIt);
    if (found !== undefined) return found;
    cursor = to === undefined ? page.nextCursor : null;
  } while (cursor !== null);
  const history = [`pao task history ${task.name}`];
  if (to === undefined) throw conflict(`The task ${task.name} never had another form.`, history);
  throw notFound('version', String(to), history);
}

/** JSON Merge Patch, RFC 7396: null removes. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}
