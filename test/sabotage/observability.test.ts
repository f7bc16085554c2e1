import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll } from 'vitest';
import {
  type ObservedSystem,
  SECRET_NAME,
  startStub,
  type StubServer,
} from '../../src/checks/observability/context.js';
import { observability } from '../../src/checks/observability/suite.js';
import type { EphemeralSystem } from '../../src/checks/ephemeral-system.js';
import { installPrometheus } from '../../scripts/install-prometheus.mjs';
import { measureTelemetryCost } from '../../src/checks/in-process/telemetry-cost.js';
import { type Prometheus, startPrometheus } from '../../src/checks/observability/prometheus.js';
import { type BrokenSystem, startBrokenSystem } from './a-broken-system.js';
import { sabotage } from './sabotage.js';
import type { Sabotage } from './sabotage-proxy.js';

const packageRoot = fileURLToPath(new URL('../..', import.meta.url));
let broken: BrokenSystem;
let clocked: BrokenSystem;
let live: ObservedSystem;
let prometheus: Prometheus;
const secret = randomBytes(24).toString('base64url');

beforeAll(async () => {
  installPrometheus();
  const stub = await startStub();
  const env = { [`PAO_SECRET_${SECRET_NAME}`]: secret, OTEL_EXPORTER_OTLP_ENDPOINT: stub.url };
  broken = await startBrokenSystem({ workers: 2, env });
  clocked = await startBrokenSystem({ clock: '2026-11-24T06:00:00Z' });
  const withClock = () => Promise.resolve({ ...clocked.live, patienceMs: 5000 });
  prometheus = await startPrometheus({ ...broken.live, packageRoot });
  live = {
    ...broken.live,
    patienceMs: 5000,
    stub,
    packageRoot,
    secret,
    planted: {},
    withClock,
    telemetryCost: () => measureTelemetryCost(),
    prometheus: () => Promise.resolve(prometheus),
  };
});
afterAll(async () => {
  await prometheus?.close();
  await live?.stub.close();
  await broken?.close();
  await clocked?.close();
});
afterEach(() => {
  broken.proxy.mend();
  clocked.proxy.mend();
});

const withText =
  (change: (text: string) => string): Sabotage =>
  (answer) => ({ ...answer, body: change(answer.body) });

/** Every answer is the first one. */
function frozen(): Sabotage {
  let first: string | null = null;
  return (answer) => ({ ...answer, body: (first ??= answer.body) });
}

