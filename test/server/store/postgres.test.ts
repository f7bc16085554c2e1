import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { newId } from '../../../src/domain/ids.js';
import { openStore } from '../../../src/server/store/open.js';
import { parseInstant } from '../../../src/server/store/postgres/database.js';
import { openPostgresStore } from '../../../src/server/store/postgres/postgres-store.js';
import type { Store } from '../../../src/server/store/store.js';
import { CRON, endOf, leaseAs, runOf, seed, stepOf, T0 } from '../../contract/fixtures.js';
import { freePort } from '../../free-port.js';
import { type Cluster, startCluster, unprivileged } from '../../postgres/cluster.js';
import { createDatabase, sharedCluster, type TestDatabase } from '../../postgres/shared-cluster.js';
import { findPgBouncer } from '../../postgres/find-pgbouncer.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase('store');
});
afterAll(() => database.drop());

const DAY = 86_400_000;

describe('opening', () => {
  const problem = async (
    url: string,
  ): Promise<{ code: string; exitCode: number; message: string; hints: string[] }> =>
    openStore({ url, postgres: { connectTimeoutMs: 3000 } }).then(
      (store) => store.close().then(() => Promise.reject(new Error('it was opened'))),
      (error) => error,
    );

  test('ten starters at once migrate once', async () => {
    const stores = await Promise.all(Array.from({ length: 10 }, () => openStore({ url: database.url })));
    const results = await Promise.all(stores.map((store) => store.migrate(T0)));
    const wanted = (await (stores[0] as Store).schemaVersion()).wanted;
    expect(results.filter(({ from }) => from === 0)).toHaveLength(1);
    expect(results.map(({ to }) => to)).toEqual(Array.from({ length: 10 }, () => wanted));
    const { rows } = await database.admin.query('SELECT version FROM schema_migration');
    expect(rows).toHaveLength(wanted);
    for (const store of stores) await store.close();
  });

  test('a server that is not there is named with host, port, reason and what to type', async () => {
    const port = await freePort();
    const error = await problem(`postgres://me:hunter2@127.0.0.1:${port}/pao`);
    expect(error).toMatchObject({ code: 'PAO_STORE_UNREACHABLE', exitCode: 3 });
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(error.message).toContain('ECONNREFUSED');
    expect(error.hints[0]).toBe(`pg_isready --host 127.0.0.1 --port ${port}`);
    expect(JSON.stringify({ ...error })).not.toContain('hunter2');
  });

  test('one that takes the connection and says nothing is given up', async () => {
    const { createServer } = await import('node:net');
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const error = await problem(`postgres://me@127.0.0.1:${port}/pao`);
    expect(error).toMatchObject({ code: 'PAO_STORE_UNREACHABLE', exitCode: 3 });
    silent.close();
  });

  test('a database, a user or a right that is missing is named', async () => {
    const url = new URL(database.url);
    url.pathname = '/not_there';
    expect(await problem(url.href)).toMatchObject({
      code: 'PAO_STORE_NO_DATABASE',
      exitCode: 3,
      hints: [expect.stringContaining('createdb')],
    });
    url.pathname = new URL(database.url).pathname;
    url.username = 'nobody_known';
    expect(await problem(url.href)).toMatchObject({ code: 'PAO_STORE_AUTH', exitCode: 3 });
    const role = `reader_${process.pid}`;
    await database.admin.query(`CREATE ROLE ${role} LOGIN`);
    url.username = role;
    const store = await openStore({ url: url.href, readonly: true });
    await expect(store.getMeta('a')).rejects.toMatchObject({ code: 'PAO_STORE_PERMISSION', exitCode: 3 });
    await store.close();
    await database.admin.query(`DROP ROLE ${role}`);
  });

  test('a database of a newer program is refused', async () => {
    await expect(
      openPostgresStore({ url: database.url, durability: 'full', readonly: false }, []),
    ).rejects.toMatchObject({ code: 'PAO_STORE_NEWER', exitCode: 3 });
  });

  test('the password is not in what is shown', async () => {
    const url = new URL(database.url);
    url.password = 'hunter2';
    const store = await openStore({ url: url.href });
    expect(store.location).not.toContain('hunter2');
    expect(store.location).toContain(url.pathname);
    await store.close();
  });
});

test('instants are read in any zone, to the millisecond', () => {
  const at = Date.UTC(2026, 0, 5, 8, 9, 10, 123);
  expect(parseInstant('2026-01-05 08:09:10.123+00')).toBe(at);
  expect(parseInstant('2026-01-05 13:39:10.123+05:30')).toBe(at);
  expect(parseInstant('2026-01-04 22:09:10.123-10')).toBe(at);
  expect(parseInstant('2026-01-05 08:09:10+00')).toBe(at - 123);
  expect(parseInstant('1969-12-31 23:59:59.999+00')).toBe(-1);
});

