import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { newId } from '../src/domain/ids.js';
import { openStore } from '../src/server/store/open.js';
import { endOf, runOf, seed, stepOf } from '../test/contract/fixtures.js';
import { startCluster } from '../test/postgres/cluster.js';

/*
 * PostgreSQL: what the store alone can do, the whole path through `pao start local` with two workers, and beside them
 * graphile-worker on no-op jobs, A B A B on one server: `npm run bench postgres`. PAO_BENCH_RUNS changes the number of
 * runs, PAO_BENCH_DATABASE_URL the server (it must be allowed to make databases). Prints one JSON document.
 */

/** As many as the peers had (performance.md): with fewer, the start of the system is most of what is measured. */
const RUNS = Number(process.env.PAO_BENCH_RUNS ?? 50_000);
const ROUNDS = Number(process.env.PAO_BENCH_ROUNDS ?? 2);
const LATENCIES = 100;
const root = new URL('..', import.meta.url).pathname;
const peers = join(root, 'bench', 'peers');

const given = process.env.PAO_BENCH_DATABASE_URL;
const cluster = given === undefined ? await startCluster({ settings: { shared_buffers: '512MB' } }) : null;
const server = given ?? (cluster?.url as string);
if (!existsSync(join(peers, 'node_modules', 'graphile-worker'))) {
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock'], {
    cwd: peers,
    stdio: 'pipe',
  });
}
const { NODE_EXTRA_CA_CERTS: _, DATABASE_URL: _url, ...env } = process.env;

try {
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const load = loadavg()[0];
    rounds.push({
      load,
      store: await inDatabase(rawCycle),
      pao: await inDatabase(wholePath),
      graphile_worker: await inDatabase(graphileWorker),
    });
  }
  const medianOf = (pick: (round: Round) => number) => {
    const sorted = rounds.map(pick).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] as number;
  };
  const peer = medianOf(({ graphile_worker }) => graphile_worker.per_second);
  const ratio = (perSecond: number) => Math.round((perSecond / peer) * 100) / 100;
  console.log(
    JSON.stringify(
      {
        bench: 'postgres',
        node: process.version,
        server: await versionOf(server),
        machine: { cpus: cpus().length, load_after: loadavg()[0] },
        runs: RUNS,
        rounds,
        ratio_to_graphile_worker: {
          store: ratio(medianOf(({ store }) => store.per_second)),
          pao: ratio(medianOf(({ pao }) => pao.per_second)),
          target: 0.25,
          aim: 1.5,
        },
      },
      null,
      2,
    ),
  );
} finally {
  await cluster?.remove();
}

interface Round {
  /** The machine's load average when it began. */
  load: number | undefined;
  store: Awaited<ReturnType<typeof rawCycle>>;
  pao: Awaited<ReturnType<typeof wholePath>>;
  graphile_worker: Awaited<ReturnType<typeof graphileWorker>>;
}

/** Lease, step and result recorded, work deleted; batches of 500, two at a time. */
async function rawCycle(url: string) {
  await queueRuns(url, RUNS);
  const store = await openStore({ url });
  const wal = await walBytes(url);
  const cpu = process.cpuUsage();
  const began = performance.now();
  const work = async (workerId: string) => {
    for (;;) {
      const now = Date.now();
      const leased = await store.lease({ workerId, now, limit: 500, leaseMs: 60_000, tags: [] });
      if (leased.length === 0) return;
      await store.complete(
        leased.map((one) => endOf(one, { steps: [stepOf()], output: { text: 'hello' }, finishedAt: now })),
        now,
      );
    }
  };
  await Promise.all([work('a'), work('b')]);
  const seconds = (performance.now() - began) / 1000;
  const used = process.cpuUsage(cpu);
  await store.close();
  return {
    per_second: Math.round(RUNS / seconds),
    worker_cpu_us: Math.round((used.user + used.system) / RUNS),
    wal_bytes_per_run: Math.round(((await walBytes(url)) - wal) / RUNS),
  };
}

