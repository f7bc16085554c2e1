import { inspectDatabase } from '../store/inspect.js';
import { openStore } from '../store/open.js';
import { compactSqlite } from '../store/sqlite/backup.js';
import { takeAlone } from './alone.js';

const SLICE = 1000;

export interface PruneBounds {
  /** Epoch milliseconds; what ended, or was dispatched, before it goes. */
  runsBefore: number;
  eventsBefore: number;
}

/** How much a prune would delete. */
export async function countPrunable(
  url: string,
  bounds: PruneBounds,
): Promise<{ runs: number; events: number }> {
  const database = await inspectDatabase(url);
  try {
    return await database.prunable(bounds);
  } finally {
    await database.close();
  }
}

/** Deletes finished history in slices, so that whoever uses the database goes on. @returns rows deleted. */
export async function pruneDatabase(url: string, bounds: PruneBounds, signal: AbortSignal): Promise<number> {
  const store = await openStore({ url });
  try {
    for (let deleted = 0; ; ) {
      const slice = await store.prune({ ...bounds, limit: SLICE });
      deleted += slice;
      signal.throwIfAborted();
      if (slice < SLICE) return deleted;
    }
  } finally {
    await store.close();
  }
}

/** Rewrites an SQLite file that nobody uses without its unused space. @returns bytes given back to the disk. */
export async function compactDatabase(
  location: string,
  options: { home: string; url: string; now: number },
): Promise<number> {
  const release = await takeAlone(options);
  try {
    return compactSqlite(location);
  } finally {
    release();
  }
}
