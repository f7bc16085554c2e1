import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RunObject } from '../../client/api-objects.js';
import type { Check, CheckTools } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import type { EphemeralSystem } from '../ephemeral-system.js';
import { endOf, ensureRun, makeTask, runsOf, runToEnd, steps } from '../make.js';
import { signalProcess } from '../process-tree.js';
import { until } from '../until.js';
import { aGate } from './gate.js';
import { ok } from './tool-server.js';
import { makeRouteTool, type World } from './world.js';

const group = 'Recovery';
/** Runs that are queued when the system goes down. */
const QUEUED = 10;

interface WorkerObject {
  id: string;
  kind: string;
  pid: number;
}

/** A check that breaks the suite's own system: nothing else runs meanwhile. */
function breaking(
  id: string,
  title: string,
  run: (world: World, tools: CheckTools, own: EphemeralSystem) => Promise<Record<string, unknown>>,
): Check<World> {
  return {
    id,
    title,
    group,
    requires: ['ephemeral-server'],
    isDisruptive: true,
    isExclusive: true,
    timeoutMs: 90_000,
    run(world, tools) {
      ensure(world.own, 'There is no system of its own to break.', tools.rerun);
      return run(world, tools, world.own);
    },
  };
}

/** What dies comes back, what was begun is ended, and nothing is done twice. */
export const recoveryChecks: Check<World>[] = [
  breaking(
    'recovery.worker_killed',
    'A run whose worker is killed goes on where it was',
    async (world, tools) => {
      const [before, after] = [world.toolServer.route(() => ok()), world.toolServer.route(() => ok())];
      const during = world.toolServer.route((_, call) => (call === 1 ? 'hang' : ok()));
      const addresses: string[] = [];
      for (const route of [before, during, after])
        addresses.push((await makeRouteTool(world, tools, route)).address);
      const task = await makeTask(world, tools, {
        ...steps(
          ...['one', 'two', 'three'].map((step, index) => ({ id: step, uses: addresses[index] as string })),
        ),
      });
      const { id } = await world.client.runTask(task.id, {}, tools);
      await waitFor(world, tools, 'the second step to be under way', () => during.open > 0);
      await killWorkerOf(world, tools, id);
      const killedAt = performance.now();
      const run = await endOf(world, tools, id);
      ensureRun(world, tools, run, 'succeeded');
      const calls = { one: before.calls.length, two: during.calls.length, three: after.calls.length };
      ensureEqual('How often the steps were called', calls, { one: 1, two: 2, three: 1 }, tools.rerun, {
        run,
      });
      return { calls, ended_after_ms: Math.round(performance.now() - killedAt) };
    },
  ),
  breaking(
    'recovery.send_unknown',
    'A send that was under way in a killed worker is not repeated',
    async (world, tools) => {
      const route = world.toolServer.route((_, call) => (call === 1 ? 'hang' : ok()));
      const tool = await makeRouteTool(world, tools, route, { side_effect: 'once' });
      const task = await makeTask(world, tools, steps({ id: 'send', uses: tool.address }));
      const { id } = await world.client.runTask(task.id, {}, tools);
      await waitFor(world, tools, 'the send to be under way', () => route.open > 0);
      await killWorkerOf(world, tools, id);
      const run = await endOf(world, tools, id);
      ensureRun(world, tools, run, 'partial', 'unknown_outcome');
      ensureEqual('How often it was sent', route.calls.length, 1, tools.rerun, { run });
      return { status: run.status, reason: run.reason, sent: route.calls.length };
    },
  ),
  breaking(
    'recovery.scheduler_killed',
    'A scheduler that is killed comes back, and nothing due is missed',
    async (world, tools) => {
      const task = await makeTask(world, tools, {
        ...steps({ id: 'echo', uses: 'debug.echo' }),
        schedule: { kind: 'once', expr: new Date(Date.now() + 1500).toISOString(), timezone: 'UTC' },
      });
      const pid = await killService(world, tools, 'scheduler');
      const runs = await runsOf(world, tools, task, 1);
      const run = await endOf(world, tools, (runs[0] as RunObject).id);
      ensureRun(world, tools, run, 'succeeded');
      const next = await replacementOf(world, tools, 'scheduler', pid);
      const { items } = await world.client.listRuns({ taskId: task.id, signal: tools.signal });
      ensureEqual('The number of runs', items.length, 1, tools.rerun, { items });
      return { killed: pid, replaced_by: next, lateness_ms: run.lateness_ms };
    },
  ),
  breaking(
    'recovery.api_killed',
    'An API that is killed comes back at the same address, with everything there',
    async (world, tools) => {
      const task = await makeTask(world, tools, steps({ id: 'echo', uses: 'debug.echo' }));
      const { id } = await world.client.runTask(task.id, {}, tools);
      const pid = await killService(world, tools, 'api');
      await waitFor(world, tools, 'the API to answer again', () => isReady(world, tools));
      ensureRun(world, tools, await endOf(world, tools, id), 'succeeded');
      const again = await world.client.runTask(task.id, {}, tools);
      ensureRun(world, tools, await endOf(world, tools, again.id), 'succeeded');
      return { killed: pid, replaced_by: await replacementOf(world, tools, 'api', pid) };
    },
  ),
  breaking(
    'recovery.stopped',
    'Work that is queued when it is stopped is done after the next start',
    (world, tools, own) =>
      survives(world, tools, async (letThrough) => {
        const stopping = own.stop();
        // A stop waits for what runs: that may end as soon as no new work is taken.
        const isHeard = until('the stop to begin', () => own.output.includes('Stopping'), {
          signal: tools.signal,
          hint: tools.rerun,
        });
        await isHeard.finally(letThrough);
        const { code } = await stopping;
        ensureEqual('The exit code of the stop', code, 0, tools.rerun);
        await own.startAgain();
      }),
  ),
  breaking(
    'recovery.crashed',
    'Nothing is lost and nothing done twice when everything is killed at once',
    (world, tools, own) =>
      survives(world, tools, async (letThrough) => {
        await own.kill();
        letThrough();
        await own.startAgain();
      }),
  ),
  breaking('recovery.healthy', 'After all that every part reports that it is well', async (world, tools) => {
    let parts: string[] = [];
    await waitFor(
      world,
      tools,
      'every part to be well',
      async () => {
        const { checks } = await world.client.request<{
          checks: { name: string; status: string; message: string }[];
        }>({ method: 'GET', path: '/health', signal: tools.signal });
        parts = checks.map(({ name, status, message }) => `${name}: ${status}, ${message}`);
        // Runs that were given up are the doing of the checks.
        return checks.every(({ name, status }) => status === 'pass' || name === 'dead_letters');
      },
      () => ({ parts }),
    );
    return { parts };
  }),
  breaking('recovery.schema', 'A database that is gone is made anew', async (world, tools, own) => {
    await own.stop();
    for (const end of ['', '-wal', '-shm']) rmSync(join(own.home, `orchestrator.db${end}`), { force: true });
    await own.startAgain();
    // Nobody is known any more: the start made another administrator.
    const fresh = { ...world, client: own.client, token: own.token };
    const task = await makeTask(fresh, tools, steps({ id: 'echo', uses: 'debug.echo' }));
    const run = await runToEnd(fresh, tools, task);
    ensureRun(fresh, tools, run, 'succeeded');
    return { status: run.status };
  }),
  breaking(
    'recovery.migration',
    'A database of the first version is brought up to date',
    async (world, tools, own) => {
      await own.stop();
      const path = join(own.home, 'orchestrator.db');
      for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true });
      const old = await world.writeOldDatabase(path, Date.now());
      await own.startAgain();
      const task = await own.client.findTask(old.taskId, tools);
      ensureEqual('The next due time', Date.parse(task.next_due_at ?? ''), old.nextDueAt, tools.rerun, {
        task,
      });
      const copies = readdirSync(own.home).filter((name) => name.startsWith('orchestrator.db.before-v'));
      ensure(copies.length > 0, 'No copy was made before the migration.', tools.rerun, { home: own.home });
      const run = await runToEnd({ ...world, client: own.client, token: own.token }, tools, task);
      return { from: old.version, copies, status: run.status };
    },
  ),
  {
    id: 'recovery.fallback',
    title: 'Without the database and Redis that are configured it runs on SQLite, and warns',
    group,
    requires: ['ephemeral-server'],
    timeoutMs: 90_000,
    async run(world, tools) {
      const system = await world.startWithoutServers(tools.signal);
      try {
        const live = { ...world, url: system.url, client: system.client, token: system.token };
        const task = await makeTask(live, tools, steps({ id: 'echo', uses: 'debug.echo' }));
        ensureRun(live, tools, await runToEnd(live, tools, task), 'succeeded');
        const lines = system.output.split('\n').filter((line) => /This start (works|goes) on/.test(line));
        const [database, redis] = [/This start works on .* instead/, /Redis .* goes on without it/].map(
          (words) => lines.some((line) => words.test(line)),
        );
        ensure(database, 'Nothing warns that another database takes the place of PostgreSQL.', tools.rerun, {
          lines,
        });
        ensure(redis, 'Nothing warns that there is no Redis.', tools.rerun, { lines });
        return { warnings: lines };
      } finally {
        await system.dispose();
      }
    },
  },
];

