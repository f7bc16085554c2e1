import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { machine, type RunningSystem, startSystem } from '../src/checks/bench/running-system.js';
import { openStore } from '../src/server/store/open.js';
import { loadDriver } from '../src/server/store/sqlite/open.js';
import { CRON, seed } from '../test/contract/fixtures.js';
import { startCluster } from '../test/postgres/cluster.js';

/*
 * How little the number of tasks matters: a system with a thousand stored tasks and one with a million, first idle, then
 * with many of them due in the same minute, on both engines. PAO_BENCH_TASKS, PAO_BENCH_DUE and PAO_BENCH_ENGINES
 * (`sqlite,postgres`) change what is measured. Prints one JSON document.
 */

const TASKS = Number(process.env['PAO_BENCH_TASKS'] ?? 1_000_000);
const DUE = Number(process.env['PAO_BENCH_DUE'] ?? 100_000);
const FEW = 1_000;
const IDLE_SECONDS = 10;
const FAR = Date.UTC(2040, 0, 1);
const packageRoot = fileURLToPath(new URL('..', import.meta.url));
const { signal } = new AbortController();

/** What a measurement does to a database past the store: a million tasks one by one would take an hour. */
interface Direct {
  url: string;
  /** Copies the one task that is there, so that there are so many. */
  copyTask(total: number): Promise<void>;
  makeDue(count: number, at: number): Promise<void>;
  finished(): Promise<number>;
  remove(): Promise<void>;
}

const engines: Record<string, () => Promise<Direct>> = { sqlite: onSqlite, postgres: onPostgres };
const wanted = (process.env['PAO_BENCH_ENGINES'] ?? 'sqlite,postgres').split(',');
const results = [];
for (const engine of wanted) {
  for (const tasks of [FEW, TASKS]) results.push({ engine, tasks, ...(await measure(engine, tasks)) });
}
console.log(JSON.stringify({ bench: 'tasks', node: process.version, results }, null, 2));

async function measure(engine: string, tasks: number) {
  const database = await (engines[engine] as () => Promise<Direct>)();
  try {
    const store = await openStore({ url: database.url });
    await store.migrate(Date.now());
    await seed(
      store,
      {
        schedule: { ...CRON, expr: '0 0 1 1 *' },
        pipeline: [{ id: 'one', uses: 'debug.echo', with: { text: 'hello' } }] as never,
      },
      { nextDueAt: FAR },
    );
    await store.close();
    await database.copyTask(tasks);
    const before = machine();
    const system = await startSystem({ packageRoot, signal, env: { DATABASE_URL: database.url } });
    try {
      await pause(2000);
      const cpu = Number(system.cpuMs());
      await pause(IDLE_SECONDS * 1000);
      const idle = {
        cpu_percent: round((Number(system.cpuMs()) - cpu) / IDLE_SECONDS / 10),
        ...system.memory(),
      };
      return {
        machine: before,
        ready_ms: Math.round(system.readyMs),
        idle,
        due: await drain(system, database, tasks),
      };
    } finally {
      await system.stop();
    }
  } finally {
    await database.remove();
  }
}

/** Makes tasks due in the same minute and waits for the end of their runs; asks the API for something meanwhile. */
async function drain(system: RunningSystem, database: Direct, tasks: number) {
  const due = Math.min(DUE, tasks);
  const began = performance.now();
  await database.makeDue(due, Date.now());
  const asked: number[] = [];
  const draining = { goesOn: true, pss: 0 };
  const client = (async () => {
    while (draining.goesOn) {
      const start = performance.now();
      await system.call('GET', '/v1/tasks?limit=20');
      asked.push(performance.now() - start);
      draining.pss = Math.max(draining.pss, system.memory()?.pss_mb ?? 0);
      await pause(100);
    }
  })();
  while ((await database.finished()) < due) {
    if (performance.now() - began > 30 * 60_000) throw new Error(`${due} runs did not end within 30 minutes`);
    await pause(500);
  }
  const seconds = (performance.now() - began) / 1000;
  draining.goesOn = false;
  await client;
  asked.sort((a, b) => a - b);
  const at = (share: number) => round(asked[Math.floor((asked.length - 1) * share)] ?? 0);
  return {
    runs: due,
    seconds: round(seconds),
    runs_per_second: Math.round(due / seconds),
    most_pss_mb: draining.pss,
    task_list_ms: { p50: at(0.5), p99: at(0.99), n: asked.length },
  };
}

async function onSqlite(): Promise<Direct> {
  const directory = mkdtempSync(join(tmpdir(), 'pao-bench-tasks-'));
  const path = join(directory, 'tasks.db');
  const use = <T>(work: (connection: InstanceType<ReturnType<typeof loadDriver>>) => T): T => {
    const connection = new (loadDriver())(path, { timeout: 60_000 });
    try {
      return work(connection);
    } finally {
      connection.close();
    }
  };
  return {
    url: `sqlite:${path}`,
    copyTask: async (total) =>
      use((connection) => {
        connection.transaction(() => {
          connection
            .prepare(
              `WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
               INSERT INTO task (id, agent_seq, name, search_text, version, state, scopes, timed, next_due_at, created_by, created_at, updated_at)
               SELECT printf('tsk_%032x', i), agent_seq, 'copy-' || i, 'copy-' || i, version, state, scopes, timed, next_due_at, created_by, created_at, updated_at
               FROM n, task WHERE seq = 1`,
            )
            .run(total);
          connection.exec(
            `INSERT INTO task_version SELECT task.seq, 1, spec, changed_by, changed_at
             FROM task, task_version first WHERE first.task_seq = 1 AND task.seq > 1`,
          );
        })();
      }),
    makeDue: async (count, at) =>
      use((connection) => {
        connection.prepare('UPDATE task SET next_due_at = ? WHERE seq <= ?').run(at, count);
      }),
    finished: async () =>
      use(
        (connection) =>
          (
            connection.prepare("SELECT count(*) AS count FROM run WHERE status = 'succeeded'").get() as {
              count: number;
            }
          ).count,
      ),
    remove: async () => rmSync(directory, { recursive: true, force: true }),
  };
}

async function onPostgres(): Promise<Direct> {
  const cluster = await startCluster({ settings: { shared_buffers: '512MB' } });
  const client = new pg.Client({ connectionString: cluster.url });
  await client.connect();
  return {
    url: cluster.url,
    async copyTask(total) {
      await client.query(
        `INSERT INTO task (id, agent_seq, name, search_text, version, state, scopes, timed, next_due_at, created_by, created_at, updated_at)
         SELECT 'tsk_' || lpad(to_hex(i), 32, '0'), agent_seq, 'copy-' || i, 'copy-' || i, version, state, scopes, timed, next_due_at, created_by, created_at, updated_at
         FROM generate_series(2, $1::integer) AS i, task WHERE seq = 1`,
        [total],
      );
      await client.query(
        `INSERT INTO task_version SELECT task.seq, 1, spec, changed_by, changed_at
         FROM task, task_version first WHERE first.task_seq = 1 AND task.seq > 1`,
      );
      await client.query('VACUUM ANALYZE');
    },
    async makeDue(count, at) {
      await client.query('UPDATE task SET next_due_at = pao_at($1) WHERE seq <= $2', [at, count]);
    },
    async finished() {
      const { rows } = await client.query<{ count: number }>(
        "SELECT count(*)::integer AS count FROM run WHERE status = 'succeeded'",
      );
      return rows[0]?.count ?? 0;
    },
    async remove() {
      await client.end();
      await cluster.remove();
    },
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
