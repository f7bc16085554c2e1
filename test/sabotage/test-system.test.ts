import { afterAll, afterEach, beforeAll } from 'vitest';
import type { HealthReport } from '../../src/domain/health.js';
import type { RunObject, TaskObject } from '../../src/client/api-objects.js';
import { testSystem } from '../../src/checks/test-system/suite.js';
import { type BrokenSystem, startBrokenSystem, untilSilent } from './a-broken-system.js';
import { sabotage } from './sabotage.js';
import { withBody, withHeader, withStatus } from './sabotage-proxy.js';

let broken: BrokenSystem;

beforeAll(async () => {
  broken = await startBrokenSystem({ clock: '2026-11-24T06:00:00Z' });
});
afterAll(() => broken?.close());
afterEach(() => broken.proxy.mend());

const spoilt = (change: (part: HealthReport['checks'][number]) => object) =>
  withBody<HealthReport>((report) => ({
    ...report,
    checks: report.checks.map((part) => (part.name === 'queue' ? { ...part, ...change(part) } : part)),
  }));

sabotage(testSystem, 'health.live', 'a process that does not say it lives', async (fails) => {
  broken.proxy.break('GET /health/live', withStatus(500));
  await fails(broken.live, /is 500, expected 200/);
});

sabotage(testSystem, 'health.ready', 'a system that is not ready', async (fails) => {
  broken.proxy.break('GET /health/ready', withStatus(503));
  await fails(broken.live, /is 503, expected 200/);
});

sabotage(
  testSystem,
  'health.report',
  'a part that fails, and one that should be looked at',
  async (fails) => {
    broken.proxy.break(
      'GET /health',
      spoilt(() => ({ status: 'fail', message: 'the queue is gone' })),
    );
    await fails(broken.live, /queue: the queue is gone/);
    broken.proxy.mend();
    broken.proxy.break(
      'GET /health',
      spoilt(() => ({ status: 'warn', message: '3 tasks have no due time' })),
    );
    await fails(broken.live, /queue: 3 tasks have no due time/, { status: 'warned' });
    broken.proxy.mend();
    broken.proxy.break('GET /health', () => ({ status: 200, headers: {}, body: 'hello' }));
    await fails(broken.live, /no report/);
  },
);

sabotage(testSystem, 'heartbeat.scheduler', 'a scheduler that stands still', async (fails) => {
  await broken.holding('scheduler', async () => {
    await broken.system.advance(60_000);
    await untilSilent(broken, 'scheduler');
    await fails(broken.live, /a sign of life of a scheduler/);
  });
});

sabotage(testSystem, 'heartbeat.worker', 'a worker that stands still', async (fails) => {
  await broken.holding('w1', async () => {
    await broken.system.advance(60_000);
    await untilSilent(broken, 'workers');
    await fails(broken.live, /a sign of life of a worker/);
  });
});

sabotage(
  testSystem,
  'auth.required',
  'a list that anyone may read, and a refusal that does not say how to sign in',
  async (fails) => {
    broken.proxy.break('GET /v1/runs', withStatus(200));
    await fails(broken.live, /GET \/v1\/runs without a token is 200, expected 401/);
    broken.proxy.mend();
    broken.proxy.break('GET /metrics', withHeader('www-authenticate', undefined));
    await fails(broken.live, /GET \/metrics does not say WWW-Authenticate/);
  },
);

sabotage(testSystem, 'auth.foreign', 'a door that takes any token', async (fails) => {
  broken.proxy.break('GET /v1/tasks', withStatus(200));
  await fails(broken.live, /is 200, expected 401/);
});

sabotage(testSystem, 'auth.accepted', 'a token that is not known', async (fails) => {
  await fails({ ...broken.live, token: 'pao_unknown' }, /is 401, expected 200/);
});