/** Runs are queued, the system goes down and comes back: each of them ends well, and each is done once. */
async function survives(world: World, tools: CheckTools, goDown: (letThrough: () => void) => Promise<void>) {
  const gate = aGate();
  const route = world.toolServer.route(async () => {
    await gate.passed;
    return ok();
  });
  try {
    const tool = await makeRouteTool(world, tools, route);
    const task = await makeTask(world, tools, {
      ...steps({ id: 'call', uses: tool.address, with: { run: '${run.id}' } }),
      concurrency: { key: world.name('key'), limit: 1 },
    });
    const ids: string[] = [];
    for (let index = 0; index < QUEUED; index++)
      ids.push((await world.client.runTask(task.id, {}, tools)).id);
    await waitFor(world, tools, 'the first run to be under way', () => route.open > 0);
    await goDown(gate.open);
    for (const id of ids) ensureRun(world, tools, await endOf(world, tools, id), 'succeeded');
    const { items } = await world.client.listRuns({ taskId: task.id, limit: 100, signal: tools.signal });
    ensureEqual('The number of runs', items.length, QUEUED, tools.rerun);
    const calls = route.calls.map(({ body }) => (JSON.parse(body) as { run: string }).run);
    const twice = ids.filter((id) => calls.filter((one) => one === id).length > 1);
    // The one that was under way may have been asked for again: its answer was not seen.
    ensure(twice.length <= 1, `${twice.length} runs were done more than once.`, tools.rerun, { twice });
    const undone = ids.filter((id) => !calls.includes(id));
    ensureEqual('The runs whose tool was never called', undone, [], tools.rerun);
    return { queued: QUEUED, succeeded: items.length, interrupted_and_repeated: twice.length };
  } finally {
    gate.open();
  }
}

