import type { TaskObject } from '../../client/api-objects.js';
import { ApiError } from '../../client/problem-error.js';
import { isFinal } from '../../domain/run.js';
import type { Check, CheckTools } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import { endOf, ensureRun, makeTask, runsOf, see, steps } from '../make.js';
import { probe } from '../probe.js';
import { until } from '../until.js';
import { ok } from './tool-server.js';
import { makeRouteTool, type World } from './world.js';

const group = 'Tasks';
const requires = ['server', 'admin'] as const;
const ECHO = steps({ id: 'echo', uses: 'debug.echo', with: { text: 'hello' } });
/** Looks at the world after which a condition that stays true must have triggered once and only once. */
const LOOKS = 4;

/** The five kinds of schedule, and how tasks are handed in. */
export const taskChecks: Check<World>[] = [
  {
    id: 'tasks.rrule',
    title: 'An RRULE is due at the right local time, before and after the clocks change',
    group,
    requires,
    run: (world, tools) =>
      due(world, tools, {
        kind: 'rrule',
        expr: 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=8;BYMINUTE=30;BYSECOND=0',
        timezone: 'Europe/Chisinau',
        from: '2027-03-26T00:00:00Z',
        expected: ['2027-03-26T06:30:00.000Z', '2027-03-29T05:30:00.000Z'],
      }),
  },
  {
    id: 'tasks.cron',
    title: 'A cron expression is due at the right local time, before and after the clocks change',
    group,
    requires,
    run: (world, tools) =>
      due(world, tools, {
        kind: 'cron',
        expr: '30 8 * * 1-5',
        timezone: 'America/New_York',
        from: '2027-03-12T00:00:00Z',
        expected: ['2027-03-12T13:30:00.000Z', '2027-03-15T12:30:00.000Z'],
      }),
  },
  {
    id: 'tasks.once',
    title: 'A task that is due once runs once, and says so',
    group,
    requires,
    async run(world, tools) {
      const at = new Date((await serverTime(world, tools)) + 2000).toISOString();
      const task = await makeTask(world, tools, {
        ...ECHO,
        schedule: { kind: 'once', expr: at, timezone: 'UTC' },
      });
      const hint = see(world, tools, `pao task explain ${task.name}`);
      const [first] = await runsOf(world, tools, task, 1);
      const run = await endOf(world, tools, (first as { id: string }).id);
      ensureRun(world, tools, run, 'succeeded');
      ensureEqual('The trigger', run.trigger, 'schedule', hint);
      ensureEqual('The instant it was for', Date.parse(run.scheduled_for), Date.parse(at), hint);
      const { state, next_due_at } = await world.client.getTask(task.id, tools);
      ensureEqual('The task afterwards', { state, next_due_at }, { state: 'done', next_due_at: null }, hint);
      const { items } = await world.client.listRuns({ taskId: task.id, signal: tools.signal });
      ensureEqual('The number of runs', items.length, 1, hint);
      const { lines } = await world.client.explainTask(task.id, at, tools);
      ensure(lines.length > 0, 'pao task explain has nothing to say about it.', hint);
      return { scheduled_for: run.scheduled_for, lateness_ms: run.lateness_ms, explained: lines.length };
    },
  },
  {
    id: 'tasks.event',
    title: 'An event starts a task when the filter lets it, with what it brought',
    group,
    requires,
    async run(world, tools) {
      const topic = world.name('mail');
      const task = await makeTask(world, tools, {
        ...steps({ id: 'echo', uses: 'debug.echo', with: { from: '${event.payload.from}' } }),
        schedule: { kind: 'event', topic: `${topic}.*`, filter: 'payload.urgent' },
      });
      const publish = (name: string, payload: unknown) =>
        world.client.publishEvent({ topic: `${topic}.${name}`, payload }, tools);
      await publish('received', { urgent: false, from: 'nobody' });
      await publish('received', { urgent: true, from: 'ana' });
      const [first] = await runsOf(world, tools, task, 1);
      const run = await endOf(world, tools, (first as { id: string }).id);
      ensureRun(world, tools, run, 'succeeded');
      const hint = see(world, tools, `pao task explain ${task.name}`);
      ensureEqual('What the event brought', run.steps?.[0]?.output, { from: 'ana' }, hint);
      const { items } = await world.client.listRuns({ taskId: task.id, signal: tools.signal });
      ensureEqual('The number of runs', items.length, 1, hint);
      return { topic, trigger: run.trigger, lateness_ms: run.lateness_ms };
    },
  },
  {
    id: 'tasks.condition',
    title: 'A condition triggers once when it becomes true',
    group,
    requires: [...requires, 'same-machine'],
    async run(world, tools) {
      const route = world.toolServer.route((_, call) => ok({ open: call > 1 }));
      const tool = await makeRouteTool(world, tools, route, { method: 'GET' });
      const task = await makeTask(world, tools, {
        ...ECHO,
        schedule: { kind: 'condition', every: '1s', check: { uses: tool.address }, when: 'result.open' },
      });
      const hint = see(world, tools, `pao task explain ${task.name}`);
      await until(`${LOOKS} looks at the world`, () => route.calls.length >= LOOKS, {
        ...tools,
        timeoutMs: world.patienceMs,
        hint,
        seen: () => ({ looks: route.calls.length }),
      });
      await world.client.pauseTask(task.id, 'seen enough', tools);
      const triggered = await until(
        'the looks to end',
        async () => {
          const { items } = await world.client.listRuns({
            taskId: task.id,
            limit: 100,
            signal: tools.signal,
          });
          const isOver = items.every(({ status }) => isFinal(status));
          return isOver ? items.filter(({ status }) => status !== 'skipped') : null;
        },
        { ...tools, timeoutMs: world.patienceMs, hint },
      );
      ensureEqual('How often it triggered', triggered.length, 1, hint, { looks: route.calls.length });
      const run = await endOf(world, tools, (triggered[0] as { id: string }).id);
      ensureRun(world, tools, run, 'succeeded');
      return { looks: route.calls.length, triggered: triggered.length };
    },
  },
  {
    id: 'tasks.invalid',
    title: 'A wrong task is refused with every mistake, and nothing is kept',
    group,
    requires,
    async run(world, tools) {
      const name = world.name('wrong');
      const task = {
        name,
        schedule: { kind: 'cron', expr: '0 8 * * *', timezone: 'Mars/Base' },
        pipeline: [
          { id: 'a', uses: 'debug.ecko' },
          { id: 'b', uses: 'debug.echo', with: { text: '${steps.c.text}' } },
        ],
      };
      const { status, body } = await probe(`${world.url}/v1/tasks`, {
        ...tools,
        method: 'POST',
        token: world.token,
        body: task,
      });
      const hint = see(world, tools, 'pao logs --level warn');
      ensureEqual('The status', status, 422, hint);
      const { errors = [] } = body as { errors?: { pointer: string; hint?: string }[] };
      const missing = ['/schedule/timezone', '/pipeline/0/uses', '/pipeline/1'].filter(
        (pointer) => !errors.some((error) => error.pointer.startsWith(pointer)),
      );
      ensure(missing.length === 0, `Nothing is said about ${missing.join(', ')}.`, hint, { errors });
      const guess = JSON.stringify(errors.find(({ pointer }) => pointer.startsWith('/pipeline/0')));
      ensure(guess.includes('debug.echo'), 'The nearest tool is not named.', hint, { errors });
      const { items } = await world.client.listTasks({ search: name, signal: tools.signal });
      ensureEqual('The tasks of that name', items.length, 0, hint);
      return { mistakes: errors.map(({ pointer }) => pointer) };
    },
  },
  {
    id: 'tasks.apply',
    title: 'Applying a task twice changes nothing, and every change is a version',
    group,
    requires,
    async run(world, tools) {
      const { id, name } = await makeTask(world, tools, ECHO);
      const hint = see(world, tools, `pao task history ${name}`);
      const { spec } = (await world.client.taskVersions(id, { signal: tools.signal })).items[0] ?? {};
      ensure(spec, 'A new task has no version.', hint);
      const same = await world.client.applyTask(spec, tools);
      const changed = await world.client.applyTask({ ...spec, title: 'Another title' }, tools);
      const outcomes = [same, changed].map((one) => [one.outcome, one.id === id]);
      ensureEqual(
        'What applying did',
        outcomes,
        [
          ['unchanged', true],
          ['updated', true],
        ],
        hint,
      );
      const { items } = await world.client.taskVersions(id, { signal: tools.signal });
      const versions = items.map(({ version }) => version).toSorted((a, b) => a - b);
      ensureEqual('The versions', versions, [1, 2], hint);
      return { outcomes: outcomes.map(([outcome]) => outcome), versions };
    },
  },
  {
    id: 'tasks.lifecycle',
    title: 'A task is paused, resumed, snoozed, skipped and canceled',
    group,
    requires,
    async run(world, tools) {
      const task = await makeTask(world, tools, {
        ...ECHO,
        schedule: { kind: 'cron', expr: '0 8 * * *', timezone: 'UTC' },
      });
      const hint = see(world, tools, `pao task show ${task.name}`);
      const { client } = world;
      const state = ({ state: word, state_reason: why }: TaskObject) => [word, why];
      const seen = [
        state(await client.pauseTask(task.id, 'a holiday', tools)),
        state(await client.resumeTask(task.id, undefined, tools)),
      ];
      ensureEqual(
        'Its states',
        seen,
        [
          ['paused', 'a holiday'],
          ['active', null],
        ],
        hint,
      );
      const snoozed = await client.snoozeTask(task.id, { seconds: 3600 }, tools);
      ensure(snoozed.snoozed_until !== null, 'Snoozing leaves no trace.', hint);
      await client.skipTask(task.id, tools);
      await client.cancelTask(task.id, tools);
      const canceled = await client.getTask(task.id, tools);
      ensureEqual('The state in the end', [canceled.state, canceled.next_due_at], ['canceled', null], hint);
      return {
        states: [...seen.map(([word]) => word), canceled.state],
        snoozed_until: snoozed.snoozed_until,
      };
    },
  },
];

