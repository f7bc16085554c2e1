import { EXIT, PaoError } from '../../domain/errors.js';
import type { Config } from '../config.js';
import { retentionBounds } from '../scheduler/retention.js';
import { inspectDatabase, type Prunable } from '../store/inspect.js';
import { openStore } from '../store/open.js';
import { compactSqlite } from '../store/sqlite/backup.js';
import type { PruneBounds } from '../store/store.js';
import { takeAlone } from './alone.js';

const SLICE = 1000;

/** What the retention policy lets go, or other bounds a person names. @param keep milliseconds */
export function pruneBounds(
  retention: Config['retention'],
  keep: { runs?: number | undefined; events?: number | undefined },
  now: number,
): PruneBounds {
  const bounds = retentionBounds(retention, now);
  return {
    ...bounds,
    runsBefore: keep.runs === undefined ? bounds.runsBefore : now - keep.runs,
    eventsBefore: keep.events === undefined ? bounds.eventsBefore : now - keep.events,
  };
}

/**
 * How much a prune would delete.
 * @throws PaoError PAO_STORE_OLD (exit 3) when the schema is of an older pao.
 */
export async function countPrunable(url: string, bounds: PruneBounds): Promise<Prunable> {
  const database = await inspectDatabase(url);
  try {
    const { current, wanted } = await database.schema();
    if (current < wanted) {
      throw new PaoError(
        'PAO_STORE_OLD',
        `${database.location} has schema version ${current}; this pao works on ${wanted}.`,
        { exitCode: EXIT.unavailable, hints: ['pao db migrate'] },
      );
    }
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
