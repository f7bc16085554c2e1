import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StartedDocument } from '../../src/cli/start-screen.js';
import { runPao, until } from '../e2e/start-pao.js';

const bin = fileURLToPath(new URL('../../bin/run.cjs', import.meta.url));

let home: string;
let started: Foreground[];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'pao-start-'));
  started = [];
});
afterEach(async () => {
  await pao('stop', '--force');
  for (const { child } of started)
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  rmSync(home, { recursive: true, force: true });
});

const pao = (...args: string[]) => runPao(args, { home });

/** `pao start local` in the foreground. */
interface Foreground {
  child: ChildProcess;
  stdout: () => string;
  stderr: () => string;
  ended: Promise<{ code: number | null; signal: string | null }>;
}

function foreground(...args: string[]): Foreground {
  // A person's own settings must not reach the system under test.
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(PAO_|DATABASE_URL$|REDIS_URL$|CI$)/.test(name),
  );
  const env = { ...Object.fromEntries(own), PAO_HOME: home, NO_COLOR: '1' };
  const child = spawn(process.execPath, [bin, ...args], {
    env,
    cwd: home,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  );
  const one = { child, stdout: () => stdout, stderr: () => stderr, ended };
  started.push(one);
  return one;
}

/** Waits for the one document of `--json`. */
function documentOf({ stdout, stderr }: Foreground): Promise<StartedDocument> {
  return until(
    'the document of the start',
    () => (stdout().endsWith('\n') ? (JSON.parse(stdout()) as StartedDocument) : null),
    30_000,
    stderr,
  );
}

function isAlive(pid: number): boolean {
  try {
    // A zombie has ended; it only waits to be collected.
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

const allGone = (pids: number[]) =>
  until('every process to be gone', () => pids.every((pid) => !isAlive(pid)), 15_000);

describe('pao start local', () => {
  it('shows each part as it comes up, then a screen with addresses, files and commands', async () => {
    const running = foreground('start', 'local', '--port', '0', '--workers', '1');
    await until('the screen', () => running.stdout().includes('Ctrl-C stops it'), 30_000, running.stderr);
    const parts = ['data directory', 'store', 'bus', 'API', 'scheduler', '1 worker'];
    const places = parts.map((part) => running.stderr().indexOf(part));
    expect(places).not.toContain(-1);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    const screen = running.stdout();
    const url = /runs at (http:\/\/127\.0\.0\.1:\d+)/.exec(screen)?.[1];
    for (const path of ['/v1', '/docs', '/health', '/metrics']) expect(screen).toContain(`${url}${path}`);
    expect(screen).toContain(`supervisor ${running.child.pid}`);
    expect(screen).toContain(join(home, 'orchestrator.db'));
    expect(screen).toContain('survives a power loss');
    expect(screen).toContain(`${join(home, 'credentials.json')} (new)`);
    expect(screen.match(/^ {2}pao /gm)).toHaveLength(3);
    running.child.kill('SIGINT');
    expect(await running.ended).toEqual({ code: 0, signal: null });
    expect(running.stderr()).toContain('again to stop at once');
    expect(running.stderr()).toMatch(/^Stopped in .*: 0 runs finished/m);
  });

  it('prints one document with --json, and leaves no process and no run file behind', async () => {
    const running = foreground('start', 'local', '--port', '0', '--workers', '2', '--json');
    const document = await documentOf(running);
    expect(document).toMatchObject({
      status: 'started',
      pid: running.child.pid,
      database: { engine: 'sqlite', durability: 'full', location: join(home, 'orchestrator.db') },
      token_created: true,
    });
    expect(Object.keys(document.pids)).toEqual(['api', 'scheduler', 'w1', 'w2']);
    expect(statSync(document.credentials_file).mode & 0o777).toBe(0o600);
    running.child.kill('SIGTERM');
    expect(await running.ended).toEqual({ code: 0, signal: null });
    await allGone(Object.values(document.pids));
    expect(existsSync(join(home, 'run', 'server.json'))).toBe(false);
    expect(JSON.parse(running.stdout())).toEqual(document);
  });

  it('says that it is running already, with process and address, and changes nothing', async () => {
    const running = foreground('start', 'local', '--port', '0', '--workers', '1', '--json');
    const { pid, url } = await documentOf(running);
    const again = await pao('start', 'local', '--port', '0');
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining(`process ${pid}, ${url}`) });
    const asJson = await pao('start', '--local', '--detach', '--json');
    expect(asJson.code).toBe(0);
    expect(JSON.parse(asJson.stdout)).toMatchObject({ status: 'already_running', pid, url });
  });

  it('of two starts at the same moment, one runs and the other says so', async () => {
    const both = [
      foreground('start', 'local', '--port', '0', '--json'),
      foreground('start', 'local', '--port', '0', '--json'),
    ];
    const documents = await Promise.all(both.map(documentOf));
    expect(documents.map(({ status }) => status).sort()).toEqual(['already_running', 'started']);
    expect(documents[0]?.pid).toBe(documents[1]?.pid);
  });

  it('a second Ctrl-C ends everything at once, however long a service would take', async () => {
    const running = foreground('start', 'local', '--port', '0', '--workers', '1', '--json');
    const { pids } = await documentOf(running);
    // A stopped worker can not drain.
    process.kill(pids['w1'] as number, 'SIGSTOP');
    running.child.kill('SIGINT');
    await until('the drain to be announced', () => running.stderr().includes('again to stop at once'));
    running.child.kill('SIGINT');
    expect(await running.ended).toEqual({ code: 130, signal: null });
    expect(running.stderr()).toContain('Stopped at once');
    await allGone(Object.values(pids));
    expect((await pao('status')).code).toBe(3);
  });
});