/** A timed schedule on the server, compared with instants that are known. */
async function due(
  world: World,
  tools: CheckTools,
  given: { kind: 'rrule' | 'cron'; expr: string; timezone: string; from: string; expected: string[] },
) {
  const { from, expected, ...schedule } = given;
  const task = await makeTask(world, tools, { ...ECHO, schedule });
  const hint = see(world, tools, `pao task next ${task.name}`);
  ensure(task.next_due_at !== null, 'The task has no due time.', hint);
  ensureEqual('The next due time', task.next_due_at, task.next_occurrences[0]?.at, hint);
  const { signal } = tools;
  const { items, words } = await world.client.occurrences(task.id, { from, count: expected.length, signal });
  const seen = items.map(({ at }) => new Date(at).toISOString());
  ensureEqual('When it is due', seen, expected, hint);
  return { words, due: seen };
}

/** What the time is on the server, epoch milliseconds, by its Date header. */
async function serverTime(world: World, tools: CheckTools): Promise<number> {
  const { headers } = await probe(`${world.url}/health/live`, tools);
  return Date.parse(headers.get('date') ?? '') || Date.now();
}

/** Whether an attempt was refused with a status. */
export async function refusedWith(attempt: Promise<unknown>): Promise<ApiError | null> {
  try {
    await attempt;
    return null;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
}
