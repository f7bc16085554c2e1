import { statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeBackup } from '../../../src/server/maintenance/backup.js';
import { restoreBackup } from '../../../src/server/maintenance/restore.js';
import { restorePlace } from '../../../src/server/maintenance/restore-place.js';
import { openStore } from '../../../src/server/store/open.js';
import type { Store } from '../../../src/server/store/store.js';
import { CRON, runOf, seed, T0 } from '../../contract/fixtures.js';
import { createDatabase, type TestDatabase as PostgresDatabase } from '../../postgres/shared-cluster.js';
import { aDatabase, type TestDatabase } from './a-database.js';

const HOUR = 3_600_000;
const { signal } = new AbortController();
let postgres: PostgresDatabase;
let folder: TestDatabase;
let file: string;

beforeEach(async () => {
  [postgres, folder] = await Promise.all([createDatabase('restore'), aDatabase()]);
  file = join(folder.home, 'copy.dump');
  // Nobody may be connected to what is replaced.
  await postgres.admin.end();
  await use((store) => store.migrate(T0));
});
afterEach(async () => {
  folder.remove();
  await postgres.drop();
});

async function use<T>(work: (store: Store) => Promise<T>, url = postgres.url): Promise<T> {
  const store = await openStore({ url });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

const restore = (resumeFrom: 'now' | null, now = T0 + 2 * HOUR + 1, url = postgres.url) =>
  restoreBackup({
    place: restorePlace({ file, url, now }),
    url,
    now,
    misfireAfterMs: 60_000,
    resumeFrom,
    signal,
  });

async function databases(): Promise<string[]> {
  const client = new pg.Client({ connectionString: beside('postgres') });
  await client.connect();
  try {
    const name = new URL(postgres.url).pathname.slice(1);
    const { rows } = await client.query<{ datname: string }>(
      'SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY 1',
      [name],
    );
    return rows.map(({ datname }) => datname.slice(name.length));
  } finally {
    await client.end();
  }
}

function beside(name: string, user?: string): string {
  const url = new URL(postgres.url);
  url.pathname = `/${name}`;
  if (user !== undefined) url.username = user;
  return url.href;
}

async function drop(name: string): Promise<void> {
  const client = new pg.Client({ connectionString: beside('postgres') });
  await client.connect();
  await client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
  await client.end();
}

test('a dump takes the place of the database, which is kept beside it; what came due meanwhile is left out', async () => {
  const { task } = await use((store) =>
    seed(store, { schedule: { ...CRON, expr: '0 * * * *' } }, { nextDueAt: T0 + HOUR }),
  );
  const queued = await use((store) => store.createRun({ taskId: task.id, run: runOf(), now: T0 }));
  await makeBackup({ url: postgres.url, file, now: T0, replace: false, signal });
  const later = await use((store) => seed(store, {}, { updatedAt: T0 + HOUR }));

  // It may have been done already: a word is wanted first, and nothing is changed, nor left behind.
  await expect(restore(null)).rejects.toMatchObject({ code: 'PAO_RESTORE_CHOICE', exitCode: 2 });
  expect(await databases()).toEqual(['']);
  expect(await use((store) => store.getTask(later.task.id))).not.toBeNull();

  const result = await restore('now');
  expect(result).toMatchObject({ resumeFrom: 'now', lost: { tasks: 1 } });
  expect(await databases()).toEqual(['', '_replaced_20260105t100000z']);
  await use(async (store) => {
    expect(await store.getTask(later.task.id)).toBeNull();
    expect((await store.getTask(task.id))?.nextDueAt).toBe(T0 + 3 * HOUR);
    expect(await store.getRun(queued.id)).toMatchObject({ status: 'canceled', reason: 'restored' });
    const { items } = await store.listRuns({ taskId: task.id, statuses: ['missed'], limit: 10 });
    expect(items.map(({ reason }) => reason)).toEqual(['restored', 'restored']);
    expect((await store.listAudit({ limit: 1 })).items[0]?.action).toBe('database.restored');
    // What is restored is a database like any other: partitions, functions and triggers came along.
    await store.createRun({ taskId: task.id, run: runOf({ id: 'run_new' }), now: T0 + 3 * HOUR });
    expect(
      await store.lease({ workerId: 'w', now: T0 + 3 * HOUR, limit: 9, leaseMs: 1000, tags: [] }),
    ).toHaveLength(1);
  });
  const kept = decodeURIComponent(new URL(result.replaced as string).pathname.slice(1));
  expect(await use((store) => store.getTask(later.task.id), beside(kept))).not.toBeNull();
  await drop(kept);
});

test('a database that is gone is made anew', async () => {
  await makeBackup({ url: postgres.url, file, now: T0, replace: false, signal });
  await drop(new URL(postgres.url).pathname.slice(1));
  expect(await restore(null)).toMatchObject({ replaced: null, lost: null });
  expect(await databases()).toEqual(['']);
  await use(async (store) => expect((await store.schemaVersion()).current).toBeGreaterThan(0));
});

test('nothing is changed when somebody is connected, when the user may not, or when the file is damaged or of another engine', async () => {
  await makeBackup({ url: postgres.url, file, now: T0, replace: false, signal });
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await expect(restore(null)).rejects.toMatchObject({
    code: 'PAO_STORE_IN_USE',
    exitCode: 3,
    message: expect.stringMatching(/There is 1 other session using the database\. Nothing was changed\.$/),
  });
  const role = `guest_${process.pid}`;
  await client.query(`CREATE ROLE ${role} LOGIN`);
  try {
    const url = beside(new URL(postgres.url).pathname.slice(1), role);
    await expect(restore(null, T0, url)).rejects.toMatchObject({
      code: 'PAO_RESTORE_FORBIDDEN',
      exitCode: 4,
      hints: [expect.stringContaining(`ALTER ROLE ${role} CREATEDB`), expect.stringContaining('pg_restore')],
    });
  } finally {
    await client.query(`DROP ROLE ${role}`);
    await client.end();
  }
  expect(await databases()).toEqual(['']);
  truncateSync(file, statSync(file).size - 2000);
  await expect(restore(null)).rejects.toMatchObject({ code: 'PAO_BACKUP_UNFIT' });
  expect(await databases()).toEqual(['']);
  expect(() => restorePlace({ file: folder.path, url: postgres.url, now: T0 })).toThrow(
    /is an SQLite database/,
  );
  expect(() => restorePlace({ file, url: folder.url, now: T0 })).toThrow(/is a dump of PostgreSQL/);
});
