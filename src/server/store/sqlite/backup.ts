import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { type BackupOptions, TAKEN_AT } from '../inspect.js';
import { explainSqliteError } from './errors.js';
import { fileSizes, loadDriver, openConnection, type RawDatabase } from './open.js';

/** Pages copied before the event loop gets its turn: 8 MiB. */
const PAGES_A_STEP = 2000;

/**
 * Copies one state of a database with SQLite's online backup into a new file that needs no other beside it. The copy
 * appears under its name once it is whole and on the disk.
 * @throws PaoError PAO_DISK_FULL, …; the reason of the signal when it is aborted. Nothing is left then.
 */
export async function backUpSqlite(
  source: RawDatabase,
  file: string,
  { takenAt, signal, onProgress }: BackupOptions,
): Promise<void> {
  const partial = `${file}.partial`;
  rmSync(partial, { force: true });
  try {
    closeSync(openSync(partial, 'wx', 0o600));
    // In a transaction the source stands still: else each commit of another process would begin the backup anew.
    source.exec('BEGIN');
    try {
      source.prepare('SELECT count(*) FROM sqlite_schema').get();
      await source.backup(partial, {
        progress: ({ totalPages, remainingPages }) => {
          signal.throwIfAborted();
          if (totalPages > 0) onProgress?.(1 - remainingPages / totalPages);
          return PAGES_A_STEP;
        },
      });
    } finally {
      source.exec('COMMIT');
    }
    finish(partial, takenAt);
    renameSync(partial, file);
    syncPath(dirname(file));
  } catch (error) {
    for (const path of [partial, `${partial}-wal`, `${partial}-shm`, `${partial}-journal`])
      rmSync(path, { force: true });
    throw explainSqliteError(error, file);
  }
}

/** One file, without a log beside it, that knows when it was made. */
function finish(path: string, takenAt: number): void {
  const Driver = loadDriver();
  const copy = new Driver(path);
  try {
    copy.pragma('journal_mode = DELETE');
    if (copy.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() !== undefined) {
      copy
        .prepare(
          'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
        )
        .run(TAKEN_AT, String(takenAt));
    }
  } finally {
    copy.close();
  }
  syncPath(path);
}

/**
 * Puts a database in place of another one in one step: whatever happens, one of the two is there. What was there is kept
 * under `aside`, with its log when it has one.
 */
export function swapSqlite(fresh: string, location: string, aside: string): void {
  // A log that is left would be taken for one of the new database.
  for (const ending of ['-wal', '-shm']) {
    if (existsSync(location + ending)) renameSync(location + ending, aside + ending);
  }
  if (existsSync(location)) {
    try {
      linkSync(location, aside);
    } catch {
      // Some file systems have no second name for a file.
      copyFileSync(location, aside);
    }
  }
  renameSync(fresh, location);
  syncPath(dirname(location));
}

function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Rewrites a database file without its unused space. @returns bytes given back to the disk. */
export function compactSqlite(location: string): number {
  const { raw } = openConnection({ path: location, durability: 'full', readonly: false });
  const size = () => fileSizes(location).sizeBytes + fileSizes(location).walBytes;
  try {
    const before = size();
    raw.exec('VACUUM');
    raw.pragma('wal_checkpoint(TRUNCATE)');
    return Math.max(0, before - size());
  } catch (error) {
    throw explainSqliteError(error, location);
  } finally {
    raw.close();
  }
}
