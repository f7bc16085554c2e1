import { spawn } from 'node:child_process';
import { closeSync, openSync, renameSync, rmSync } from 'node:fs';
import { EXIT, PaoError } from '../../../domain/errors.js';
import type { BackupOptions } from '../inspect.js';
import type { PostgresTarget } from './target.js';

/**
 * Copies one state of a PostgreSQL database into a file of `pg_dump` (custom format), which `pg_restore` takes.
 * @throws PaoError PAO_BACKUP_TOOL (exit 3) when pg_dump is not there or does not fit the server.
 */
export async function dumpPostgres(
  target: PostgresTarget,
  file: string,
  { signal }: BackupOptions,
): Promise<void> {
  const partial = `${file}.partial`;
  rmSync(partial, { force: true });
  try {
    closeSync(openSync(partial, 'wx', 0o600));
    await runTool('pg_dump', ['--format=custom', '--no-owner', '--no-privileges', `--file=${partial}`], {
      env: environmentOf(target),
      signal,
    });
    renameSync(partial, file);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}

/**
 * Reads a dump through with `pg_restore`, without a database.
 * @returns the names of the tables in it.
 * @throws PaoError PAO_BACKUP_UNFIT when it is damaged.
 */
export async function readDump(file: string, signal: AbortSignal): Promise<string[]> {
  try {
    const list = await runTool('pg_restore', ['--list', file], { signal });
    await runTool('pg_restore', ['--file=/dev/null', file], { signal });
    return [...list.matchAll(/ TABLE DATA \S+ (\S+) /g)].map(([, name]) => name as string);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof PaoError && error.exitCode === EXIT.unavailable) throw error;
    throw new PaoError('PAO_BACKUP_UNFIT', `${file} is not a sound dump: ${(error as Error).message}`, {
      hints: ['pao db backup'],
      cause: error,
    });
  }
}

/**
 * Puts all of a dump into an empty database.
 * @throws PaoError PAO_BACKUP_TOOL (exit 3), PAO_BACKUP_UNFIT when pg_restore stops at something.
 */
export async function loadDump(target: PostgresTarget, file: string, signal: AbortSignal): Promise<void> {
  try {
    const args = ['--exit-on-error', '--no-owner', '--no-privileges', `--dbname=${target.database}`, file];
    await runTool('pg_restore', args, { env: environmentOf(target), signal });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof PaoError) throw error;
    throw new PaoError('PAO_BACKUP_UNFIT', `${file} could not be restored: ${(error as Error).message}`, {
      hints: ['pg_restore must be at least as new as the pg_dump that made it'],
      cause: error,
    });
  }
}

/** By environment, not by argument: everybody may read the arguments of a process. */
function environmentOf({ connection, host, port, user, database }: PostgresTarget): NodeJS.ProcessEnv {
  const url = new URL(connection.connectionString as string);
  const ssl = url.searchParams.get('sslmode');
  return {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGDATABASE: database,
    ...(url.password === '' ? {} : { PGPASSWORD: decodeURIComponent(url.password) }),
    ...(ssl === null ? {} : { PGSSLMODE: ssl }),
  };
}

function runTool(
  name: string,
  args: string[],
  { env = {}, signal }: { env?: NodeJS.ProcessEnv; signal: AbortSignal },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(name, args, {
      env: { ...process.env, ...env },
      signal,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'ENOENT' ? toolMissing(name, 'it is not installed') : error),
    );
    child.once('close', (code) => {
      if (code === 0) return resolve(out);
      const why = err.trim().split('\n').at(-1) ?? `exit code ${code}`;
      reject(/server version mismatch/.test(err) ? toolMissing(name, why) : new Error(why));
    });
  });
}

function toolMissing(name: string, why: string): PaoError {
  return new PaoError('PAO_BACKUP_TOOL', `${name} can not be used: ${why}.`, {
    exitCode: EXIT.unavailable,
    hints: ['apt-get install postgresql-client', 'It must be at least as new as the server'],
  });
}
