import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStore } from '../../../src/server/store/open.js';
import { type Migration, SQLITE_MIGRATIONS } from '../../../src/server/store/sqlite/migrate.js';
import { isNetworkFileSystem, loadDriver } from '../../../src/server/store/sqlite/open.js';
import { openSqliteStore } from '../../../src/server/store/sqlite/sqlite-store.js';
import { runOf, seed, T0 } from '../../contract/fixtures.js';
import { canMount, mountSmallDisk, type SmallDisk, sayNotCovered } from '../../small-disk.js';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pao-opening-'));
  path = join(directory, 'orchestrator.db');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = () => openStore({ url: `sqlite:${path}` });

async function made(): Promise<void> {
  const store = await open();
  await store.migrate(T0);
  await store.close();
}

function raw(sql: string): unknown {
  const database = new (loadDriver())(path);
  try {
    const statement = database.prepare(sql);
    return statement.reader ? statement.all() : statement.run();
  } finally {
    database.close();
  }
}

/** The version of the schema that this program makes. */
const CURRENT = SQLITE_MIGRATIONS.length;

describe('opening a database', () => {
  test('a new file is for its owner alone, and nothing is left beside it after closing', async () => {
    await made();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(existsSync(`${path}-wal`)).toBe(false);
  });

  test('it writes ahead, durably, with foreign keys', async () => {
    const store = await open();
    await store.migrate(T0);
    expect(raw('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }]);
    await store.close();
  });

  test('a file that is not a database is refused and left as it is', async () => {
    writeFileSync(path, 'my diary\n'.repeat(1000));
    await expect(open()).rejects.toMatchObject({ code: 'PAO_STORE_NOT_A_DATABASE', exitCode: 3 });
    await expect(open()).rejects.toThrow(path);
    expect(readFileSync(path, 'utf8')).toBe('my diary\n'.repeat(1000));
  });

  test('a database of another program is refused and left as it is', async () => {
    raw('CREATE TABLE bookmark (id)');
    await expect(open()).rejects.toMatchObject({ code: 'PAO_STORE_NOT_A_DATABASE' });
    expect(raw('SELECT name FROM sqlite_schema')).toEqual([{ name: 'bookmark' }]);
  });

  test('a directory in place of the file, and a missing directory, are named', async () => {
    mkdirSync(path);
    await expect(open()).rejects.toMatchObject({ code: 'PAO_STORE_NOT_A_DATABASE' });
    await expect(openStore({ url: `sqlite:${directory}/none/x.db` })).rejects.toMatchObject({
      code: 'PAO_STORE_DIRECTORY',
      exitCode: 2,
      hints: [`mkdir -p ${directory}/none`],
    });
  });

  test('a newer schema is refused, but can be looked at', async () => {
    await made();
    raw("INSERT INTO schema_migration VALUES (99, '0099_future', 0)");
    await expect(open()).rejects.toMatchObject({ code: 'PAO_STORE_NEWER', exitCode: 3 });
    const store = await openStore({ url: `sqlite:${path}`, readonly: true });
    expect(await store.schemaVersion()).toEqual({ current: 99, wanted: SQLITE_MIGRATIONS.length });
    await store.close();
  });

  test('opened for looking only, it can not be written', async () => {
    await made();
    const store = await openStore({ url: `sqlite:${path}`, readonly: true });
    expect((await store.stats(T0)).due).toBe(0);
    await expect(store.setMeta('a', 'b')).rejects.toMatchObject({ code: 'PAO_STORE_READONLY', exitCode: 3 });
    await store.close();
  });

  test.skipIf(process.getuid?.() === 0)('a file that may not be written is refused', async () => {
    await made();
    chmodSync(path, 0o400);
    await expect(open()).rejects.toMatchObject({ code: 'PAO_STORE_READONLY', exitCode: 3 });
    chmodSync(path, 0o600);
    chmodSync(directory, 0o500);
    await expect(open()).rejects.toMatchObject({ code: 'PAO_STORE_READONLY', exitCode: 3 });
    chmodSync(directory, 0o700);
  });

  test('a URL of another kind is refused in words, without what it may hide', async () => {
    for (const url of [
      'postgres://me:hunter2@db',
      'postgres://me:hunter2@db:0/x',
      'mysql://me:hunter2@db/x',
      'sqlite:',
      'orchestrator.db',
    ]) {
      const error = await openStore({ url }).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'PAO_STORE_URL', exitCode: 2 });
      expect(String((error as Error).message)).not.toContain('hunter2');
    }
  });

  test('network file systems are known by their number, signed or not', () => {
    for (const type of [0x6969, 0xff534d42, 0xff534d42 | 0, 0xfe534d42])
      expect(isNetworkFileSystem(type)).toBe(true);
    for (const type of [0xef53, 0x01021994, 0x9123683e, 0x58465342])
      expect(isNetworkFileSystem(type)).toBe(false);
  });
});

