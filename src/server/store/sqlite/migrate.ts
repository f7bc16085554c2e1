import { existsSync, renameSync, rmSync } from 'node:fs';
import { EXIT, PaoError } from '../../../domain/errors.js';
import initial from '../migrations/sqlite/0001_initial.sql';
import keptAnswer from '../migrations/sqlite/0002_kept_answer.sql';
import approvals from '../migrations/sqlite/0003_approvals_and_event_waits.sql';
import eventTrace from '../migrations/sqlite/0004_event_trace.sql';
import budgets from '../migrations/sqlite/0005_budgets.sql';
import outbox from '../migrations/sqlite/0006_outbox.sql';
import provenance from '../migrations/sqlite/0007_provenance_and_called_tasks.sql';
import eventWindows from '../migrations/sqlite/0008_event_windows.sql';
import hookRepeats from '../migrations/sqlite/0009_hook_repeats.sql';
import runsInTrouble from '../migrations/sqlite/0010_runs_in_trouble.sql';
import type { Connection, SqliteDatabase } from './database.js';
import { corruptStore } from './errors.js';
import { fileSizes, loadDriver } from './open.js';

/** One step of the schema; its place in the list is its version, from 1. */
export interface Migration {
  name: string;
  sql: string;
}

/** All steps of the SQLite schema, oldest first. Only ever appended to. */
export const SQLITE_MIGRATIONS: readonly Migration[] = [
  { name: '0001_initial', sql: initial },
  { name: '0002_kept_answer', sql: keptAnswer },
  { name: '0003_approvals_and_event_waits', sql: approvals },
  { name: '0004_event_trace', sql: eventTrace },
  { name: '0005_budgets', sql: budgets },
  { name: '0006_outbox', sql: outbox },
  { name: '0007_provenance_and_called_tasks', sql: provenance },
  { name: '0008_event_windows', sql: eventWindows },
  { name: '0009_hook_repeats', sql: hookRepeats },
  { name: '0010_runs_in_trouble', sql: runsInTrouble },
];

/** The row of `meta` that is there while a process that migrated the database is using it. */
const IN_USE = 'in_use_since';
/** A file up to this size is checked at each start: it takes some milliseconds. */
const ALWAYS_CHECKED_BYTES = 32 * 1024 * 1024;

/** The version of the schema a database has; 0 when it is empty. */
export function currentVersion(connection: Connection): number {
  const exists = connection
    .sql("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migration'")
    .get();
  if (exists === undefined) return 0;
  const row = connection.sql('SELECT max(version) AS version FROM schema_migration').get() as {
    version: number | null;
  };
  return row.version ?? 0;
}

/**
 * Brings the schema up to date; of several that try at once, one does it. A database with something in it is copied
 * beside itself first (`FILE.before-v2`).
 * @throws PaoError PAO_STORE_NEWER when a newer program has migrated it, PAO_STORE_CORRUPT when it is damaged after a
 * crash.
 */
export async function migrateSqlite(
  database: SqliteDatabase,
  migrations: readonly Migration[],
  now: number,
): Promise<{ from: number; to: number }> {
  const wanted = migrations.length;
  const seen = await database.read(currentVersion);
  refuseNewer(seen, wanted, database.location);
  if (seen > 0) await checkSound(database);
  const from = await database.writeAlone((connection) => {
    const current = currentVersion(connection);
    refuseNewer(current, wanted, database.location);
    if (current > 0 && current < wanted) backUp(database.location, wanted);
    if (current === 0 && wanted > 0) {
      connection.raw.exec(
        'CREATE TABLE schema_migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT',
      );
    }
    for (let version = current + 1; version <= wanted; version++) {
      const { name, sql } = migrations[version - 1] as Migration;
      // The row first: a second starter that got this far fails on it, not halfway through the schema.
      connection.raw.prepare('INSERT INTO schema_migration VALUES (?, ?, ?)').run(version, name, now);
      connection.raw.exec(sql);
    }
    connection.raw
      .prepare(
        'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
      )
      .run(IN_USE, String(now));
    return current;
  });
  return { from, to: wanted };
}

/** Notes that the database was closed in order, so that the next start need not check it. */
export function markClosed(connection: Connection): void {
  connection.sql('DELETE FROM meta WHERE key = ?').run(IN_USE);
}

/** @throws PaoError PAO_STORE_NEWER when the schema is of a newer program. */
export function refuseNewer(current: number, wanted: number, location: string): void {
  if (current <= wanted) return;
  throw new PaoError(
    'PAO_STORE_NEWER',
    `The database ${location} has schema version ${current}; this version of pao knows ${wanted} at most.`,
    {
      exitCode: EXIT.unavailable,
      status: 503,
      hints: [
        'npm install --global pao@latest',
        `Or go back to the copy that was made before the upgrade: ${location}.before-v${current}`,
      ],
    },
  );
}

/** After a crash, and whenever it costs next to nothing: a damaged file is found before anything is done with it. */
async function checkSound(database: SqliteDatabase): Promise<void> {
  await database.read((connection) => {
    const crashed = connection.sql('SELECT 1 FROM meta WHERE key = ?').get(IN_USE) !== undefined;
    if (!crashed && fileSizes(database.location).sizeBytes > ALWAYS_CHECKED_BYTES) return;
    const found = connection.raw.pragma('quick_check(5)', { simple: true });
    if (found === 'ok') return;
    // Its first line is only the name of the database.
    const lines = String(found).split('\n');
    throw corruptStore(
      database.location,
      (lines.find((line) => !line.startsWith('***')) ?? lines[0]) as string,
    );
  });
}

/** Called while the write lock is held: what is copied is the last state before the migration. */
function backUp(location: string, version: number): void {
  if (location === ':memory:') return;
  const target = `${location}.before-v${version}`;
  if (existsSync(target)) return;
  const partial = `${target}.partial`;
  rmSync(partial, { force: true });
  const Driver = loadDriver();
  const copy = new Driver(location, { readonly: true });
  try {
    copy.prepare('VACUUM INTO ?').run(partial);
  } finally {
    copy.close();
  }
  renameSync(partial, target);
}
