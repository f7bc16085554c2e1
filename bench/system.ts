// The whole local system, as `pao start local` runs it: ready, start latency on an idle system, drain of a full queue, memory.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('..', import.meta.url).pathname;
const home = mkdtempSync(join(tmpdir(), 'pao-bench-'));
const RUNS = Number(process.env.PAO_BENCH_RUNS ?? 20_000);
const ROUNDS = 200;

const began = performance.now();
const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
const child = spawn(
  process.execPath,
  [join(root, 'bin', 'run.cjs'), 'start', 'local', '--port', '0', '--json'],
  {
    env: { ...env, PAO_HOME: home },
    stdio: ['ignore', 'pipe', 'inherit'],
  },
);
await new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
const readyMs = performance.now() - began;
const { url, token } = JSON.parse(readFileSync(join(home, 'credentials.json'), 'utf8')) as {
  url: string;
  token: string;
};

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

interface Run {
  id: string;
  created_at: string;
  started_at: string;
}

try {
  const pipeline = [{ id: 'one', uses: 'debug.echo', with: { text: '${task.name}' } }];
  await call('POST', '/v1/tasks', { name: 'idle', pipeline });
  const latencies: number[] = [];
  for (let index = 0; index < ROUNDS; index++) {
    const { id } = await call<Run>('POST', '/v1/tasks/idle/run', {});
    const run = await call<Run>('GET', `/v1/runs/${id}?wait=10s`);
    latencies.push(Date.parse(run.started_at) - Date.parse(run.created_at));
  }
  latencies.sort((a, b) => a - b);
  const memory = rssOfTree(child.pid as number);

  // One event that many tasks listen to: each makes its run through the scheduler, the queue and the workers.
  const listeners = 200;
  for (let index = 0; index < listeners; index++) {
    await call('POST', '/v1/tasks', {
      name: `listener-${index}`,
      schedule: { kind: 'event', topic: 'bench' },
      pipeline,
    });
  }
  const started = performance.now();
  for (let index = 0; index < RUNS / listeners; index++)
    await call('POST', '/v1/events', { topic: 'bench', payload: { index } });
  const drained = await waitForIdle(RUNS + ROUNDS);
  const seconds = (performance.now() - started) / 1000;
  console.log(
    JSON.stringify({
      bench: 'system',
      ready_ms: Math.round(readyMs),
      start_latency_ms: {
        p50: at(latencies, 0.5),
        p95: at(latencies, 0.95),
        p99: at(latencies, 0.99),
        n: ROUNDS,
      },
      drain: {
        runs: RUNS,
        seconds: Number(seconds.toFixed(2)),
        runs_per_second: Math.round(RUNS / seconds),
        succeeded: drained,
      },
      memory_mb: memory,
      load: loadavg()[0],
    }),
  );
} finally {
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
  rmSync(home, { recursive: true, force: true });
}

/** Waits until as many runs have succeeded as were asked for. @returns their number. */
async function waitForIdle(wanted: number): Promise<number> {
  const deadline = performance.now() + 120_000;
  for (;;) {
    const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    const text = await response.text();
    let done = 0;
    for (const match of text.matchAll(/^orchestrator_runs_total\{outcome="succeeded"[^}]*\} (\d+)$/gm))
      done += Number(match[1]);
    if (done >= wanted || performance.now() > deadline) return done;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function at(sorted: number[], quantile: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] as number;
}

/** Resident memory of a process and its children, MiB (Linux). */
function rssOfTree(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
  return (
    ([pid, ...children].reduce(
      (sum, id) => sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1] ?? 0),
      0,
    ) /
      1024) |
    0
  );
}
