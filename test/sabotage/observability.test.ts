import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { type ObservedSystem, startStub } from '../../src/checks/observability/context.js';
import { observability } from '../../src/checks/observability/suite.js';
import type { EphemeralSystem } from '../../src/checks/ephemeral-system.js';
import { installPrometheus } from '../../scripts/install-prometheus.mjs';
import { type BrokenSystem, startBrokenSystem } from './a-broken-system.js';
import { sabotage } from './sabotage.js';
import type { Sabotage } from './sabotage-proxy.js';

const packageRoot = fileURLToPath(new URL('../..', import.meta.url));
let broken: BrokenSystem;
let live: ObservedSystem;

beforeAll(async () => {
  installPrometheus();
  broken = await startBrokenSystem({ workers: 2 });
  live = { ...broken.live, patienceMs: 5000, stub: await startStub(), packageRoot };
});
afterAll(async () => {
  await live?.stub.close();
  await broken?.close();
});
afterEach(() => broken.proxy.mend());

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

sabotage(observability, 'prometheus.fires', 'a metric that does not tell of the failure', async (fails) => {
  broken.proxy.break(
    'GET /metrics',
    withText((text) => text.replace(/^orchestrator_failing_tasks .*$/m, 'orchestrator_failing_tasks 0')),
  );
  await fails({ ...live, patienceMs: 15_000 }, /OrchestratorTasksFailing to fire/, { timeoutMs: 90_000 });
});
