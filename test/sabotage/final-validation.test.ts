import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { EphemeralSystem } from '../../src/checks/ephemeral-system.js';
import { footprintOf } from '../../src/checks/final-validation/footprint.js';
import { finalValidation } from '../../src/checks/final-validation/suite.js';
import { startToolServer, type ToolServer } from '../../src/checks/final-validation/tool-server.js';
import type { World } from '../../src/checks/final-validation/world.js';
import type { RunObject, TaskObject } from '../../src/client/api-objects.js';
import type { HealthReport } from '../../src/domain/health.js';
import { root } from '../cli/a-process.js';
import { until } from '../e2e/start-pao.js';
import { type BrokenSystem, startBrokenSystem } from './a-broken-system.js';
import { sabotage } from './sabotage.js';
import { withBody, withStatus } from './sabotage-proxy.js';

const suite = finalValidation('full', true);
let broken: BrokenSystem;
let toolServer: ToolServer;

beforeAll(async () => {
  broken = await startBrokenSystem({ workers: 2 });
  toolServer = await startToolServer();
});
afterAll(async () => {
  await broken?.close();
  await toolServer?.close();
});
afterEach(() => broken.proxy.mend());

/** What the checks look at, through the proxy. */
function aWorld(changes: Partial<World> = {}): World {
  return {
    ...broken.live,
    patienceMs: 4000,
    options: { profile: 'quick', baseline: null, maxRegressionPercent: 50, before: null },
    toolServer,
    briefing: () => Promise.reject(new Error('The briefing has tests of its own.')),
    footprint: null,
    startWithoutServers: async () => broken.system,
    writeOldDatabase: () => Promise.reject(new Error('Not asked for here.')),
    packageRoot: root,
    folder: tmpdir(),
    ...changes,
  };
}

/** The outside world, without a header its answers had. */
function withoutRetryAfter(): ToolServer {
  return {
    ...toolServer,
    route: (answer) =>
      toolServer.route(async (request, call) => {
        const reply = await answer(request, call);
        return typeof reply === 'string' ? reply : { ...reply, headers: {} };
      }),
  };
}

const everyRun = (changes: Partial<RunObject>) => withBody<RunObject>((run) => ({ ...run, ...changes }));
const everyOutput = (change: (output: never) => unknown) =>
  withBody<RunObject>((run) => ({
    ...run,
    steps: run.steps?.map((step) => ({ ...step, output: change(step.output as never) })),
  }));
const items = <T>(change: (all: T[]) => T[]) =>
  withBody<{ items: T[] }>((page) => ({ ...page, items: change(page.items) }));
const RUN = /^GET \/v1\/runs\/run_/;
const RUNS = /^GET \/v1\/runs(\?|$)/;
const NEW_TASK = /^POST \/v1\/tasks$/;
const NEW_TOOL = /^POST \/v1\/tools$/;