describe('pao start local --detach', () => {
  it('comes back when the system is ready, which goes on by itself', async () => {
    const start = await pao('start', 'local', '--detach', '--port', '0', '--workers', '1', '--json');
    expect(start.code).toBe(0);
    const document = JSON.parse(start.stdout) as StartedDocument;
    expect(document).toMatchObject({ status: 'started', detached: true, pids: { api: expect.any(Number) } });
    expect((await fetch(`${document.url}/health/ready`)).status).toBe(200);
    const status = await pao('status', '--json');
    expect(status.code).toBe(0);
    expect(JSON.parse(status.stdout)).toMatchObject({
      status: 'healthy',
      pid: document.pid,
      url: document.url,
    });
    const stop = await pao('stop');
    expect(stop).toMatchObject({ code: 0, stderr: expect.stringContaining(`process ${document.pid}`) });
    await allGone([document.pid, ...Object.values(document.pids)]);
  });

  it('keeps a database URL out of the arguments, which everybody may read', async () => {
    const database = `sqlite:${join(home, 'elsewhere.db')}`;
    const start = await pao('start', 'local', '--detach', '--port', '0', '--database', database, '--json');
    const { pid, database: used } = JSON.parse(start.stdout) as StartedDocument;
    expect(used.location).toBe(join(home, 'elsewhere.db'));
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain('elsewhere');
  });
});

describe('a port that is in use', () => {
  let holder: Server;
  let port: number;

  beforeEach(async () => {
    holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    port = (holder.address() as { port: number }).port;
  });
  afterEach(() => new Promise((resolve) => holder.close(resolve)));

  it.each([[['start', 'local']], [['start', 'local', '--detach']]])(
    '%j names who has it and the flag to choose another',
    async (args) => {
      const result = await pao(...args, '--port', String(port));
      expect(result).toMatchObject({ code: 3, stdout: '' });
      expect(result.stderr).toContain(`(pid ${process.pid})`);
      expect(result.stderr).toContain(`pao start local --port ${port + 1}`);
      expect(result.stderr).toContain('PAO_PORT_IN_USE');
    },
  );
});
