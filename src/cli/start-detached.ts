import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT, PaoError } from '../domain/errors.js';
import type { ConfigInput } from '../server/config.js';
import { makeFolder } from '../server/supervisor/make-folder.js';
import type { CliProcess } from './cli-config.js';
import type { StartedDocument } from './start-screen.js';

/** Tells the process that it was started in the background and that its parent waits for word over IPC. */
const REPORT = 'PAO_START_REPORT';
const LAST_LINES = 15;

/** What a process in the background tells the one that started it. */
type Report =
  | { type: 'ready'; document: StartedDocument }
  | { type: 'failed'; error: ConstructorParameters<typeof PaoError>[2] & { code: string; message: string } };

/** Tells the process that started this one in the background how the start went; nothing in the foreground. */
export function reportToParent(env: NodeJS.ProcessEnv): {
  ready: (document: StartedDocument) => Promise<void>;
  failed: (error: unknown) => Promise<void>;
} {
  const isAsked = env[REPORT] === '1' && process.send !== undefined;
  // Its own children are not asked.
  delete env[REPORT];
  const send = async (report: Report): Promise<void> => {
    if (!isAsked || !process.connected) return;
    await new Promise<void>((done) => process.send?.(report, undefined, undefined, () => done()));
    if (process.connected) process.disconnect();
  };
  return {
    ready: (document) => send({ type: 'ready', document: { ...document, detached: true } }),
    async failed(error) {
      if (!(error instanceof PaoError)) return;
      const { code, message, exitCode, status, hints, problems } = error;
      await send({ type: 'failed', error: { code, message, exitCode, status, hints, problems } });
    },
  };
}

/**
 * Starts `pao start local` in a session of its own and waits until it is ready.
 * @returns what runs; null when another start was faster.
 * @throws PaoError what the start failed with, or PAO_START_FAILED with the last lines it wrote and its exit code.
 */
export async function startDetached(options: {
  /** The built command line (`bin/run.cjs`). */
  bin: string;
  home: string;
  /** The command and its flags that are no settings. */
  verb: readonly string[];
  /** Settings given as flags. */
  settings: Partial<ConfigInput>;
  process: Pick<CliProcess, 'env' | 'cwd' | 'signal'>;
}): Promise<StartedDocument | null> {
  const folder = join(options.home, 'logs');
  makeFolder(folder);
  const log = join(folder, 'start.log');
  const descriptor = openSync(log, 'w', 0o600);
  const child = spawn(process.execPath, [options.bin, ...options.verb], {
    detached: true,
    cwd: options.process.cwd,
    env: environment(options),
    stdio: ['ignore', descriptor, descriptor, 'ipc'],
  });
  closeSync(descriptor);
  const stop = () => child.kill('SIGTERM');
  options.process.signal.addEventListener('abort', stop, { once: true });
  let report: Report | null = null;
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.on('message', (message: Report) => {
      report = message;
      if (message.type === 'ready') resolve(0);
    });
    child.once('exit', (exitCode) => resolve(exitCode));
  });
  options.process.signal.removeEventListener('abort', stop);
  options.process.signal.throwIfAborted();
  const told = report as Report | null;
  if (told?.type === 'ready') {
    if (child.connected) child.disconnect();
    child.unref();
    return told.document;
  }
  if (told !== null) throw new PaoError(told.error.code, told.error.message, told.error);
  if (code === 0) return null;
  throw new PaoError('PAO_START_FAILED', `pao could not be started:\n${lastLines(log)}`, {
    exitCode: code ?? EXIT.failed,
    hints: [`cat ${log}`, 'pao start local'],
  });
}

/** Settings go by environment: a database URL may hold a password, and every user may read arguments. */
function environment({
  home,
  settings,
  process: { env },
}: Parameters<typeof startDetached>[0]): NodeJS.ProcessEnv {
  const { database_url, redis_url, host, port, workers, worker_concurrency, log_level } = settings;
  const given = {
    DATABASE_URL: database_url,
    REDIS_URL: redis_url,
    PAO_HOST: host,
    PAO_PORT: port,
    PAO_WORKERS: workers,
    PAO_WORKER_CONCURRENCY: worker_concurrency,
    PAO_LOG_LEVEL: log_level,
  };
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return {
    ...env,
    ...Object.fromEntries(set.map(([name, value]) => [name, String(value)])),
    PAO_HOME: home,
    [REPORT]: '1',
    NO_COLOR: '1',
    FORCE_COLOR: '0',
  };
}

function lastLines(file: string): string {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.slice(-LAST_LINES).join('\n');
}