/** Runs that are queued when the system starts, drained by two workers; then one run after the other on the idle system. */
async function wholePath(url: string) {
  const taskId = await queueRuns(url, RUNS);
  const home = mkdtempSync(join(tmpdir(), 'pao-bench-'));
  const child = spawn(
    process.execPath,
    [join(root, 'bin', 'run.cjs'), 'start', 'local', '--port', '0', '--json'],
    {
      env: { ...env, PAO_HOME: home, DATABASE_URL: url },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const drain = `SELECT count(*)::integer AS done, min(started_at) AS began, max(finished_at) AS ended
      FROM run WHERE status = 'succeeded'`;
    let row: { done: number; began: Date; ended: Date };
    do {
      await new Promise((resolve) => setTimeout(resolve, 500));
      if (child.exitCode !== null) throw new Error(`pao start local ended with ${child.exitCode}`);
      row = (await client.query(drain)).rows[0];
    } while (row.done < RUNS);
    const seconds = (row.ended.getTime() - row.began.getTime()) / 1000;
    const credentials = join(home, 'credentials.json');
    while (!existsSync(join(home, 'run', 'server.json')))
      await new Promise((resolve) => setTimeout(resolve, 100));
    const { url: api, token } = JSON.parse(readFileSync(credentials, 'utf8')) as {
      url: string;
      token: string;
    };
    const latencies: number[] = [];
    for (let index = 0; index < LATENCIES; index++) {
      const response = await fetch(`${api}/v1/tasks/${taskId}/run?wait=10s`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: '{}',
      });
      const run = (await response.json()) as { created_at: string; started_at: string };
      latencies.push(Date.parse(run.started_at) - Date.parse(run.created_at));
    }
    latencies.sort((a, b) => a - b);
    const at = (share: number) => latencies[Math.floor((latencies.length - 1) * share)] as number;
    return {
      per_second: Math.round(RUNS / seconds),
      start_latency_ms: { p50: at(0.5), p95: at(0.95), p99: at(0.99), n: LATENCIES },
    };
  } finally {
    await client.end();
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('exit', resolve));
    rmSync(home, { recursive: true, force: true });
  }
}

async function graphileWorker(url: string): Promise<{ per_second: number; worker_cpu_us: number }> {
  const output = execFileSync(process.execPath, [join(peers, 'graphile-worker.mjs'), url, String(RUNS)], {
    env,
    maxBuffer: 1e8,
    stdio: ['ignore', 'pipe', 'inherit'],
  }).toString();
  return JSON.parse(output.trim().split('\n').at(-1) as string);
}

/** @returns the id of the task whose runs they are. */
async function queueRuns(url: string, count: number): Promise<string> {
  const now = Date.now();
  const store = await openStore({ url });
  await store.migrate(now);
  const { task } = await seed(store, {
    pipeline: [{ id: 'one', uses: 'debug.echo', with: { text: 'hello' } }] as never,
  });
  for (let at = 0; at < count; at += 2000) {
    await Promise.all(
      Array.from({ length: Math.min(2000, count - at) }, () =>
        store.createRun({
          taskId: task.id,
          run: runOf({ id: newId('run', now), runAt: now, scheduledFor: now }),
          now,
        }),
      ),
    );
  }
  await store.close();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('VACUUM ANALYZE');
  await client.end();
  return task.id;
}

async function inDatabase<T>(job: (url: string) => Promise<T>): Promise<T> {
  const name = `bench_${process.pid}_${Math.random().toString(36).slice(2, 8)}`;
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  try {
    return await job(url.href);
  } finally {
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await admin.end();
  }
}

async function walBytes(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ bytes: string }>(
    "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS bytes",
  );
  await client.end();
  return Number(rows[0]?.bytes);
}

async function versionOf(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
  await client.end();
  return `PostgreSQL ${rows[0]?.server_version}`;
}
