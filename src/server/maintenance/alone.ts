import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { EXIT, PaoError } from '../../domain/errors.js';
import { readDatabaseUrl, shownDatabase } from '../store/database-url.js';
import { openStore } from '../store/open.js';
import { holdExclusively } from '../store/sqlite/exclusive-file.js';
import type { WorkerHeartbeat } from '../store/store.js';
import { lockDataDirectory } from '../supervisor/data-lock.js';
import { isProcessAlive } from '../supervisor/run-file.js';

/** A process that gave no sign for this long does not use the database any more, milliseconds. */
const SILENT_MS = 15_000;
/** What is damaged, or is not there, can not be asked; and SQLite would clear away its log if it were opened for writing. */
const NOBODY_TO_ASK = [
  'PAO_STORE_CORRUPT',
  'PAO_STORE_NOT_A_DATABASE',
  'PAO_STORE_IO',
  'PAO_STORE_NO_DATABASE',
];

/**
 * Makes sure that nobody else uses a database, and that no pao starts on the data directory meanwhile.
 * @returns a function that lets others in again.
 * @throws PaoError PAO_ALREADY_RUNNING (exit 3) or PAO_STORE_IN_USE (exit 3), which name who has it.
 */
export async function takeAlone(options: {
  home: string;
  /** One database, or several. */
  url: string | readonly string[];
  now: number;
}): Promise<() => void> {
  const release = lockDataDirectory(options.home);
  try {
    for (const url of [options.url].flat()) {
      const user = await userOf(url, options.now);
      if (user !== null) throw inUse(url, user);
    }
    return release;
  } catch (error) {
    release();
    throw error;
  }
}

/** Who uses a database now, in words; null when nobody does, or when it is missing or too damaged to say. */
export async function userOf(url: string, now: number): Promise<string | null> {
  const read = readDatabaseUrl(url);
  if (read?.engine === 'sqlite' && !existsSync(read.path)) return null;
  let workers: WorkerHeartbeat[];
  try {
    const store = await openStore({ url, readonly: true });
    try {
      const { current } = await store.schemaVersion();
      workers = current === 0 ? [] : await store.listWorkers();
    } finally {
      await store.close();
    }
  } catch (error) {
    if (!(error instanceof PaoError) || !NOBODY_TO_ASK.includes(error.code)) throw error;
    return null;
  }
  const alive = workers.find(
    ({ lastSeenAt, host, pid }) =>
      Math.abs(now - lastSeenAt) < SILENT_MS && (host !== hostname() || isProcessAlive(pid)),
  );
  if (alive !== undefined) return `${alive.kind} ${alive.slot} (process ${alive.pid} on ${alive.host})`;
  return read?.engine === 'sqlite' && isOpenElsewhere(read.path) ? 'another program' : null;
}

function isOpenElsewhere(path: string): boolean {
  try {
    const release = holdExclusively(path);
    release?.();
    return release === null;
  } catch {
    return false;
  }
}

function inUse(url: string, user: string): PaoError {
  return new PaoError('PAO_STORE_IN_USE', `${shownDatabase(url)} is in use by ${user}.`, {
    exitCode: EXIT.unavailable,
    hints: ['pao stop', 'pao status'],
  });
}
