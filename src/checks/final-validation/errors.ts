import type { RunObject } from '../../client/api-objects.js';
import type { TaskInput } from '../../domain/task.js';
import type { Check, CheckTools } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import { endOf, ensureRun, makeTask, makeTool, runToEnd, see, seeRun, steps } from '../make.js';
import { until } from '../until.js';
import { ok, startToolServer, type ToolRoute } from './tool-server.js';
import { makeRouteTool, type World } from './world.js';

const group = 'Errors';
const requires = ['server', 'admin', 'same-machine'] as const;
const RETRY_AFTER_S = 2;

/** A task of one call of a route. */
async function taskOf(
  world: World,
  tools: CheckTools,
  route: ToolRoute,
  changes: Partial<TaskInput> & { timeout?: string } = {},
) {
  const tool = await makeRouteTool(world, tools, route);
  return makeTask(world, tools, {
    ...steps({ id: 'call', uses: tool.address }),
    retry: { max: 2, backoff: 'fixed', base: '50ms' },
    ...changes,
  });
}

const attempts = (run: RunObject) => run.steps?.[0]?.attempts;

/** What goes wrong outside, and what becomes of it. */
export const errorChecks: Check<World>[] = [
  {
    id: 'errors.timeout',
    title: 'A tool that never answers is given up in time, and let go',
    group,
    requires,
    async run(world, tools) {
      const route = world.toolServer.route(() => 'hang');
      const tool = await makeRouteTool(world, tools, route);
      const task = await makeTask(world, tools, {
        ...steps({ id: 'call', uses: tool.address, timeout: '300ms' }),
        retry: { max: 1, backoff: 'fixed', base: '50ms' },
      });
      const run = await runToEnd(world, tools, task);
      ensureRun(world, tools, run, 'dead', 'timeout');
      ensureEqual('How often it was tried', route.calls.length, 2, seeRun(world, tools, run));
      await until('the connections to be closed', () => route.open === 0, {
        ...tools,
        timeoutMs: world.patienceMs,
        hint: seeRun(world, tools, run),
        seen: () => ({ open: route.open }),
      });
      return { status: run.status, reason: run.reason, attempts: route.calls.length };
    },
  },
  {
    id: 'errors.rate_limited',
    title: 'Retry-After is waited for, and the call then succeeds',
    group,
    requires,
    async run(world, tools) {
      const times: number[] = [];
      const route = world.toolServer.route((_, call) => {
        times.push(performance.now());
        return call === 1
          ? { status: 429, body: {}, headers: { 'retry-after': String(RETRY_AFTER_S) } }
          : ok({ done: true });
      });
      const run = await runToEnd(world, tools, await taskOf(world, tools, route));
      ensureRun(world, tools, run, 'succeeded');
      ensureEqual('How often it was called', times.length, 2, seeRun(world, tools, run));
      const waited = Math.round((times[1] as number) - (times[0] as number));
      // The back-off alone would be 50 ms.
      const isLong = waited >= RETRY_AFTER_S * 1000 - 50;
      ensure(isLong, `It waited ${waited} ms, told to wait ${RETRY_AFTER_S} s.`, seeRun(world, tools, run));
      return { attempts: attempts(run), waited_ms: waited };
    },
  },
  {
    id: 'errors.too_long',
    title: 'A Retry-After beyond all patience fails at once',
    group,
    requires,
    async run(world, tools) {
      const route = world.toolServer.route(() => ({
        status: 429,
        body: {},
        headers: { 'retry-after': '86400' },
      }));
      const run = await runToEnd(world, tools, await taskOf(world, tools, route));
      ensureEqual('The reason', run.reason, 'rate_limited', seeRun(world, tools, run), { run });
      ensureEqual('How often it was called', route.calls.length, 1, seeRun(world, tools, run));
      return { status: run.status, reason: run.reason };
    },
  },
  {
    id: 'errors.tool_down',
    title: 'A tool that is down is tried again, and the run ends well when it is back',
    group,
    requires,
    async run(world, tools) {
      const gone = await startToolServer();
      await gone.close();
      const tool = await makeTool(world, tools, {
        kind: 'http',
        side_effect: 'read',
        grants: gone.grants,
        http: { method: 'GET', url: `${gone.url}/r1` },
      });
      const task = await makeTask(world, tools, {
        ...steps({ id: 'call', uses: tool.address }),
        retry: { max: 20, backoff: 'exponential_jitter', base: '100ms', cap: '500ms' },
      });
      const { id } = await world.client.runTask(task.id, {}, tools);
      await until(
        'the first attempt to fail',
        async () => ((await world.client.getRun(id, tools)).steps?.[0]?.attempts ?? 0) >= 1,
        { ...tools, timeoutMs: world.patienceMs, hint: see(world, tools, `pao run show ${id}`) },
      );
      const back = await startToolServer(gone.port);
      try {
        back.route(() => ok({ back: true }));
        const run = await endOf(world, tools, id);
        ensureRun(world, tools, run, 'succeeded');
        ensureEqual('What it gave', run.steps?.[0]?.output, { back: true }, seeRun(world, tools, run));
        return { attempts: attempts(run), status: run.status };
      } finally {
        await back.close();
      }
    },
  },
  {
    id: 'errors.backoff',
    title: 'Retries come further and further apart',
    group,
    requires,
    async run(world, tools) {
      const times: number[] = [];
      const route = world.toolServer.route(() => {
        times.push(performance.now());
        return { status: 503, body: {} };
      });
      const task = await taskOf(world, tools, route, {
        retry: { max: 3, backoff: 'exponential', base: '100ms', cap: '10s' },
      });
      const run = await runToEnd(world, tools, task);
      ensureRun(world, tools, run, 'dead', 'overloaded');
      const gaps = times.slice(1).map((at, index) => Math.round(at - (times[index] as number)));
      const least = [100, 200, 400];
      const isRight =
        gaps.length === least.length && gaps.every((gap, index) => gap >= (least[index] as number) - 20);
      ensure(
        isRight,
        `The gaps are ${gaps.join(', ')} ms, at least ${least.join(', ')} ms expected.`,
        seeRun(world, tools, run),
      );
      return { gaps_ms: gaps };
    },
  },
  {
    id: 'errors.dead_letter',
    title: 'What fails for good is kept, and can be run again',
    group,
    requires,
    async run(world, tools) {
      let isMended = false;
      const route = world.toolServer.route(() =>
        isMended ? ok({ mended: true }) : { status: 500, body: {} },
      );
      const task = await taskOf(world, tools, route);
      const run = await runToEnd(world, tools, task);
      const hint = seeRun(world, tools, run);
      ensureRun(world, tools, run, 'dead', 'tool_error');
      const { items } = await world.client.listRuns({
        taskId: task.id,
        status: 'dead',
        signal: tools.signal,
      });
      ensureEqual(
        'The dead letters',
        items.map(({ id }) => id),
        [run.id],
        hint,
      );
      isMended = true;
      const again = await endOf(world, tools, (await world.client.replayRun(run.id, undefined, tools)).id);
      ensureRun(world, tools, again, 'succeeded');
      ensureEqual('What it replays', [again.trigger, again.parent_run_id], ['replay', run.id], hint);
      ensureEqual('The instant it is for', again.scheduled_for, run.scheduled_for, hint);
      return { dead: run.reason, attempts: attempts(run), replayed: again.status };
    },
  },
  {
    id: 'errors.unknown_outcome',
    title: 'A send whose answer was lost is not sent again',
    group,
    requires,
    async run(world, tools) {
      // It takes the request whole and hangs up instead of answering.
      const route = world.toolServer.route(() => 'drop');
      const tool = await makeRouteTool(world, tools, route, { side_effect: 'once' });
      const task = await makeTask(world, tools, {
        ...steps({ id: 'send', uses: tool.address, with: { text: 'hello' } }),
        retry: { max: 3, backoff: 'fixed', base: '50ms' },
      });
      const run = await runToEnd(world, tools, task);
      ensureRun(world, tools, run, 'partial', 'unknown_outcome');
      ensureEqual('How often it was sent', route.calls.length, 1, seeRun(world, tools, run));
      return { status: run.status, reason: run.reason, sent: route.calls.length };
    },
  },
];
