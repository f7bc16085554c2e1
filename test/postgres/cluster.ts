import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '../free-port.js';
import { findPostgres } from './find-postgres.js';

/** A PostgreSQL server of its own in a temporary directory, on a free port of 127.0.0.1. */
export interface Cluster {
  /** The database `postgres`, as its superuser. */
  url: string;
  port: number;
  directory: string;
  /** Process id of the postmaster. */
  pid(): number;
  /** Ends the server as a power cut would, with all its processes. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

export interface ClusterOptions {
  /** Settings beside those of initdb. */
  settings?: Record<string, string | number>;
  /** Lives on when this process ends; whoever has its directory ends it. */
  detached?: boolean;
}

/** Makes and starts a cluster. initdb refuses root: it runs as `postgres` or `nobody` then. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { folder } = findPostgres();
  const directory = mkdtempSync(join(tmpdir(), 'pao-postgres-'));
  const identity = unprivileged();
  if (identity.uid !== undefined) chownSync(directory, identity.uid, identity.gid as number);
  chmodSync(directory, 0o700);
  const data = join(directory, 'data');
  const env = { PATH: process.env.PATH ?? '', LC_ALL: 'C', TZ: 'UTC' };
  execFileSync(
    join(folder, 'initdb'),
    [
      '--pgdata',
      data,
      '--username',
      'postgres',
      '--auth',
      'trust',
      '--no-sync',
      '--encoding',
      'UTF8',
      '--locale',
      'C',
    ],
    { ...identity, env, cwd: directory, stdio: 'pipe' },
  );
  const port = await freePort();
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: directory,
    max_connections: 200,
    ...options.settings,
  };
  const args = ['-D', data, '-p', String(port)];
  for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`);
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  let server: ChildProcess | null = null;
  let written = '';
  const start = async () => {
    const log = options.detached === true ? 'ignore' : 'pipe';
    const child = spawn(join(folder, 'postgres'), args, {
      ...identity,
      env,
      cwd: directory,
      detached: true,
      stdio: ['ignore', 'ignore', log],
    });
    server = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      written = (written + text).slice(-10_000);
    });
    if (options.detached === true) child.unref();
    await untilItAnswers(
      url,
      () => child.exitCode !== null || child.signalCode !== null,
      () => written,
    );
  };
  const pid = () => Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
  const gone = async () => {
    if (server === null || server.exitCode !== null || server.signalCode !== null) return;
    await new Promise((resolve) => server?.once('exit', resolve));
  };
  await start();
  return {
    url,
    port,
    directory,
    pid,
    start,
    async kill() {
      // Its own session: the whole group is the postmaster and its children.
      process.kill(-pid(), 'SIGKILL');
      await gone();
    },
    async remove() {
      stopCluster(directory);
      await gone();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Ends the server of a cluster's directory at once; its data are of no use any more. */
export function stopCluster(directory: string): void {
  try {
    const text = readFileSync(join(directory, 'data', 'postmaster.pid'), 'utf8');
    process.kill(-Number(text.split('\n')[0]), 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

/** Whom to run the server as: oneself, unless that is root. */
export function unprivileged(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const users = new Map(
    readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .map(([name, , uid, gid]) => [name, { uid: Number(uid), gid: Number(gid) }] as const),
  );
  const user = users.get('postgres') ?? users.get('nobody');
  if (user === undefined)
    throw new Error('PostgreSQL refuses root, and there is no user postgres or nobody.');
  return user;
}

async function untilItAnswers(url: string, ended: () => boolean, log: () => string): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('SELECT 1');
      await client.end();
      return;
    } catch (error) {
      await client.end().catch(() => {});
      if (ended() || performance.now() > deadline)
        throw new Error(`PostgreSQL did not start: ${String(error)}\n${log()}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
