import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrateDatabase, tryMigration } from '../../../src/server/maintenance/migrate.js';
import {
  compactDatabase,
  countPrunable,
  pruneBounds,
  pruneDatabase,
} from '../../../src/server/maintenance/prune.js';
import { SQLITE_MIGRATIONS } from '../../../src/server/store/sqlite/migrate.js';
import { openSqliteStore } from '../../../src/server/store/sqlite/sqlite-store.js';
import { lockDataDirectory } from '../../../src/server/supervisor/data-lock.js';
import { runOf, seed, T0 } from '../../contract/fixtures.js';
import { aDatabase, type TestDatabase } from './a-database.js';

const DAY = 86_400_000;
const RETENTION = { runs: '90d', events: '30d' };
const { signal } = new AbortController();
let database: TestDatabase;

beforeEach(async () => {
  database = await aDatabase();
});
afterEach(() => database.remove());

describe('pruning', () => {
  test('deletes what it said it would, and what has not ended stays', async () => {
    await database.use(async (store) => {
      const { task } = await seed(store);
      const run = (id: string, status: 'skipped' | 'queued', now: number) =>
        store.createRun({ taskId: task.id, run: runOf({ id, status }), now });
      for (let index = 0; index < 1200; index++) await run(`run_old_${index}`, 'skipped', T0);
      await run('run_new', 'skipped', T0 + 3 * DAY);
      await run('run_queued', 'queued', T0);
    });
    const bounds = {
      runsBefore: T0 + DAY,
      eventsBefore: T0 + DAY,
      answersBefore: T0 + DAY,
      tokensBefore: T0 + DAY,
    };
    expect(await countPrunable(database.url, bounds)).toEqual({ runs: 1200, events: 0, answers: 0 });
    expect(await pruneDatabase(database.url, bounds, signal)).toBe(1200);
    expect(await countPrunable(database.url, bounds)).toEqual({ runs: 0, events: 0, answers: 0 });
    expect(database.raw('SELECT id FROM run ORDER BY id')).toEqual([{ id: 'run_new' }, { id: 'run_queued' }]);
  });

  test('compacting gives space back, and waits for nobody', async () => {
    database.raw("INSERT INTO meta VALUES ('big', hex(zeroblob(3000000)))");
    database.raw("DELETE FROM meta WHERE key = 'big'");
    const options = { home: database.home, url: database.url, now: T0 };
    const release = lockDataDirectory(database.home);
    await expect(compactDatabase(database.path, options)).rejects.toMatchObject({
      code: 'PAO_ALREADY_RUNNING',
    });
    release();
    expect(await compactDatabase(database.path, options)).toBeGreaterThan(3_000_000);
  });
});

describe('migrating', () => {
  const migrate = (url = database.url) => migrateDatabase({ home: database.home, url, now: T0 });

  test('a database that is up to date may be in use', async () => {
    const release = lockDataDirectory(database.home);
    expect(await migrate()).toMatchObject({ steps: [], copy: null });
    release();
  });

  test('a new database is made where none is, unless pao is running', async () => {
    const path = join(database.home, 'new', 'other.db');
    const url = `sqlite:${path}`;
    expect(await tryMigration(url, T0, signal)).toMatchObject({ from: 0, steps: ['a new database'] });
    expect(existsSync(path)).toBe(false);
    const release = lockDataDirectory(database.home);
    await expect(migrate(url)).rejects.toMatchObject({ code: 'PAO_ALREADY_RUNNING', exitCode: 3 });
    release();
    expect(await migrate(url)).toMatchObject({ from: 0, copy: null });
    expect(existsSync(path)).toBe(true);
    expect(await migrate(url)).toMatchObject({ steps: [] });
  });

  test('an older one is tried on a copy, copied beside itself, and brought up to date', async () => {
    const path = join(database.home, 'old.db');
    const url = `sqlite:${path}`;
    const old = await openSqliteStore(
      { path, durability: 'normal', readonly: false },
      SQLITE_MIGRATIONS.slice(0, 1),
    );
    await old.migrate(T0);
    await old.close();
    const steps = SQLITE_MIGRATIONS.slice(1).map(({ name }) => name);
    const to = SQLITE_MIGRATIONS.length;
    expect(await tryMigration(url, T0, signal)).toEqual({ from: 1, to, steps, copy: null });
    await expect(countPrunable(url, pruneBounds(RETENTION, {}, T0))).rejects.toMatchObject({
      code: 'PAO_STORE_OLD',
      hints: ['pao db migrate'],
    });
    const copy = `${path}.before-v${to}`;
    expect(await migrate(url)).toEqual({ from: 1, to, steps, copy });
    expect(existsSync(copy)).toBe(true);
    expect(await migrate(url)).toMatchObject({ steps: [] });
  });

  test('a newer database is refused with what to do', async () => {
    database.raw("INSERT INTO schema_migration VALUES (99, '0099_future', 0)");
    for (const attempt of [migrate(), tryMigration(database.url, T0, signal)]) {
      await expect(attempt).rejects.toMatchObject({
        code: 'PAO_STORE_NEWER',
        exitCode: 3,
        hints: ['npm install --global pao@latest', expect.stringContaining('.before-v99')],
      });
    }
  });
});