test('a scheduler that leaves word of missed occurrences while another does keeps the word of both', async () => {
  const store = await openStore({ url: database.url });
  await store.migrate(T0);
  await seed(store, { schedule: CRON }, { nextDueAt: T0 });
  const other = new pg.Client({ connectionString: database.url });
  await other.connect();
  await other.query('BEGIN');
  await other.query('INSERT INTO meta (key, value) VALUES ($1, $2)', [
    'missed',
    JSON.stringify({ since: T0 - 9, until: T0 + 9 }),
  ]);
  const scheduled = store.scheduleDue({
    now: T0,
    limit: 10,
    decide: () => ({
      runs: [runOf({ status: 'missed', trigger: 'schedule', scheduledFor: T0 - 1 })],
      nextDueAt: T0 + DAY,
    }),
  });
  await vi.waitFor(async () => {
    const { rows } = await database.admin.query(
      "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    expect(rows).not.toEqual([]);
  }, 20_000);
  await other.query('COMMIT');
  expect(await scheduled).toMatchObject({ missed: 1 });
  expect(JSON.parse((await store.getMeta('missed')) as string)).toEqual({ since: T0 - 9, until: T0 + 9 });
  await other.end();
  await store.close();
});

describe('limits', () => {
  test('a statement that waits for a lock is given up in time, and says so', async () => {
    const store = await openStore({ url: database.url, postgres: { lockTimeoutMs: 200 } });
    const { task } = await seed(store);
    const blocker = new pg.Client({ connectionString: database.url });
    await blocker.connect();
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE due_work IN ACCESS EXCLUSIVE MODE');
    await expect(store.cancelRunsOfTask(task.id, 'x', T0)).rejects.toMatchObject({
      code: 'PAO_STORE_TIMEOUT',
      status: 503,
    });
    await blocker.end();
    expect(await store.cancelRunsOfTask(task.id, 'x', T0)).toEqual({ cancelRequested: [], canceled: [] });
    await store.close();
  });

  test('a text with U+0000 is refused as input, and nothing else fails with it', async () => {
    const store = await openStore({ url: database.url });
    const { task } = await seed(store);
    const [fine, bad] = await Promise.allSettled([
      store.createRun({ taskId: task.id, run: runOf({ params: { text: 'a\u0000b' } }), now: T0 }),
      store.createRun({ taskId: task.id, run: runOf({ dedupeKey: 'a\u0000b' }), now: T0 }),
    ]);
    expect(fine).toMatchObject({ status: 'fulfilled', value: { params: { text: 'a\u0000b' } } });
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'PAO_INPUT_INVALID', status: 422 } });
    await store.close();
  });

  test('connections that are cut are replaced, and what was asked meanwhile is answered', async () => {
    const store = await openStore({ url: database.url });
    await store.setMeta('cut', '1');
    for (let round = 0; round < 5; round++) {
      await database.admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pao' AND datname = current_database()",
      );
      expect(await store.getMeta('cut')).toBe('1');
    }
    await store.close();
  });
});

describe('history', () => {
  test('a week whose runs are all over and old is dropped whole; one with a run under way is not', async () => {
    const store = await openStore({ url: database.url });
    const { task } = await seed(store);
    const weeks = async () =>
      (
        await database.admin.query<{ name: string }>(
          "SELECT relname AS name FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'run'::regclass ORDER BY 1",
        )
      ).rows.map(({ name }) => name);
    const make = async (at: number) => {
      const run = await store.createRun({
        taskId: task.id,
        run: runOf({ scheduledFor: at, runAt: at }),
        now: at,
      });
      const [leased] = await leaseAs(store, { now: at });
      return { run, leased: leased! };
    };
    const long = Date.UTC(2025, 0, 6, 12);
    const first = await make(long);
    await store.complete(
      [endOf(first.leased, { finishedAt: long, steps: [stepOf()], status: 'failed' })],
      long,
    );
    const second = await make(long + 7 * DAY);
    expect(await weeks()).toContain('run_p20250106');
    const bounds = {
      runsBefore: long + 21 * DAY,
      eventsBefore: 0,
      answersBefore: 0,
      tokensBefore: 0,
      limit: 100,
    };
    expect(await store.prune(bounds)).toBe(1);
    expect(await weeks()).not.toContain('run_p20250106');
    expect(await weeks()).toContain('run_p20250113');
    expect(await store.getRun(first.run.id)).toBeNull();
    expect((await store.listRuns({ taskId: task.id, statuses: ['failed'], limit: 10 })).items).toEqual([]);
    expect((await store.getRun(second.run.id))?.status).toBe('running');
    await store.complete([endOf(second.leased, { finishedAt: long + 7 * DAY })], T0);
    expect(await store.prune(bounds)).toBe(1);
    expect(await weeks()).not.toContain('run_p20250113');
    // Another process that knew the week makes it again when it is needed.
    const again = await make(long);
    expect(again.run.scheduledFor).toBe(long);
    await store.complete([endOf(again.leased)], T0);
    await store.close();
  });

  test('partitions for the weeks to come are there before they are needed', async () => {
    const store = await openStore({ url: database.url });
    const { task } = await seed(store);
    const now = Date.UTC(2031, 4, 7);
    await store.createRun({ taskId: task.id, run: runOf({ scheduledFor: now }), now });
    const { rows } = await database.admin.query<{ name: string }>(
      "SELECT relname AS name FROM pg_class WHERE relname LIKE 'run_p2031%' AND relkind = 'r' ORDER BY 1",
    );
    expect(rows.map(({ name }) => name)).toEqual(['run_p20310505', 'run_p20310512', 'run_p20310519']);
    await store.close();
  });
});

