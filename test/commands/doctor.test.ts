import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SuiteReport } from '../../src/checks/check.js';
import { createToken, hashToken } from '../../src/server/api/tokens.js';
import { agentOf, CRON, seed, T0 } from '../contract/fixtures.js';
import type { Store } from '../../src/server/store/store.js';
import { aDatabase, type TestDatabase } from '../server/maintenance/a-database.js';
import { runCommand } from './run-command.js';

let database: TestDatabase;
// The port of the machine is not the test's to judge.
const QUIET = ['--skip', 'processes.port'];

beforeEach(async () => {
  database = await aDatabase();
});
afterEach(() => database.remove());

const run = (argv: string[] = [], env: Record<string, string> = {}) =>
  runCommand('doctor', [...QUIET, ...argv], {
    cwd: database.home,
    env: { PAO_HOME: database.home, PAO_PORT: '0', ...env },
  });

/** Every file of the data directory with what is in it. */
function everything(): Record<string, string> {
  const files = readdirSync(database.home, { recursive: true }).map(String).sort();
  return Object.fromEntries(
    files.map((name) => {
      const path = join(database.home, name);
      const stat = statSync(path);
      const content = stat.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : '';
      return [name, `${(stat.mode & 0o777).toString(8)} ${content}`];
    }),
  );
}

/** A task without its due time, and credentials that others may read: both can be mended. */
async function withTwoProblems() {
  await database.use((store) => seed(store, { schedule: CRON }));
  const credentials = join(database.home, 'credentials.json');
  const token = createToken('o');
  await database.use((store) => bootstrap(store, token));
  writeFileSync(credentials, JSON.stringify({ url: 'http://127.0.0.1:1', token }));
  chmodSync(credentials, 0o644);
  return credentials;
}

/** The operator and the token of the data directory. */
function bootstrap(store: Store, token: string): Promise<void> {
  const agent = agentOf('admin', { scopes: ['admin'] });
  return store.createAgent(agent, {
    id: 'tok_1',
    agentId: agent.id,
    hash: hashToken(token),
    prefix: token.slice(0, 12),
    label: 'credentials.json',
    scopes: ['admin'],
    createdAt: T0,
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null,
  });
}

describe('pao doctor', () => {
  it('says that nothing is wrong in a line for each group and a closing one', async () => {
    const { stdout, error, exitCode } = await run();
    expect({ error, exitCode }).toEqual({ error: null, exitCode: 0 });
    expect(stdout).toMatch(/^✔ Runtime\n✔ Files\n✔ Configuration\n/);
    expect(stdout).toMatch(/\nNo problems found \(\d+ checks in .*\)\.\n$/);
  });

  it('names each problem with why it matters and the command, and changes nothing', async () => {
    const credentials = await withTwoProblems();
    const before = everything();
    const { stdout, stderr, exitCode } = await run();
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /✖ Files\n +✖ Others on this machine may read .*credentials\.json\. files\.private\n/,
    );
    expect(stdout).toContain(`→ chmod go= ${credentials}`);
    expect(stdout).toContain('1 active task has no due time: a-task.');
    expect(stdout).toContain('They look alive and never run.');
    expect(stdout).toMatch(/Found 2 problems and 1 warning/);
    expect(stderr).toContain('→ pao doctor --fix (would make');
    expect(everything()).toEqual(before);
  });

  it('--fix mends what is safe, after a backup of the database, and tells how things are then', async () => {
    const credentials = await withTwoProblems();
    const { stdout, exitCode } = await run(['--fix', '--yes', '--json']);
    expect(exitCode).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ suite: 'doctor', status: 'passed', totals: { failed: 0 } });
    expect(report.fixes.map(({ check, status }: Record<string, string>) => [check, status])).toEqual([
      ['files.private', 'done'],
      ['database.backup', 'done'],
      ['work.without_due', 'done'],
    ]);
    expect(statSync(credentials).mode & 0o777).toBe(0o600);
    expect(statSync(report.backup).size).toBeGreaterThan(0);
    await database.use(async (store) => {
      const { items } = await store.listTasks({ limit: 1 });
      expect(items[0]?.nextDueAt).toBeGreaterThan(Date.now() - 1000);
    });
  });

  it('--fix asks first, and without a terminal it wants --yes', async () => {
    await withTwoProblems();
    const before = everything();
    const { error } = await run(['--fix']);
    expect(error).toMatchObject({ code: 'PAO_CONFIRMATION_NEEDED', exitCode: 2 });
    expect(everything()).toEqual(before);
  });

  it('a configuration that is wrong is a finding, not the end', async () => {
    writeFileSync(join(database.home, 'pao.config.yaml'), 'prot: 1\n');
    const { stdout, exitCode } = await run(['--json']);
    const report = JSON.parse(stdout) as SuiteReport;
    expect(exitCode).toBe(1);
    expect(report.checks.find(({ id }) => id === 'config.valid')).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('Did you mean "port"?'),
    });
    expect(report.totals.passed).toBeGreaterThan(10);
  });
});

