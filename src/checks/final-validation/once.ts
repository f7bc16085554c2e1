import { type Check, CheckFailure } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import { endOf, ensureRun, makeTask, runsOf, runToEnd, see, steps } from '../make.js';
import { probe } from '../probe.js';
import { until } from '../until.js';
import { aGate } from './gate.js';
import { ok } from './tool-server.js';
import { makeRouteTool, type World } from './world.js';

const group = 'Exactly once';
const requires = ['server', 'admin'] as const;
const ECHO = steps({ id: 'echo', uses: 'debug.echo', with: { text: 'hello' } });

/** Nothing happens twice, and what may not happen at the same time does not. */
export const onceChecks: Check<World>[] = [
  {
    id: 'once.idempotency_key',
    title: 'A request that is sent twice is done once',
    group,
    requires,
    async run(world, tools) {
      const task = await makeTask(world, tools, ECHO);
      const hint = see(world, tools, `pao run list --task ${task.name}`);
      const send = (body: unknown) =>
        probe(`${world.url}/v1/tasks/${task.id}/run`, {
          ...tools,
          method: 'POST',
          token: world.token,
          body,
          headers: { 'idempotency-key': task.id },
        });
      const answers = [await send({}), await send({}), await send({ params: { other: true } })];
      const statuses = answers.map(({ status }) => status);
      ensureEqual('The statuses', statuses, [202, 202, 422], hint);
      const [first, second] = answers.map(({ body }) => (body as { id?: string }).id);
      ensureEqual('The run of the second request', second, first, hint);
      const { items } = await world.client.listRuns({ taskId: task.id, signal: tools.signal });
      ensureEqual('The number of runs', items.length, 1, hint);
      return { statuses, runs: items.length };
    },
  },
  {
    id: 'once.dedupe',
    title: 'Within its dedupe window a task runs once; the second is skipped and says why',
    group,
    requires,
    async run(world, tools) {
      const dedupe = { key: world.name('key'), window: '1h' };
      const task = await makeTask(world, tools, { ...ECHO, dedupe });
      ensureRun(world, tools, await runToEnd(world, tools, task), 'succeeded');
      ensureRun(world, tools, await runToEnd(world, tools, task), 'skipped', 'dedupe');
      ensureRun(world, tools, await runToEnd(world, tools, task, { force: true }), 'succeeded');
      return { runs: ['succeeded', 'skipped (dedupe)', 'succeeded (forced)'] };
    },
  },
  {
    id: 'once.step_key',
    title: 'A step with an idempotency key acts once, however many runs there are',
    group,
    requires: [...requires, 'same-machine'],
    async run(world, tools) {
      const route = world.toolServer.route(() => ok({ message_id: 101 }));
      const tool = await makeRouteTool(world, tools, route, { side_effect: 'once' });
      const task = await makeTask(world, tools, {
        ...steps({ id: 'send', uses: tool.address, with: { text: 'hello' }, idempotency_key: 'daily' }),
      });
      ensureRun(world, tools, await runToEnd(world, tools, task), 'succeeded');
      const second = await runToEnd(world, tools, task);
      const hint = see(world, tools, `pao run show ${second.id}`);
      ensureEqual('How often it acted', route.calls.length, 1, hint, { run: second });
      const { status, reason, output } = second.steps?.[0] ?? {};
      ensureEqual(
        'The second step',
        { status, reason, output },
        { status: 'skipped', reason: 'dedupe', output: { message_id: 101 } },
        hint,
      );
      return { acted: route.calls.length, second: `${status} (${reason})` };
    },
  },
  {
    id: 'once.overlap',
    title: 'A task that still runs is not started again; the second is skipped and says why',
    group,
    requires: [...requires, 'same-machine'],
    async run(world, tools) {
      const gate = aGate();
      const route = world.toolServer.route(async () => {
        await gate.passed;
        return ok();
      });
      try {
        const tool = await makeRouteTool(world, tools, route);
        const topic = world.name('event');
        const task = await makeTask(world, tools, {
          ...steps({ id: 'slow', uses: tool.address }),
          schedule: { kind: 'event', topic, overlap: 'skip' },
        });
        const hint = see(world, tools, `pao task explain ${task.name}`);
        await world.client.publishEvent({ topic }, tools);
        await until('the first run to be under way', () => route.open > 0, {
          ...tools,
          timeoutMs: world.patienceMs,
          hint,
        });
        await world.client.publishEvent({ topic }, tools);
        const [one, two] = await runsOf(world, tools, task, 2);
        gate.open();
        const ends = await Promise.all(
          [one, two].map((run) => endOf(world, tools, (run as { id: string }).id)),
        );
        const seen = ends.map(({ status, reason }) => `${status} ${reason ?? ''}`.trim()).toSorted();
        ensureEqual('What the two runs came to', seen, ['skipped overlap', 'succeeded'], hint, {
          runs: ends,
        });
        ensureEqual('How often the tool was called', route.calls.length, 1, hint);
        return { runs: seen };
      } finally {
        gate.open();
      }
    },
  },
  {
    id: 'once.priority',
    title: 'What waits for the same key runs one at a time, the most urgent first',
    group,
    requires: [...requires, 'same-machine'],
    async run(world, tools) {
      const gate = aGate();
      const route = world.toolServer.route(async (_, call) => {
        if (call === 1) await gate.passed;
        return ok();
      });
      try {
        const tool = await makeRouteTool(world, tools, route);
        const key = world.name('key');
        const queue = async (who: string, priority: number) => {
          const task = await makeTask(world, tools, {
            ...steps({ id: 'call', uses: tool.address, with: { who } }),
            priority,
            concurrency: { key, limit: 1 },
          });
          return world.client.runTask(task.id, {}, tools);
        };
        const first = await queue('first', 5);
        await until('the first run to be under way', () => route.open > 0, {
          ...tools,
          timeoutMs: world.patienceMs,
          hint: see(world, tools, `pao run show ${first.id}`),
        });
        const rest = [await queue('late', 9), await queue('normal', 5), await queue('urgent', 1)];
        gate.open();
        for (const { id } of [first, ...rest])
          ensureRun(world, tools, await endOf(world, tools, id), 'succeeded');
        const order = route.calls.map(({ body }) => (JSON.parse(body) as { who: string }).who);
        const hint = see(world, tools, 'pao run list');
        ensureEqual('The order', order, ['first', 'urgent', 'normal', 'late'], hint);
        ensure(route.mostOpen === 1, `${route.mostOpen} ran at once, expected one at a time.`, hint, {
          order,
        });
        return { order, at_once: route.mostOpen };
      } finally {
        gate.open();
      }
    },
  },
  {
    id: 'once.occurrence',
    title: 'Every occurrence of a schedule is exactly one row',
    group,
    requires,
    async run(world, tools) {
      const task = await makeTask(world, tools, {
        ...ECHO,
        schedule: { kind: 'rrule', expr: 'FREQ=SECONDLY;INTERVAL=1', timezone: 'UTC', overlap: 'allow' },
      });
      await runsOf(world, tools, task, 3);
      await world.client.pauseTask(task.id, 'seen enough', tools);
      const { items } = await world.client.listRuns({ taskId: task.id, limit: 100, signal: tools.signal });
      const instants = items.map(({ scheduled_for: at }) => Date.parse(at)).toSorted((a, b) => a - b);
      const gaps = instants.slice(1).map((at, index) => at - (instants[index] as number));
      if (!gaps.every((gap) => gap === 1000)) {
        throw new CheckFailure(
          'The occurrences are not one second apart: one is missing or there twice.',
          see(world, tools, `pao task explain ${task.name}`),
          { scheduled_for: instants.map((at) => new Date(at).toISOString()) },
        );
      }
      return { occurrences: instants.length, apart_ms: [...new Set(gaps)] };
    },
  },
];
