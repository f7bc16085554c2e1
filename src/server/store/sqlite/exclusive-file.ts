import { loadDriver } from './open.js';

/**
 * Holds a small SQLite file in an exclusive transaction: a lock that the operating system frees with the process.
 * @returns a function that frees it, or null when another process holds it.
 */
export function holdExclusively(path: string): (() => void) | null {
  const Driver = loadDriver();
  const raw = new Driver(path, { timeout: 0 });
  try {
    raw.pragma('journal_mode = DELETE');
    raw.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    raw.close();
    if ((error as { code?: string }).code?.startsWith('SQLITE_BUSY')) return null;
    throw error;
  }
  return () => {
    if (!raw.open) return;
    raw.exec('ROLLBACK');
    raw.close();
  };
}