function waitFor(
  world: World,
  tools: CheckTools,
  what: string,
  look: () => boolean | Promise<boolean>,
  seen?: () => Record<string, unknown>,
): Promise<boolean> {
  return until(what, look, {
    signal: tools.signal,
    timeoutMs: world.patienceMs,
    hint: tools.rerun,
    ...(seen === undefined ? {} : { seen }),
  });
}

async function isReady({ url }: World, { signal }: CheckTools): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/ready`, { signal })).status === 200;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TypeError) return false;
    throw error;
  }
}

async function workers({ client }: World, { signal }: CheckTools): Promise<WorkerObject[]> {
  const path = '/v1/workers';
  return (await client.request<{ items: WorkerObject[] }>({ method: 'GET', path, signal })).items;
}

/** Kills the worker that has a run, by the process id of its heartbeat. */
async function killWorkerOf(world: World, tools: CheckTools, runId: string): Promise<void> {
  const { worker_id: id } = await world.client.getRun(runId, tools);
  const worker = (await workers(world, tools)).find((one) => one.id === id);
  ensure(worker, `Nothing is known of the worker ${id} of the run.`, tools.rerun);
  signalProcess(worker.pid, 'SIGKILL');
}

/** Kills the process of a service that lives now. @returns its process id. */
async function killService(world: World, tools: CheckTools, kind: string): Promise<number> {
  const alive = world.own?.descendants() ?? [];
  const found = (await workers(world, tools)).find((one) => one.kind === kind && alive.includes(one.pid));
  ensure(found, `Nothing is known of the process of the ${kind}.`, tools.rerun);
  signalProcess(found.pid, 'SIGKILL');
  return found.pid;
}

/** The process that took the place of one that was killed. */
function replacementOf(world: World, tools: CheckTools, kind: string, old: number): Promise<number> {
  return until(
    `another ${kind}`,
    async () => {
      const alive = world.own?.descendants() ?? [];
      const all = await workers(world, tools);
      return all.find((one) => one.kind === kind && one.pid !== old && alive.includes(one.pid))?.pid;
    },
    { signal: tools.signal, timeoutMs: world.patienceMs, hint: tools.rerun },
  );
}
