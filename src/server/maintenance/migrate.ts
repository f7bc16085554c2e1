import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { EXIT, PaoError } from '../../domain/errors.js';
import { readDatabaseUrl } from '../store/database-url.js';
import { inspectDatabase } from '../store/inspect.js';
import { openStore } from '../store/open.js';
import { takeAlone } from './alone.js';
import { makeFolder } from '../supervisor/make-folder.js';

export interface Migrated {
  from: number;
  to: number;
  /** Names of the steps that were taken, or would be. */
  steps: string[];
  /** The copy that was made first; null for a new database, and when nothing was to do. */
  copy: string | null;
}

/**
 * Brings the schema of a database that nobody uses up to date. An SQLite file with something in it is copied beside
 * itself first. When there is nothing to do it may be in use.
 * @throws PaoError PAO_STORE_NEWER, PAO_ALREADY_RUNNING (exit 3), PAO_STORE_IN_USE (exit 3).
 */
export async function migrateDatabase(options: {
  home: string;
  url: string;
  now: number;
}): Promise<Migrated> {
  const { url, home, now } = options;
  const plan = await planOf(url);
  if (plan.steps.length === 0) return plan;
  const release = await takeAlone({ home, url, now });
  try {
    const read = readDatabaseUrl(url);
    if (read?.engine === 'sqlite') makeFolder(dirname(read.path));
    const store = await openStore({ url });
    try {
      const { from, to } = await store.migrate(now);
      const copy = read?.engine === 'sqlite' && from > 0 ? `${store.location}.before-v${to}` : null;
      return { from, to, steps: plan.steps, copy };
    } finally {
      await store.close();
    }
  } finally {
    release();
  }
}

/**
 * What {@link migrateDatabase} would do, tried on a copy that is deleted again: a step that fails is known before.
 * @throws PaoError what the migration would throw.
 */
export async function tryMigration(url: string, now: number, signal: AbortSignal): Promise<Migrated> {
  const plan = await planOf(url);
  // A PostgreSQL migration is one transaction: one that fails changes nothing.
  if (plan.steps.length === 0 || plan.from === 0 || readDatabaseUrl(url)?.engine === 'postgres') return plan;
  const folder = mkdtempSync(join(tmpdir(), 'pao-migrate-'));
  try {
    const copy = join(folder, 'copy.db');
    const database = await inspectDatabase(url);
    try {
      await database.backUp(copy, { takenAt: now, signal });
    } finally {
      await database.close();
    }
    const store = await openStore({ url: `sqlite:${copy}`, durability: 'normal' });
    try {
      await store.migrate(now);
    } finally {
      await store.close();
    }
    await refuseDamaged(copy);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return plan;
}

async function refuseDamaged(copy: string): Promise<void> {
  const migrated = await inspectDatabase(`sqlite:${copy}`);
  try {
    const [problem] = await migrated.problems('full');
    if (problem !== undefined)
      throw new PaoError('PAO_MIGRATION_FAILED', `The migrated copy is not sound: ${problem}.`);
  } finally {
    await migrated.close();
  }
}

async function planOf(url: string): Promise<Migrated> {
  const read = readDatabaseUrl(url);
  if (read?.engine === 'sqlite' && !existsSync(read.path)) {
    const store = await openStore({ url: 'sqlite::memory:' });
    const { wanted } = await store.schemaVersion();
    await store.close();
    return { from: 0, to: wanted, steps: ['a new database'], copy: null };
  }
  const database = await inspectDatabase(url);
  try {
    const { current, wanted, pending } = await database.schema();
    if (current > wanted) {
      throw new PaoError(
        'PAO_STORE_NEWER',
        `The database ${database.location} has schema version ${current}; this version of pao knows ${wanted} at most.`,
        {
          exitCode: EXIT.unavailable,
          hints: [
            'npm install --global pao@latest',
            `Or go back to the copy that was made before the upgrade: ${database.location}.before-v${current}`,
          ],
        },
      );
    }
    return { from: current, to: wanted, steps: pending, copy: null };
  } finally {
    await database.close();
  }
}
