import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { T0 } from '../contract/fixtures.js';
import { aDatabase, type TestDatabase } from '../server/maintenance/a-database.js';
import { runCommand } from './run-command.js';

let database: TestDatabase;

beforeEach(async () => {
  database = await aDatabase();
});
afterEach(() => database.remove());

const db = (verb: string, ...argv: string[]) =>
  runCommand(`db:${verb}`, argv, { env: { PAO_HOME: database.home }, cwd: database.home });

describe('pao db', () => {
  it('status says what the database holds, and what to type when there is no backup', async () => {
    const { stdout, stderr, error, exitCode } = await db('status');
    expect({ error, exitCode }).toEqual({ error: null, exitCode: 0 });
    expect(stdout).toMatch(/Integrity +✔ sound/);
    expect(stdout).toMatch(/task_version +0/);
    expect(stderr).toContain('→ pao db backup');
  });

  it('status of a newer database is exit 3, with the schema this pao knows', async () => {
    database.raw("INSERT INTO schema_migration VALUES (99, '0099_future', 0)");
    const { stdout, stderr, exitCode } = await db('status');
    expect(exitCode).toBe(3);
    expect(stdout).toMatch(/99, this pao knows \d+ at most/);
    expect(stderr).toContain('npm install --global pao@latest');
  });

  it('backup prints the file alone on stdout, and restore takes it', async () => {
    const { stdout, stderr } = await db('backup');
    const file = stdout.trim();
    expect(file).toMatch(/backups\/orchestrator-\d{8}T\d{6}Z\.db$/);
    expect(stderr).toContain('read through');
    const asked = await db('restore', file);
    expect(asked.error).toMatchObject({ code: 'PAO_CONFIRMATION_NEEDED', exitCode: 2 });
    const { stdout: json } = await db('restore', file, '--yes', '--json');
    expect(JSON.parse(json)).toMatchObject({
      database: database.path,
      replaced: expect.stringContaining('.replaced-'),
      left_over: { tasks: [], runs: 0, events: 0 },
    });
  });

  it('backup into a folder names the file by the time', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pao-backups-'));
    try {
      const { stdout } = await db('backup', folder, '--json');
      expect(JSON.parse(stdout).file).toMatch(new RegExp(`^${folder}/orchestrator-`));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('restore of a file that is not there says so, and where backups lie', async () => {
    const { error } = await db('restore', join(database.home, 'nofile.db'));
    expect(error).toMatchObject({ code: 'PAO_FILE_MISSING', exitCode: 2 });
    expect(error?.message).toMatch(/^There is no backup .*nofile\.db\.$/);
  });

  it('restore of a file that is no backup changes nothing and asks nothing', async () => {
    const file = join(database.home, 'diary.txt');
    writeFileSync(file, 'my diary\n'.repeat(1000));
    expect((await db('restore', file)).error).toMatchObject({ code: 'PAO_STORE_NOT_A_DATABASE' });
  });

  it('prune --dry-run names the policy and deletes nothing', async () => {
    database.raw(
      `INSERT INTO event (id, topic, agent_id, created_at, dispatched_at) VALUES ('evt_1', 'a', 'agt', ${T0}, ${T0})`,
    );
    const { stdout } = await db('prune', '--dry-run', '--events', '1d');
    expect(stdout).toBe(
      'Would delete 0 runs, 1 event, 0 kept answers (runs older than 90d, events older than 1d)\n',
    );
    const { stdout: json } = await db('prune', '--json', '--events', '1d');
    expect(JSON.parse(json)).toMatchObject({ dry_run: false, deleted: 1 });
  });

  it('migrate says that there is nothing to do, and makes what is missing', async () => {
    expect((await db('migrate')).stderr).toContain('is up to date');
    const url = `sqlite:${join(database.home, 'other.db')}`;
    const { stdout } = await db('migrate', '--database', url, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ dry_run: false, from: 0, steps: ['a new database'] });
  });
});
