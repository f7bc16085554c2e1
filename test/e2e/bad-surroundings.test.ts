import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SQLITE_MIGRATIONS } from '../../src/server/store/sqlite/migrate.js';
import { openSqliteStore } from '../../src/server/store/sqlite/sqlite-store.js';
import { runPao, startPao } from './start-pao.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pao-bad-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const start = (home: string) => runPao(['start', 'local', '--port', '0', '--json'], { home, cwd: folder });

async function newerDatabase(path: string): Promise<void> {
  const future = { name: '9999_future', sql: 'CREATE TABLE future (id INTEGER PRIMARY KEY) STRICT;' };
  const options = { path, durability: 'normal' as const, readonly: false };
  const store = await openSqliteStore(options, [...SQLITE_MIGRATIONS, future]);
  await store.migrate(0);
  await store.close();
}

describe('pao start local refuses what it can not work with, and leaves it as it is', () => {
  it.each<[string, (path: string) => unknown, string]>([
    ['a text as database', (path) => writeFileSync(path, 'no database'), 'PAO_STORE_NOT_A_DATABASE'],
    ['a database of a newer pao', newerDatabase, 'PAO_STORE_NEWER'],
  ])('%s', async (name, make, code) => {
    const home = join(folder, name.replaceAll(' ', '-'));
    mkdirSync(home);
    const path = join(home, 'orchestrator.db');
    await make(path);
    const before = readFileSync(path);
    const end = await start(home);
    expect(JSON.parse(end.stdout)).toMatchObject({ error: { code } });
    expect(end.code).toBe(3);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it.each([
    ['a file where the data directory should be', () => join(folder, 'a-file')],
    ['a place where none can be made', () => '/proc/pao'],
  ])('%s', async (_name, home) => {
    writeFileSync(join(folder, 'a-file'), '');
    const end = await start(home());
    expect(JSON.parse(end.stdout)).toMatchObject({ error: { code: 'PAO_HOME_UNWRITABLE' } });
    expect(end.code).toBe(3);
  });
});

it('SIGTERM to every process at once, as a service manager sends it, stops all and brings none back', async () => {
  const pao = await startPao();
  for (const pid of pao.descendants()) process.kill(pid, 'SIGTERM');
  await pao.stop();
  expect(pao.output()).not.toContain('was restarted');
  pao.cleanUp();
});