sabotage(
  testSystem,
  'problems.form',
  'errors as plain JSON, and mistakes that are kept back',
  async (fails) => {
    broken.proxy.break('GET /v1/tasks/', withHeader('content-type', 'application/json'));
    await fails(broken.live, /expected application\/problem\+json/);
    broken.proxy.mend();
    broken.proxy.break(
      'POST /v1/tasks',
      withBody<{ errors?: unknown[] }>((problem) => ({ ...problem, errors: problem.errors?.slice(0, 1) })),
    );
    await fails(broken.live, /Not every mistake is listed/);
  },
);

sabotage(
  testSystem,
  'agents.crud',
  'a change that is lost, a token that is shown again, a removed agent that comes in',
  async (fails) => {
    broken.proxy.break(
      'GET /v1/agents/agt_',
      withBody<object>((agent) => ({ ...agent, title: 'Old' })),
    );
    await fails(broken.live, /The title after the change is "Old"/);
    broken.proxy.mend();
    let secret = '';
    broken.proxy.break('POST /v1/agents', (answer) => {
      secret = (JSON.parse(answer.body) as { token: { secret: string } }).token.secret;
      return answer;
    });
    broken.proxy.break(
      'GET /v1/agents/agt_',
      withBody<object>((agent) => ({ ...agent, secret })),
    );
    await fails(broken.live, /token can be read again/);
    broken.proxy.mend();
    broken.proxy.break('GET /v1/agents/me', withStatus(200));
    await fails(broken.live, /removed agent's request is 200, expected 401/);
  },
);

sabotage(
  testSystem,
  'tasks.crud',
  'a task without a due time, and a version that stands still',
  async (fails) => {
    broken.proxy.break(
      'GET /v1/tasks/tsk_',
      withBody<TaskObject>((task) => ({ ...task, next_due_at: null })),
    );
    await fails(broken.live, /has no due time/);
    broken.proxy.mend();
    broken.proxy.break(
      'GET /v1/tasks/tsk_',
      withBody<TaskObject>((task) => ({ ...task, version: 1 })),
    );
    await fails(broken.live, /The version after the change is 1, expected 2/);
  },
);

sabotage(testSystem, 'tools.crud', 'a tool that gives something else', async (fails) => {
  broken.proxy.break(
    /^POST \/v1\/tools\/.*\/call/,
    withBody((answer: object) => ({ ...answer, output: null })),
  );
  await fails(broken.live, /What the tool gave is null/);
});

sabotage(testSystem, 'lists.pages', 'a list that loses an item between two pages', async (fails) => {
  broken.proxy.break(
    /^GET \/v1\/tasks\?.*cursor=/,
    withBody<{ items: unknown[] }>((page) => ({ ...page, items: page.items.slice(1) })),
  );
  await fails(broken.live, /What the pages hold/);
});

sabotage(
  testSystem,
  'run.end_to_end',
  'a worker that does nothing, and a result that is wrong',
  async (fails) => {
    await broken.holding('w1', () => fails(broken.live, /still queued; it was to end/));
    broken.proxy.break(
      'GET /v1/runs/',
      withBody<RunObject>((run) => ({ ...run, steps: run.steps?.map((step) => ({ ...step, output: {} })) })),
    );
    await fails({ ...broken.live, patienceMs: 10_000 }, /What the steps gave/);
  },
);

sabotage(
  testSystem,
  'event.triggers',
  'a scheduler that sees no events, and an event that counts twice',
  async (fails) => {
    await broken.holding('scheduler', () => fails(broken.live, /Waited 1s for 1 run of the task/));
    broken.proxy.break(
      'POST /v1/events',
      withBody<object>((event) => ({ ...event, duplicate: false })),
    );
    await fails(broken.live, /Whether the second event is known is false/);
  },
);

sabotage(testSystem, 'stop.graceful', 'a system that was killed', async (fails) => {
  process.kill(broken.system.pid, 'SIGKILL');
  await fails(broken.live, /exit code of pao start local is null, expected 0/);
});
