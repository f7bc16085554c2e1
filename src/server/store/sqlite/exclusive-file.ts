import { explainSqliteError, isBusy } from './errors.js';
import { loadDriver } from './open.js';

/**
 * Holds a small SQLite file in an exclusive transaction: a lock that the operating system frees with the process.
 * @returns a function that frees it, or null when another process holds it.
 * @throws PaoError PAO_DISK_FULL, PAO_STORE_READONLY, … when the file can not be written.
 */
export function holdExclusively(path: string): (() => void) | null {
  const Driver = loadDriver();
  const raw = new Driver(path, { timeout: 0 });
  try {
    raw.pragma('journal_mode = DELETE');
    // pao-lint-disable-next-line open-transaction -- the open transaction is the lock; what is returned ends it
    raw.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    raw.close();
    if (isBusy(error)) return null;
    throw explainSqliteError(error, path);
  }
  return () => {
    if (!raw.open) return;
    raw.exec('ROLLBACK');
    raw.close();
  };
}
