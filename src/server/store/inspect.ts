import { EXIT, PaoError } from '../../domain/errors.js';
import { readDatabaseUrl, shownDatabase } from './database-url.js';
import type { PruneBounds } from './store.js';

/** Where the moment (epoch milliseconds) of the last verified backup is kept, and its file. */
export const LAST_BACKUP = { at: 'last_backup_at', file: 'last_backup_file' } as const;
/** In a backup: when it was made, epoch milliseconds. */
export const TAKEN_AT = 'backup_taken_at';

/** A database as a whole: looked at, checked and backed up beside whoever uses it. Nothing in it is changed. */
export interface Inspection {
  readonly engine: 'sqlite' | 'postgres';
  /** For people: the file, or the URL without its password. */
  readonly location: string;
  /** The version of its schema (0: empty), the one this program wants, and the names of the steps between. */
  schema(): Promise<{ current: number; wanted: number; pending: string[] }>;
  sizes(): Promise<{ sizeBytes: number; walBytes: number; freeBytes: number }>;
  /** Rows of each table, by name. */
  rows(): Promise<Record<string, number>>;
  /** What is damaged, in words; nothing when all is well. `full` reads everything and checks references as well. */
  problems(depth: 'quick' | 'full'): Promise<string[]>;
  getMeta(key: string): Promise<string | null>;
  /** What a prune with these bounds would delete. */
  prunable(bounds: PruneBounds): Promise<Prunable>;
  /** Rows written after an instant: what going back to it would lose. */
  writtenAfter(at: number): Promise<{ runs: number; tasks: number; events: number }>;
  /** Runs whose lease ran out before an instant and that nobody took back. */
  expiredLeases(before: number): Promise<number>;
  /** When the newest row was written, by the clock of whoever wrote it, epoch milliseconds; null when there is none. */
  newestRowAt(): Promise<number | null>;
  /**
   * Copies one state of the database, in which others may write meanwhile, into a new file (mode 0600).
   * @param takenAt noted in the copy.
   */
  backUp(file: string, options: BackupOptions): Promise<void>;
  close(): Promise<void>;
}

/** Finished runs, dispatched events, and answers kept for Idempotency-Key. */
export interface Prunable {
  runs: number;
  events: number;
  answers: number;
}

export interface BackupOptions {
  takenAt: number;
  signal: AbortSignal;
  /** Told how much is done, from 0 to 1. */
  onProgress?: (done: number) => void;
}

/**
 * Opens a database for {@link Inspection}; a newer schema can be looked at as well.
 * @throws PaoError PAO_STORE_MISSING when there is none, PAO_STORE_URL for a URL that is none, and what the engine says.
 */
export async function inspectDatabase(url: string): Promise<Inspection> {
  const read = readDatabaseUrl(url);
  if (read === null) {
    throw new PaoError('PAO_STORE_URL', `${shownDatabase(url)} is no database that pao knows.`, {
      exitCode: EXIT.usage,
      hints: ['Write for example DATABASE_URL=sqlite:./orchestrator.db'],
    });
  }
  if (read.engine === 'postgres') {
    const { inspectPostgres } = await import('./postgres/inspection.js');
    return inspectPostgres(read.url);
  }
  if (read.path === ':memory:') {
    throw new PaoError('PAO_STORE_MEMORY', 'A database in memory is gone with its process.', {
      exitCode: EXIT.usage,
      hints: ['Name a file: DATABASE_URL=sqlite:PATH'],
    });
  }
  const { inspectSqlite } = await import('./sqlite/inspection.js');
  return inspectSqlite(read.path);
}
