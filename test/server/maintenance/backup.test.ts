import { existsSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keepNewest, makeBackup, verifyBackup } from '../../../src/server/maintenance/backup.js';
import { databaseStatus } from '../../../src/server/maintenance/database-status.js';
import { loadDriver } from '../../../src/server/store/sqlite/open.js';
import { seed, T0 } from '../../contract/fixtures.js';
import { aDatabase, type TestDatabase } from './a-database.js';

let database: TestDatabase;
let file: string;

beforeEach(async () => {
  database = await aDatabase();
  file = join(database.home, 'copy.db');
});
afterEach(() => database.remove());

const backUp = (more: Partial<Parameters<typeof makeBackup>[0]> = {}) =>
  makeBackup({
    url: database.url,
    file,
    now: T0,
    replace: false,
    signal: new AbortController().signal,
    ...more,
  });

/** Enough for several steps of the online backup. */
function fill(): void {
  const connection = new (loadDriver())(database.path);
  const insert = connection.prepare(
    'INSERT INTO event (id, topic, payload, agent_id, created_at) VALUES (?, ?, ?, ?, ?)',
  );
  connection.transaction(() => {
    for (let index = 0; index < 2500; index++)
      insert.run(`evt_${index}`, 'filling', 'x'.repeat(8000), 'agt', T0);
  })();
  connection.close();
}

describe('a backup', () => {
  test('is one state of a database that is written meanwhile, and says when it was made', async () => {
    fill();
    const writer = new (loadDriver())(database.path);
    let written = 0;
    const backup = await backUp({
      onProgress: () => {
        written += 1;
        writer
          .prepare('INSERT INTO event (id, topic, agent_id, created_at) VALUES (?, ?, ?, ?)')
          .run(`evt_late_${written}`, 'late', 'agt', T0);
      },
    });
    writer.close();
    expect(written).toBeGreaterThan(1);
    expect(backup).toMatchObject({ takenAt: T0, schema: expect.any(Number), notNoted: null });
    expect(backup.rows['event']).toBe(2500);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(existsSync(`${file}-wal`)).toBe(false);
    expect((database.raw('SELECT count(*) AS count FROM event') as { count: number }[])[0]?.count).toBe(
      2500 + written,
    );
  });

  test('is noted in the database, and its status shows it', async () => {
    expect(
      (await databaseStatus(database.url, { home: database.home, depth: 'full' })).last_backup,
    ).toBeNull();
    await backUp();
    expect(await databaseStatus(database.url, { home: database.home, depth: 'full' })).toMatchObject({
      last_backup: { at: '2026-01-05T08:00:00.000Z', file },
      problems: [],
      running: null,
    });
  });

  test('that is broken off leaves nothing behind', async () => {
    fill();
    const controller = new AbortController();
    const broken = backUp({ signal: controller.signal, onProgress: () => controller.abort() });
    await expect(broken).rejects.toMatchObject({ name: 'AbortError' });
    expect(readdirSync(database.home).filter((name) => name.startsWith('copy'))).toEqual([]);
  });

  test('does not replace a file unless it is told to', async () => {
    writeFileSync(file, 'my diary');
    await expect(backUp()).rejects.toMatchObject({ code: 'PAO_BACKUP_EXISTS', exitCode: 2 });
    await backUp({ replace: true });
    expect((await verifyBackup(file)).takenAt).toBe(T0);
  });

  test('of a database that is not there says what to type', async () => {
    await expect(backUp({ url: `sqlite:${database.home}/none.db` })).rejects.toMatchObject({
      code: 'PAO_STORE_MISSING',
      exitCode: 5,
    });
  });

  test('keeps the newest of those it named, and nothing else is deleted', () => {
    const names = ['20260101', '20260102', '20260103'].map((day) => `orchestrator-${day}T000000Z.db`);
    for (const name of [...names, 'orchestrator.db.other']) writeFileSync(join(database.home, name), '');
    expect(keepNewest(database.home, 2)).toEqual([join(database.home, names[0] as string)]);
    expect(readdirSync(database.home)).toEqual(
      expect.arrayContaining(['orchestrator.db', ...names.slice(1)]),
    );
  });
});

describe('a backup is refused that', () => {
  beforeEach(async () => {
    await database.use((store) => seed(store));
    await backUp();
  });

  test('was cut short', async () => {
    truncateSync(file, statSync(file).size / 2);
    await expect(verifyBackup(file)).rejects.toMatchObject({
      name: 'PaoError',
      exitCode: expect.any(Number),
    });
  });

  test('holds rows that refer to nothing', async () => {
    const connection = new (loadDriver())(file);
    connection.pragma('foreign_keys = OFF');
    connection.exec('DELETE FROM agent');
    connection.close();
    await expect(verifyBackup(file)).rejects.toMatchObject({
      code: 'PAO_BACKUP_UNFIT',
      message: expect.stringContaining('refers to a row of agent that is not there'),
    });
  });

  test('is of a newer pao', async () => {
    database.raw("INSERT INTO schema_migration VALUES (99, '0099_future', 0)", file);
    await expect(verifyBackup(file)).rejects.toMatchObject({ code: 'PAO_STORE_NEWER', exitCode: 3 });
  });

  test('is no database', async () => {
    writeFileSync(file, 'my diary\n'.repeat(1000));
    await expect(verifyBackup(file)).rejects.toMatchObject({ code: 'PAO_STORE_NOT_A_DATABASE' });
  });

  test('a broken audit chain is said, and is no reason to have no backup', async () => {
    await database.use(async (store) => {
      for (const action of ['one', 'two'])
        await store.appendAudit({ at: T0, actor: 'system', action, target: null, details: {} });
    });
    database.raw("UPDATE audit_log SET action = 'forged' WHERE action = 'one'");
    expect((await backUp({ replace: true })).auditBrokenAt).toEqual(expect.any(Number));
  });
});