/** The package with something in it changed. */
async function withRules(change: (text: string) => string, work: (root: string) => Promise<void>) {
  const root = mkdtempSync(join(tmpdir(), 'pao-rules-'));
  try {
    cpSync(join(packageRoot, 'ops'), join(root, 'ops'), { recursive: true });
    cpSync(join(packageRoot, 'docs', 'runbooks'), join(root, 'docs', 'runbooks'), { recursive: true });
    const file = join(root, 'ops', 'prometheus', 'rules.yml');
    writeFileSync(file, change(readFileSync(file, 'utf8')));
    await work(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

sabotage(observability, 'metrics.exposition', 'a series that stands twice', async (fails) => {
  broken.proxy.break(
    'GET /metrics',
    withText((text) => text.replace(/^(orchestrator_tasks\{.*\n)/m, '$1$1')),
  );
  await fails(live, /stands twice/);
});

sabotage(
  observability,
  'metrics.catalogue',
  'a metric that is gone, and one nobody declared',
  async (fails) => {
    broken.proxy.break(
      'GET /metrics',
      withText((text) => text.replaceAll('orchestrator_dead_letter_depth', 'orchestrator_dead_letters_now')),
    );
    await fails(live, /dead_letter_depth is missing.*dead_letters_now is not declared/);
  },
);

sabotage(observability, 'metrics.http', 'a counter that stands still', async (fails) => {
  broken.proxy.break('GET /metrics', frozen());
  await fails(live, /moved the counter and the histogram by 0 and 0/);
});

sabotage(observability, 'metrics.runs', 'failures that are not counted', async (fails) => {
  broken.proxy.break(
    'GET /metrics',
    withText((text) => text.replace(/^.*outcome="http_5xx".*\n/gm, '')),
  );
  await fails(live, /What was counted/);
});

sabotage(observability, 'logs.followed', 'a line that is no JSON, and a silent scheduler', async (fails) => {
  const own = (change: (log: string) => string) =>
    ({ readLog: () => change(broken.system.readLog()) }) as unknown as EphemeralSystem;
  await fails({ ...live, own: own((log) => `oops\n${log}`) }, /A log line is no JSON: oops/);
  await fails(
    { ...live, patienceMs: 3000, own: own((log) => log.replace(/^.*"service":"scheduler".*\n/gm, '')) },
    /a line of each service about the run/,
  );
});

sabotage(observability, 'trace.continued', 'a tool that is not sent the trace', async (fails) => {
  const stub = { ...live.stub, requests: [] };
  await fails({ ...live, stub }, /The tool was not sent the trace/);
});

sabotage(
  observability,
  'trace.exported',
  'a span that is not exported, and a tool that is not sent the state of the trace',
  async (fails) => {
    const seeing = (change: (one: StubServer['requests'][number]) => StubServer['requests'][number]) => ({
      ...live,
      stub: {
        ...live.stub,
        get requests() {
          return live.stub.requests.map(change);
        },
      },
    });
    const without = (name: RegExp) =>
      seeing((one) =>
        one.path === '/v1/traces'
          ? { ...one, body: one.body.replace(name, '"spanId":"0000000000000000"') }
          : one,
      );
    await fails(without(/"spanId":"[0-9a-f]+"(?=[^{}]*"name":"execute_tool)/g), /"call [^"]+":"missing/);
    await fails(
      seeing((one) => ({ ...one, headers: { ...one.headers, tracestate: 'other=1' } })),
      /What the tool was sent/,
    );
  },
);

sabotage(
  observability,
  'secrets.hidden',
  'a secret in the log, and a tool that is not sent it',
  async (fails) => {
    const own = { readLog: () => `${broken.system.readLog()}{"msg":"${secret}"}`, output: '' };
    await fails({ ...live, own: own as unknown as EphemeralSystem }, /The secret stands in: log\./);
    await fails({ ...live, secret: 'another one' }, /was not sent the secret/);
  },
);

sabotage(observability, 'workers.heartbeat', 'a silent worker that is counted as alive', async (fails) => {
  clocked.proxy.break(
    'GET /metrics',
    withText((text) => text.replace(/^orchestrator_active_workers .*$/m, 'orchestrator_active_workers 1')),
  );
  await fails(live, /for a silent worker to be missed/);
});

sabotage(observability, 'queue.backlog', 'a lag that stands still', async (fails) => {
  clocked.proxy.break(
    'GET /metrics',
    withText((text) =>
      text.replace(/^orchestrator_scheduler_lag_seconds .*$/m, 'orchestrator_scheduler_lag_seconds 0'),
    ),
  );
  await fails(live, /for a backlog of 3 that is 30 s old/);
});

sabotage(observability, 'health.degraded', 'a queue that is well whatever waits in it', async (fails) => {
  let wasWell = false;
  clocked.proxy.break('GET /health', (answer) => {
    // What the tests before left in the queue may go first.
    wasWell ||= /"name":"queue","status":"pass"/.test(answer.body);
    if (!wasWell) return answer;
    const report = JSON.parse(answer.body) as { checks: { name: string; status: string }[] };
    const checks = report.checks.map((one) => (one.name === 'queue' ? { ...one, status: 'pass' } : one));
    return { ...answer, body: JSON.stringify({ ...report, checks }) };
  });
  await fails(live, /for the queue to be (warn|pass) in health/, { timeoutMs: 60_000 });
});

sabotage(observability, 'counters.kept', 'a counter that begins again with the new worker', async (fails) => {
  clocked.proxy.break(
    'GET /metrics',
    withText((text) =>
      /^orchestrator_worker_restarts_total\{.*reason="crash".*\} 0$/m.test(text)
        ? text
        : text.replace(/^(orchestrator_runs_total\{.*\}) [1-9]\d*$/gm, '$1 0'),
    ),
  );
  await fails(live, /Counters fell when a worker was killed: orchestrator_runs_total/);
});

sabotage(observability, 'cost.load', 'slow redaction, a dear scrape, and a chatty log', async (fails) => {
  const slow = (line: string) => pbkdf2Sync(line, 'salt', 4000, 16, 'sha256').toString('hex');
  await fails({ ...live, telemetryCost: () => measureTelemetryCost(slow) }, /line_us/, { timeoutMs: 60_000 });
  let seconds = 0;
  broken.proxy.break(
    'GET /metrics',
    withText((text) =>
      text.replace(/^(process_cpu_seconds_total) .*$/m, (_, name: string) => `${name} ${(seconds += 1)}`),
    ),
  );
  await fails(live, /scrape_ms/, { timeoutMs: 60_000 });
  broken.proxy.mend();
  const readLog = () =>
    broken.system.readLog().replace(/^.*"run_id".*$/gm, (line) => Array(200).fill(line).join('\n'));
  await fails({ ...live, own: { readLog } as unknown as EphemeralSystem }, /lines_per_run/, {
    timeoutMs: 60_000,
  });
});

sabotage(observability, 'rules.contract', 'a rule about a metric that nobody exposes', async (fails) => {
  await withRules(
    (text) => text.replace('orchestrator_dead_letter_depth', 'orchestrator_dead_letters'),
    (root) =>
      fails({ ...live, packageRoot: root }, /OrchestratorDeadLetters: names orchestrator_dead_letters/),
  );
});

sabotage(observability, 'rules.fire', 'a rule that never fires', async (fails) => {
  await withRules(
    (text) => text.replace('(orchestrator_dead_letter_depth) > 0', '(orchestrator_dead_letter_depth) > 1e9'),
    (root) => fails({ ...live, packageRoot: root }, /does not fire as it should/, { timeoutMs: 180_000 }),
  );
});

sabotage(observability, 'prometheus.scrapes', 'a Prometheus that scrapes another system', async (fails) => {
  await fails({ ...live, url: clocked.live.url, token: clocked.live.token }, /for a scrape of this system/);
});

sabotage(
  observability,
  'prometheus.rules',
  'a rule that is not loaded, and one that was changed',
  async (fails) => {
    await withRules(
      (text) => text.replace('alert: OrchestratorMisfires', 'alert: OrchestratorMissed'),
      (root) => fails({ ...live, packageRoot: root }, /has no rule OrchestratorMissed/),
    );
    await withRules(
      (text) => text.replace('_free_bytes < 1073741824', '_free_bytes < 1073741825'),
      (root) =>
        fails({ ...live, packageRoot: root }, /not as shipped: OrchestratorDiskLow\./, { status: 'warned' }),
    );
  },
);

sabotage(observability, 'prometheus.fires', 'a metric that does not tell of the failure', async (fails) => {
  broken.proxy.break(
    'GET /metrics',
    withText((text) => text.replace(/^orchestrator_failing_tasks .*$/m, 'orchestrator_failing_tasks 0')),
  );
  await fails({ ...live, patienceMs: 15_000 }, /OrchestratorTasksFailing to fire/, { timeoutMs: 90_000 });
});