describe('a damaged database', () => {
  /** Overwrites a page that opening and migrating never read. */
  function damage(): void {
    const [index] = raw("SELECT rootpage FROM sqlite_schema WHERE name = 'run_task'") as [
      { rootpage: number },
    ];
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.alloc(2048, 0xab), 0, 2048, (index.rootpage - 1) * 4096);
    closeSync(file);
  }

  test('after a crash it is found before anything is done with it', async () => {
    const crashed = await open();
    await crashed.migrate(T0);
    const { task } = await seed(crashed);
    for (let index = 0; index < 50; index++)
      await crashed.createRun({ taskId: task.id, run: runOf(), now: T0 });
    await crashed.close();
    // As if it had not been closed: the mark of the last session is still there.
    raw("INSERT INTO meta VALUES ('in_use_since', '1')");
    damage();
    const store = await open();
    const outcome: unknown = await store.migrate(T0).catch((reason: unknown) => reason);
    await store.close();
    expect(outcome).toMatchObject({ code: 'PAO_STORE_CORRUPT', exitCode: 3 });
    expect((outcome as { hints: string[] }).hints[0]).toBe('pao db restore');
  });

  test('after a clean end as well, and a shortened file when it is opened', async () => {
    await made();
    const whole = readFileSync(path);
    damage();
    const store = await open();
    await expect(store.migrate(T0)).rejects.toMatchObject({ code: 'PAO_STORE_CORRUPT', exitCode: 3 });
    await store.close();
    writeFileSync(path, whole.subarray(0, whole.length - 8192));
    await expect(open()).rejects.toMatchObject({ code: 'PAO_STORE_CORRUPT', exitCode: 3 });
  });

  test('a sound one is checked after a crash and goes on', async () => {
    await made();
    raw("INSERT INTO meta VALUES ('in_use_since', '1')");
    const store = await open();
    expect(await store.migrate(T0)).toEqual({ from: CURRENT, to: CURRENT });
    await store.close();
    expect(raw("SELECT * FROM meta WHERE key = 'in_use_since'")).toEqual([]);
  });
});

describe('migrations', () => {
  const second: Migration = { name: '9999_more', sql: 'CREATE TABLE more (id INTEGER PRIMARY KEY) STRICT;' };
  const openWith = (migrations: readonly Migration[]) =>
    openSqliteStore({ path, durability: 'full', readonly: false }, migrations);

  test('of ten that start at once, one migrates', async () => {
    const stores = await Promise.all(Array.from({ length: 10 }, open));
    const outcomes = await Promise.all(stores.map((store) => store.migrate(T0)));
    expect(outcomes.filter(({ from }) => from === 0)).toHaveLength(1);
    for (const store of stores) await store.close();
    expect(raw('SELECT version, name FROM schema_migration ORDER BY version')).toEqual(
      SQLITE_MIGRATIONS.map(({ name }, index) => ({ version: index + 1, name })),
    );
  });

  test('a database with something in it is copied first, and the copy opens', async () => {
    const first = await open();
    await first.migrate(T0);
    const { task } = await seed(first);
    await first.close();
    const stores = await Promise.all([1, 2, 3].map(() => openWith([...SQLITE_MIGRATIONS, second])));
    const outcomes = await Promise.all(stores.map((store) => store.migrate(T0)));
    expect(outcomes.filter(({ from }) => from === CURRENT)).toHaveLength(1);
    expect((await stores[0]?.getTask(task.id))?.name).toBe(task.name);
    for (const store of stores) await store.close();
    const copy = await openStore({ url: `sqlite:${path}.before-v${CURRENT + 1}`, readonly: true });
    expect(await copy.schemaVersion()).toMatchObject({ current: CURRENT });
    expect((await copy.getTask(task.id))?.name).toBe(task.name);
    await copy.close();
  });

  test('answers kept for repeated requests move to their own table', async () => {
    const first = await openWith(SQLITE_MIGRATIONS.slice(0, 1));
    await first.migrate(T0);
    await first.setMeta('idempotency/abc', JSON.stringify({ status: 201, at: T0 }));
    await first.close();
    const store = await open();
    await store.migrate(T0);
    expect(await store.getAnswer('abc')).toEqual({ answer: `{"status":201,"at":${T0}}`, at: T0 });
    expect(await store.getMeta('idempotency/abc')).toBeNull();
    await store.close();
  });

  test('a migration that fails leaves the database as it was', async () => {
    await made();
    const broken: Migration = { name: '9999_broken', sql: 'CREATE TABLE one (id); CREATE TABLE one (id);' };
    const store = await openWith([...SQLITE_MIGRATIONS, broken]);
    await expect(store.migrate(T0)).rejects.toThrow(/already exists/);
    expect(await store.schemaVersion()).toEqual({ current: CURRENT, wanted: CURRENT + 1 });
    await store.close();
    expect(raw("SELECT name FROM sqlite_schema WHERE name = 'one'")).toEqual([]);
  });
});

sayNotCovered('a full and a read-only disk under an open store');
describe.skipIf(!canMount)('a disk with limits (needs root)', () => {
  let disk: SmallDisk;
  beforeEach(() => {
    disk = mountSmallDisk(3);
    path = join(disk.path, 'orchestrator.db');
  });
  afterEach(() => disk.remove());

  test('a full disk is said in words, reads go on, and so do writes when there is room again', async () => {
    const store = await open();
    try {
      await store.migrate(T0);
      const { task } = await seed(store);
      const acknowledged: string[] = [];
      const fill = async () => {
        for (let index = 0; index < 2000; index++) {
          const run = runOf({ params: { text: 'x'.repeat(4000) } });
          await store.createRun({ taskId: task.id, run, now: T0 });
          acknowledged.push(run.id);
        }
      };
      const failure = await fill().catch((reason: unknown) => reason);
      expect(failure).toMatchObject({ code: 'PAO_DISK_FULL', status: 507, exitCode: 3 });
      expect(await store.getRun(acknowledged.at(-1) as string)).not.toBeNull();
      disk.resize(32);
      const later = await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      for (const id of [...acknowledged, later.id]) expect((await store.getRun(id))?.status).toBe('queued');
      expect((await store.stats(T0)).due).toBe(acknowledged.length + 1);
    } finally {
      await store.close();
    }
  });

  test('a read-only disk is said in words', async () => {
    await made();
    disk.setReadonly();
    await expect(open()).rejects.toMatchObject({ code: 'PAO_STORE_READONLY', exitCode: 3 });
  });
});