describe('pao doctor --bundle', () => {
  const file = () => join(database.home, 'support.tar.gz');

  async function contents(): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    const tar = extract();
    tar.end(gunzipSync(readFileSync(file())));
    for await (const entry of tar) {
      const parts: Buffer[] = [];
      for await (const part of entry) parts.push(part as Buffer);
      found[entry.header.name] = Buffer.concat(parts).toString('utf8');
    }
    return found;
  }

  it('has no secret in it, wherever one was', async () => {
    const token = createToken('a');
    const planted = {
      file: 'telegram-secret-value',
      environment: 'hunter2-of-the-server',
      url: 'p4ssw0rd-of-redis',
      named: 'sk-live-0123456789abcdef',
      token,
      channel: 'topsecret123',
      password: 'Zebra-quartz-91',
    };
    writeFileSync(
      join(database.home, 'pao.config.yaml'),
      `channels:
  hook: { kind: webhook, url: "http://127.0.0.1:9/hook", secret: ${planted.channel} }
  post: { kind: email, server: "smtps://mail.example.org", user: me, password: ${planted.password}, from: a@example.org, to: b@example.org }
`,
    );
    writeFileSync(join(database.home, 'secrets.json'), JSON.stringify({ TELEGRAM: planted.file }), {
      mode: 0o600,
    });
    mkdirSync(join(database.home, 'logs'), { mode: 0o700 });
    const lines = Object.values(planted).map((value) =>
      JSON.stringify({ level: 'warn', msg: `Bearer ${value} failed` }),
    );
    writeFileSync(join(database.home, 'logs', 'pao.log'), `${lines.join('\n')}\nlast line\n`);
    const { exitCode, stderr } = await run(['--bundle', file()], {
      PAO_SECRET_MAIL: planted.environment,
      OPENAI_API_KEY: planted.named,
      REDIS_URL: `redis://:${planted.url}@127.0.0.1:1`,
    });
    expect(stderr).toContain(`Support archive: ${file()}`);
    expect(exitCode).toBe(1);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    const entries = await contents();
    expect(Object.keys(entries).sort()).toEqual(
      [
        'README.txt',
        'database.json',
        'log.txt',
        'report.json',
        'run.json',
        'settings.json',
        'system.json',
      ].map((name) => `pao-doctor/${name}`),
    );
    expect(entries['pao-doctor/log.txt']).toContain('last line');
    expect(entries['pao-doctor/settings.json']).toContain('PAO_SECRET_MAIL');
    const whole = Object.values(entries).join('\n');
    for (const value of Object.values(planted)) expect(whole).not.toContain(value);
  });

  it('replaces no file', async () => {
    writeFileSync(file(), 'my diary');
    expect((await run(['--bundle', file()])).error).toMatchObject({ code: 'PAO_FILE_EXISTS', exitCode: 2 });
    expect(readFileSync(file(), 'utf8')).toBe('my diary');
  });
});