sabotage(suite, 'agents.register', 'a token that is another agent', async (fails) => {
  broken.proxy.break(
    'GET /v1/agents/me',
    withBody<object>((me) => ({ ...me, name: 'someone' })),
  );
  await fails(aWorld(), /The agent of the token is \["someone"/);
});

sabotage(suite, 'auth.revoked', 'a revoked token that is still taken', async (fails) => {
  broken.proxy.break('GET /v1/tasks', withStatus(200));
  await fails(aWorld(), /"revoked":200/);
});

sabotage(suite, 'auth.rotated', 'an old token that is still taken', async (fails) => {
  broken.proxy.break('GET /v1/tasks', withStatus(200));
  await fails(aWorld(), /"old":200/);
});

sabotage(suite, 'scopes.enforced', 'a list that needs no scope', async (fails) => {
  broken.proxy.break('GET /v1/tools', withStatus(200));
  await fails(aWorld(), /the scope tools:read, but: it was allowed/);
});

sabotage(suite, 'scopes.tools', 'a task that uses any tool', async (fails) => {
  broken.proxy.break('POST /v1/tasks', withStatus(201));
  await fails(aWorld(), /the scope tool:debug.echo, but: it was allowed/);
});

sabotage(suite, 'scopes.withdrawn', 'a run that goes on with a scope that was taken away', async (fails) => {
  broken.proxy.break(RUN, everyRun({ status: 'succeeded', reason: null }));
  await fails(aWorld(), /is succeeded, expected failed \(forbidden\)/);
});

sabotage(suite, 'agents.isolated', "an agent that sees another one's run", async (fails) => {
  broken.proxy.break(
    RUNS,
    items(() => [{}]),
  );
  await fails(aWorld(), /"listed_runs":1/);
});

const anHourLater = items<{ at: string }>((all) =>
  all.map((one) => ({ ...one, at: new Date(Date.parse(one.at) + 3_600_000).toISOString() })),
);

sabotage(suite, 'tasks.rrule', 'a rule that is an hour off', async (fails) => {
  broken.proxy.break(/occurrences/, anHourLater);
  await fails(aWorld(), /When it is due is \["2027-03-26T07:30/);
});

sabotage(suite, 'tasks.cron', 'an expression that is an hour off', async (fails) => {
  broken.proxy.break(/occurrences/, anHourLater);
  await fails(aWorld(), /When it is due is \["2027-03-12T14:30/);
});

sabotage(suite, 'tasks.once', 'a scheduler that stands still', async (fails) => {
  await broken.holding('scheduler', () => fails(aWorld(), /Waited 4s for 1 run of the task/));
});

sabotage(suite, 'tasks.event', 'an event that starts a task twice', async (fails) => {
  broken.proxy.break(
    RUNS,
    items<object>((all) => [...all, ...all]),
  );
  await fails(aWorld(), /The number of runs is 2, expected 1/);
});

sabotage(suite, 'tasks.condition', 'a condition that triggers each time it is true', async (fails) => {
  broken.proxy.rewrite(NEW_TASK, (task) => {
    task.schedule.trigger = 'level';
  });
  await fails(aWorld({ patienceMs: 15_000 }), /How often it triggered is [2-9]/);
});

sabotage(suite, 'tasks.invalid', 'a mistake that is kept back', async (fails) => {
  broken.proxy.break(
    'POST /v1/tasks',
    withBody<{ errors: unknown[] }>((problem) => ({ ...problem, errors: problem.errors.slice(0, 1) })),
  );
  await fails(aWorld(), /Nothing is said about/);
});

sabotage(suite, 'tasks.apply', 'a task that changes each time it is applied', async (fails) => {
  broken.proxy.break(
    'PUT /v1/tasks',
    withBody<object>((task) => ({ ...task, outcome: 'updated' })),
  );
  await fails(aWorld(), /What applying did is \[\["updated"/);
});

sabotage(suite, 'tasks.lifecycle', 'a pause that does nothing', async (fails) => {
  broken.proxy.break(
    /^POST .*\/pause/,
    withBody<TaskObject>((task) => ({ ...task, state: 'active' })),
  );
  await fails(aWorld(), /Its states is \[\["active"/);
});

sabotage(suite, 'templates.types', 'a number that becomes text', async (fails) => {
  broken.proxy.break(
    RUN,
    everyOutput((output: object) => ({ ...output, count: '3' })),
  );
  await fails(aWorld(), /"count":"3"/);
});

sabotage(suite, 'templates.missing', 'an error that says nothing', async (fails) => {
  broken.proxy.break(
    RUN,
    withBody<RunObject>((run) => ({ ...run, error: { kind: 'x', message: 'failed' }, steps: [] })),
  );
  await fails(aWorld(), /does not name the missing value/);
});

sabotage(suite, 'templates.dates', 'a date of another zone', async (fails) => {
  broken.proxy.break(
    RUN,
    everyOutput((output: object) => ({ ...output, start: '2026-01-01T00:00:00Z' })),
  );
  await fails(aWorld(), /The dates is/);
});

sabotage(suite, 'pipeline.control', 'a fall-back that is not taken', async (fails) => {
  broken.proxy.break(
    RUN,
    everyOutput(() => ({ value: null })),
  );
  await fails(aWorld(), /The fall-back is null/);
});

sabotage(suite, 'tools.input_schema', 'a schema that nobody looks at', async (fails) => {
  broken.proxy.rewrite(NEW_TOOL, (tool) => {
    tool.input_schema = {};
  });
  await fails(aWorld(), /The status of a wrong literal is missing, expected 422/);
});

sabotage(suite, 'tools.output_schema', 'an answer that nobody looks at', async (fails) => {
  broken.proxy.rewrite(NEW_TOOL, (tool) => {
    delete tool.output_schema;
  });
  await fails(aWorld(), /is succeeded, expected failed \(invalid_output\)/);
});

sabotage(suite, 'tools.mcp_import', 'an import that brings other tools', async (fails) => {
  broken.proxy.break(
    'POST /v1/tools/import',
    items(() => [{ address: 'other.tool' }]),
  );
  await fails(aWorld({ patienceMs: 15_000 }), /The imported tools is \["other.tool"\]/);
});

sabotage(suite, 'tools.openapi_import', 'a path parameter that is lost', async (fails) => {
  broken.proxy.break(
    /^POST .*getReading\/call/,
    withBody<object>((answer) => ({ ...answer, output: {} })),
  );
  await fails(aWorld(), /What it gave is \{\}/);
});

sabotage(suite, 'tools.private_address', 'a tool that reaches what nobody granted', async (fails) => {
  broken.proxy.rewrite(NEW_TOOL, (tool) => {
    tool.grants = toolServer.grants;
  });
  await fails(aWorld(), /is succeeded, expected failed \(blocked\)/);
});

sabotage(suite, 'errors.timeout', 'a timeout that is not kept', async (fails) => {
  broken.proxy.rewrite(NEW_TASK, (task) => {
    delete task.pipeline[0].timeout;
  });
  await fails(aWorld(), /is still running; it was to end/);
});

sabotage(suite, 'errors.rate_limited', 'a Retry-After that nobody heeds', async (fails) => {
  await fails(aWorld({ toolServer: withoutRetryAfter() }), /It waited \d+ ms, told to wait 2 s/);
});

sabotage(suite, 'errors.too_long', 'a tool that is asked again too soon', async (fails) => {
  await fails(aWorld({ toolServer: withoutRetryAfter() }), /How often it was called is 3, expected 1/);
});

sabotage(suite, 'errors.tool_down', 'a task that gives up', async (fails) => {
  broken.proxy.rewrite(NEW_TASK, (task) => {
    task.retry.max = 0;
  });
  await fails(aWorld(), /expected succeeded/);
});

sabotage(suite, 'errors.backoff', 'retries that come at once', async (fails) => {
  broken.proxy.rewrite(NEW_TASK, (task) => {
    task.retry = { max: 3, backoff: 'fixed', base: '10ms' };
  });
  await fails(aWorld({ patienceMs: 15_000 }), /at least 100, 200, 400 ms expected/);
});

sabotage(suite, 'errors.dead_letter', 'a replay that forgot what it replays', async (fails) => {
  broken.proxy.break(
    RUN,
    withBody<RunObject>((run) => ({ ...run, parent_run_id: null })),
  );
  await fails(aWorld({ patienceMs: 15_000 }), /What it replays is \["replay",null\]/);
});

sabotage(suite, 'errors.unknown_outcome', 'a send that is repeated', async (fails) => {
  broken.proxy.rewrite(NEW_TOOL, (tool) => {
    tool.side_effect = 'read';
  });
  await fails(aWorld({ patienceMs: 15_000 }), /expected partial \(unknown_outcome\)/);
});

sabotage(suite, 'once.idempotency_key', 'a key that is lost on the way', async (fails) => {
  broken.proxy.rewrite(/^POST .*\/run/, (_, headers) => {
    delete headers['idempotency-key'];
  });
  await fails(aWorld(), /The statuses is \[202,202,202\]/);
});

sabotage(suite, 'once.dedupe', 'a dedupe window that is not kept', async (fails) => {
  broken.proxy.rewrite(NEW_TASK, (task) => {
    delete task.dedupe;
  });
  await fails(aWorld({ patienceMs: 15_000 }), /is succeeded, expected skipped \(dedupe\)/);
});

sabotage(suite, 'once.step_key', 'a step that acts again', async (fails) => {
  broken.proxy.rewrite(NEW_TASK, (task) => {
    delete task.pipeline[0].idempotency_key;
  });
  await fails(aWorld({ patienceMs: 15_000 }), /How often it acted is 2, expected 1/);
});

sabotage(suite, 'once.overlap', 'a task that overlaps itself', async (fails) => {
  broken.proxy.rewrite(NEW_TASK, (task) => {
    task.schedule.overlap = 'allow';
  });
  await fails(aWorld({ patienceMs: 15_000 }), /What the two runs came to is \["succeeded","succeeded"\]/);
});

sabotage(suite, 'once.priority', 'a queue without priorities', async (fails) => {
  broken.proxy.rewrite(NEW_TASK, (task) => {
    task.priority = 5;
  });
  await fails(aWorld({ patienceMs: 15_000 }), /The order is \["first","late","normal","urgent"\]/);
});

sabotage(suite, 'once.occurrence', 'an occurrence without a row', async (fails) => {
  broken.proxy.break(
    RUNS,
    items<object>((all) => all.filter((_, index) => index !== 1)),
  );
  await fails(aWorld({ patienceMs: 15_000 }), /are not one second apart/);
});

sabotage(suite, 'audit.recorded', 'a change that is not in the trail', async (fails) => {
  const change = items<{ action: string }>((all) => all.filter(({ action }) => action !== 'task.canceled'));
  broken.proxy.break('GET /v1/audit', change);
  await fails(aWorld(), /The trail is/);
});

sabotage(suite, 'audit.unbroken', 'an entry that was taken out', async (fails) => {
  broken.proxy.break(
    'GET /v1/audit',
    items<object>((all) => all.filter((_, index) => index !== 1)),
  );
  await fails(aWorld(), /one is missing/);
});

const FAST = { count: 1, per_second: 1e9, p50_ms: 0, p95_ms: 0, p99_ms: 0 };
const before = (id: string) => ({
  profile: 'quick' as const,
  maxRegressionPercent: 50,
  before: null,
  baseline: { file: 'baseline.json', measures: { [id]: FAST } },
});

sabotage(suite, 'load.burst', 'a system that got slower', async (fails) => {
  await fails(
    aWorld({ options: before('load.burst') }),
    /More than 50 % worse than baseline.json: throughput/,
    {
      timeoutMs: 60_000,
    },
  );
});

sabotage(suite, 'load.api', 'an API that got slower', async (fails) => {
  await fails(
    aWorld({ options: before('load.api') }),
    /More than 50 % worse than baseline.json: throughput/,
    {
      timeoutMs: 60_000,
    },
  );
});

sabotage(suite, 'upgrade.tasks', 'a task that an upgrade lost', async (fails) => {
  const tasks = [{ id: 'tsk_00000000000000000000000000000000', name: 'lost', state: 'active', next: [] }];
  const snapshot = { file: 'before.json', taken_at: '2026-11-24T00:00:00Z', tasks };
  await fails(aWorld({ options: { ...before('x'), before: snapshot } }), /1 tasks are gone: lost/);
});

sabotage(suite, 'upgrade.due_times', 'a schedule that means other instants', async (fails) => {
  const { client } = broken.live;
  const { id, name } = await client.createTask({
    name: 'kept',
    schedule: { kind: 'cron', expr: '0 8 * * *', timezone: 'UTC' },
    pipeline: [{ id: 'echo', uses: 'debug.echo' }],
  });
  const tasks = [{ id, name, state: 'active', next: ['2026-11-24T07:00:00.000Z'] }];
  const snapshot = { file: 'before.json', taken_at: '2026-11-24T00:00:00Z', tasks };
  await fails(aWorld({ options: { ...before('x'), before: snapshot } }), /The next due times of kept/);
});

sabotage(suite, 'recovery.send_unknown', 'a send that is repeated', async (fails) => {
  // A run that took a worker with it is done alone: calls that hang since an earlier check would hold it up.
  const { client } = broken.live;
  for (const { id } of (await client.listRuns({ status: 'running', limit: 100 })).items)
    await client.cancelRun(id);
  broken.proxy.rewrite(NEW_TOOL, (tool) => {
    tool.side_effect = 'read';
  });
  await fails(aWorld({ patienceMs: 20_000 }), /expected partial \(unknown_outcome\)/, { timeoutMs: 60_000 });
});

sabotage(suite, 'recovery.healthy', 'a part that does not get well', async (fails) => {
  broken.proxy.break(
    'GET /health',
    withBody<{ checks: object[] }>((report) => ({
      ...report,
      checks: [...report.checks, { name: 'bus', status: 'warn', message: 'not well' }],
    })),
  );
  await fails(aWorld(), /Waited 4s for every part to be well/);
});

/** What keeps the processes alive stands still: what dies stays dead. It may hold the database just then. */
async function withoutSupervisor(work: () => Promise<void>): Promise<void> {
  process.kill(broken.system.pid, 'SIGSTOP');
  try {
    await work();
  } finally {
    process.kill(broken.system.pid, 'SIGCONT');
    await until('everything to be back', async () => {
      const response = await fetch(`${broken.system.url}/health`).catch(() => null);
      if (response === null) return false;
      const { checks } = (await response.json()) as HealthReport;
      // The checks before these left dead letters, as they should.
      return checks.every(({ name, status }) => status === 'pass' || name === 'dead_letters');
    });
  }
}

sabotage(suite, 'recovery.worker_killed', 'a run that nobody takes up again', async (fails) => {
  await withoutSupervisor(() =>
    fails(aWorld(), /is still running; it was to end|locked/, { timeoutMs: 30_000 }),
  );
});

sabotage(suite, 'recovery.scheduler_killed', 'a scheduler that does not come back', async (fails) => {
  await withoutSupervisor(() => fails(aWorld(), /Waited 4s for 1 run|locked/, { timeoutMs: 30_000 }));
});

sabotage(suite, 'recovery.api_killed', 'an API that does not come back', async (fails) => {
  await withoutSupervisor(() =>
    fails(aWorld(), /Waited 4s for the API to answer again|locked/, { timeoutMs: 30_000 }),
  );
});

/** A system of the suite's own that only says that it goes down. */
const pretended = (code: number) =>
  ({
    output: 'Stopping',
    stop: async () => ({ code, duration_ms: 0, orphans: [] }),
    kill: async () => {},
    startAgain: async () => {},
  }) as unknown as World['own'];

sabotage(suite, 'recovery.stopped', 'a stop that fails', async (fails) => {
  await fails(
    aWorld({ own: pretended(1), patienceMs: 20_000 }),
    /The exit code of the stop is 1, expected 0/,
    {
      timeoutMs: 60_000,
    },
  );
});

sabotage(suite, 'recovery.crashed', 'a queued run that is lost in a crash', async (fails) => {
  broken.proxy.break(
    RUNS,
    items<object>((all) => all.slice(1)),
  );
  await fails(aWorld({ own: pretended(0), patienceMs: 20_000 }), /The number of runs is 9, expected 10/, {
    timeoutMs: 60_000,
  });
});

sabotage(suite, 'recovery.schema', 'a database without an administrator', async (fails) => {
  const own = {
    ...pretended(0),
    home: tmpdir(),
    client: broken.live.clientWith('pao_nobody'),
  } as unknown as World['own'];
  await fails(aWorld({ own }), /This is not a token of pao/);
});

sabotage(suite, 'recovery.migration', 'a task that a migration loses', async (fails) => {
  const own = {
    ...pretended(0),
    home: join(tmpdir(), 'pao-nowhere'),
    client: broken.live.client,
  } as unknown as World['own'];
  const writeOldDatabase = async () => ({ version: 1, taskId: `tsk_${'0'.repeat(32)}`, nextDueAt: 0 });
  await fails(aWorld({ own, writeOldDatabase }), /There is no task/);
});

sabotage(suite, 'recovery.fallback', 'a fall-back without a word', async (fails) => {
  const { url, token, client } = broken.live;
  const silent = { url, token, client, output: 'All is well.', dispose: async () => {} };
  const world = aWorld({
    startWithoutServers: async () => silent as unknown as EphemeralSystem,
    patienceMs: 15_000,
  });
  await fails(world, /Nothing warns that another database takes the place of PostgreSQL/);
});

sabotage(
  suite,
  'resources.released',
  'a process, a file and a temporary file that are left',
  async (fails) => {
    const own = broken.system;
    const now = footprintOf(own);
    await fails(
      aWorld({ own, footprint: { ...now, processes: 1 } }),
      /the processes to be as many as at the start/,
    );
    await fails(
      aWorld({ own, footprint: { ...now, processes: 100, files: {} } }),
      /Files stay open: supervisor has \d+, had 0/,
    );
    writeFileSync(join(own.temporary, 'left'), '');
    await fails(aWorld({ own, footprint: { ...now, processes: 100 } }), /The temporary files is \["left"\]/);
  },
);

sabotage(suite, 'stop.graceful', 'a system that was killed', async (fails) => {
  process.kill(broken.system.pid, 'SIGKILL');
  await fails(aWorld(), /exit code of pao start local is null, expected 0/);
});
