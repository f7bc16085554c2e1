import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { VirtualClock } from '../../../src/domain/clock.js';
import { SqliteDatabase } from '../../../src/server/store/sqlite/database.js';
import { loadDriver, openConnection, type RawDatabase } from '../../../src/server/store/sqlite/open.js';

let directory: string;
let path: string;
let database: SqliteDatabase;
let clock: VirtualClock;
let other: RawDatabase;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pao-group-'));
  path = join(directory, 'a.db');
  clock = new VirtualClock(0);
  database = new SqliteDatabase(openConnection({ path, durability: 'full', readonly: false }), clock);
  other = new (loadDriver())(path, { timeout: 0 });
  other.exec('CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT');
});
afterEach(async () => {
  if (other.inTransaction) other.exec('ROLLBACK');
  other.close();
  await database.close();
  rmSync(directory, { recursive: true });
});

const insert = (n: number) =>
  database.write((connection) => connection.sql('INSERT INTO t VALUES (?)').run(n).lastInsertRowid);
/** A number that changes each time another connection commits. */
const commits = () => other.pragma('data_version', { simple: true }) as number;
const rows = () => other.prepare('SELECT n FROM t ORDER BY n').pluck().all();

test('what is asked for in one turn shares one commit', async () => {
  const before = commits();
  await Promise.all(Array.from({ length: 100 }, (_, n) => insert(n)));
  expect(rows()).toHaveLength(100);
  // data_version grows once for each commit that was seen; one commit of a hundred rows is one step.
  expect(commits()).toBe(before + 1);
});

test('one that fails in a shared commit takes nothing of the others with it', async () => {
  const outcomes = await Promise.allSettled([
    insert(1),
    database.write((connection) => {
      connection.sql('INSERT INTO t VALUES (?)').run(2);
      throw new Error('no');
    }),
    insert(1),
    insert(3),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
  expect(rows()).toEqual([1, 3]);
});

test('one that fails alone leaves nothing and does not stop the next', async () => {
  await expect(
    database.write((connection) => {
      connection.sql('INSERT INTO t VALUES (?)').run(2);
      throw new Error('no');
    }),
  ).rejects.toThrow('no');
  await insert(5);
  expect(rows()).toEqual([5]);
});

test('a lock that another process holds is waited for while the event loop goes on', async () => {
  other.exec('BEGIN IMMEDIATE');
  const writes = Promise.all([
    insert(1),
    insert(2),
    database.writeRelaxed((c) => c.sql('INSERT INTO t VALUES (9)').run()),
  ]);
  let turns = 0;
  // Timers run while the writes wait: each turn lets them try again.
  while (turns < 5) {
    await new Promise((resume) => setTimeout(resume, 1));
    turns += 1;
  }
  const late = insert(3);
  other.exec('COMMIT');
  await Promise.all([writes, late]);
  expect(rows()).toEqual([1, 2, 3, 9]);
});

test('a lock that is never given up is said in words, and only then', async () => {
  other.exec('BEGIN IMMEDIATE');
  const outcomes = Promise.allSettled([insert(1), insert(2), database.writeRelaxed(() => {})]);
  // Each begins to wait in its own time.
  const passing = setInterval(() => clock.advance(5001), 1);
  const busy = { status: 'rejected', reason: { code: 'PAO_STORE_BUSY', status: 503, exitCode: 3 } };
  expect(await outcomes).toMatchObject([busy, busy, busy]);
  clearInterval(passing);
  other.exec('COMMIT');
  await insert(4);
  expect(rows()).toEqual([4]);
});

test('closing waits for what is being written', async () => {
  const writes = Promise.all(Array.from({ length: 600 }, (_, n) => insert(n)));
  await database.close();
  await writes;
  expect(rows()).toHaveLength(600);
});