describe('the database goes away', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.remove());

  test('killed and started again: what was acknowledged is there, nobody hangs, a lost lease is not taken for a new one', async () => {
    const store = await openStore({ url: cluster.url });
    await store.migrate(T0);
    const { task } = await seed(store);
    const runs = await Promise.all(
      Array.from({ length: 20 }, () => store.createRun({ taskId: task.id, run: runOf(), now: T0 })),
    );
    const leased = await leaseAs(store, { limit: 10 });
    await cluster.kill();
    const began = performance.now();
    await expect(store.getRun(runs[0]?.id as string)).rejects.toMatchObject({
      code: 'PAO_STORE_UNREACHABLE',
      status: 503,
    });
    expect(performance.now() - began).toBeLessThan(30_000);
    await cluster.start();
    expect((await store.listRuns({ limit: 100 })).items).toHaveLength(20);
    // Whether the lease survived or not: each run is completed once, by whoever has it now.
    const other = await openStore({ url: cluster.url });
    const theirs = await leaseAs(other, { workerId: 'w2', limit: 100 });
    const { fenced } = await store.complete(
      leased.map((one) => endOf(one)),
      T0,
    );
    const taken = new Set(theirs.map(({ run }) => run.id));
    expect(fenced.sort()).toEqual(
      leased
        .map(({ run }) => run.id)
        .filter((id) => taken.has(id))
        .sort(),
    );
    expect(
      await other.complete(
        theirs.map((one) => endOf(one)),
        T0,
      ),
    ).toEqual({ fenced: [] });
    expect((await store.listRuns({ statuses: ['succeeded'], limit: 100 })).items).toHaveLength(20);
    await other.close();
    await store.close();
  });
});

describe('through PgBouncer in transaction mode', () => {
  let bouncer: ChildProcess;
  let folder: string;
  let store: Store;
  beforeAll(async () => {
    const direct = new URL(await sharedCluster());
    const port = await freePort();
    const identity = unprivileged();
    folder = mkdtempSync(join(tmpdir(), 'pao-bouncer-'));
    const ini = join(folder, 'pgbouncer.ini');
    writeFileSync(
      ini,
      `[databases]
* = host=${direct.hostname} port=${direct.port} user=${direct.username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
`,
    );
    if (identity.uid !== undefined)
      for (const path of [folder, ini]) chownSync(path, identity.uid, identity.gid as number);
    bouncer = spawn(findPgBouncer(), [ini], { ...identity, stdio: ['ignore', 'ignore', 'pipe'] });
    const url = new URL(database.url);
    url.port = String(port);
    bouncer.stderr?.resume();
    for (;;) {
      try {
        store = await openStore({ url: url.href, postgres: { connectTimeoutMs: 30_000 } });
        break;
      } catch (error) {
        if (bouncer.exitCode !== null) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  });
  afterAll(async () => {
    await store.close();
    bouncer.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  test('many at once share its few connections: every run is made, leased and ended once', async () => {
    const { task } = await seed(store);
    const made = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        store.createRun({ taskId: task.id, run: runOf(), now: T0 + (n % 7) }),
      ),
    );
    const leased = (
      await Promise.all(Array.from({ length: 8 }, (_, n) => leaseAs(store, { workerId: `b${n}`, limit: 25 })))
    ).flat();
    const ids = leased.map(({ run }) => run.id).filter((id) => made.some((run) => run.id === id));
    expect(ids.sort()).toEqual(made.map(({ id }) => id).sort());
    const ends = await Promise.all(
      leased.map((one) => store.complete([endOf(one, { steps: [stepOf()] })], T0)),
    );
    expect(ends.flatMap(({ fenced }) => fenced)).toEqual([]);
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        store.appendAudit({ at: T0, actor: 'system', action: `a${n}`, target: null, details: {} }),
      ),
    );
    const event = await store.publishEvent({
      id: newId('evt', T0),
      topic: 'a',
      payload: null,
      dedupeKey: null,
      agentId: 'a',
      createdAt: T0,
    });
    expect(event.duplicate).toBe(false);
    expect((await store.stats(T0)).undispatchedEvents).toBeGreaterThan(0);
  });
});
