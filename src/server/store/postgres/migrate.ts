import { EXIT, PaoError } from '../../../domain/errors.js';
import initial from '../migrations/postgres/0001_initial.sql';
import cancelReason from '../migrations/postgres/0002_cancel_reason.sql';
import budgets from '../migrations/postgres/0003_budgets.sql';
import outbox from '../migrations/postgres/0004_outbox.sql';
import provenance from '../migrations/postgres/0005_provenance_and_called_tasks.sql';
import eventWindows from '../migrations/postgres/0006_event_windows.sql';
import findRunsById from '../migrations/postgres/0007_find_runs_by_id.sql';
import hookRepeats from '../migrations/postgres/0008_hook_repeats.sql';
import runsInTrouble from '../migrations/postgres/0009_runs_in_trouble.sql';
import type { Migration } from '../sqlite/migrate.js';
import type { PostgresDatabase, Sql } from './database.js';

/** All steps of the PostgreSQL schema, oldest first. Only ever appended to. */
export const POSTGRES_MIGRATIONS: readonly Migration[] = [
  { name: '0001_initial', sql: initial },
  { name: '0002_cancel_reason', sql: cancelReason },
  { name: '0003_budgets', sql: budgets },
  { name: '0004_outbox', sql: outbox },
  { name: '0005_provenance_and_called_tasks', sql: provenance },
  { name: '0006_event_windows', sql: eventWindows },
  { name: '0007_find_runs_by_id', sql: findRunsById },
  { name: '0008_hook_repeats', sql: hookRepeats },
  { name: '0009_runs_in_trouble', sql: runsInTrouble },
];

/** Taken for the length of a transaction by who migrates. Any number that is ours alone. */
const LOCK = 7_260_401;

/** The version of the schema a database has; 0 when it is empty. */
export async function currentVersion(sql: Sql): Promise<number> {
  // Not to_regclass: it may know from before a wait for the lock that there is none.
  const found = await sql.rows(
    "SELECT 1 FROM pg_class WHERE relname = 'schema_migration' AND relnamespace = current_schema()::regnamespace",
  );
  if (found.length === 0) return 0;
  const row = await sql.row<{ version: number | null }>(
    'SELECT max(version) AS version FROM schema_migration',
  );
  return row?.version ?? 0;
}

/**
 * Brings the schema up to date in one transaction; of several that try at once, one does it and the others wait for it.
 * @throws PaoError PAO_STORE_NEWER when a newer program has migrated it.
 */
export async function migratePostgres(
  database: PostgresDatabase,
  migrations: readonly Migration[],
  now: number,
): Promise<{ from: number; to: number }> {
  const wanted = migrations.length;
  const seen = await currentVersion(database);
  refuseNewer(seen, wanted, database.location);
  if (seen === wanted) return { from: seen, to: wanted };
  return database.transaction(async (sql) => {
    // A large table takes its time, and so may another starter.
    await sql.run('SET LOCAL statement_timeout = 0');
    await sql.run('SET LOCAL lock_timeout = 0');
    await sql.rows('SELECT pg_advisory_xact_lock($1)', [LOCK]);
    const current = await currentVersion(sql);
    refuseNewer(current, wanted, database.location);
    if (current === 0) {
      await sql.run(
        'CREATE TABLE schema_migration (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL)',
      );
    }
    for (let version = current + 1; version <= wanted; version++) {
      const { name, sql: text } = migrations[version - 1] as Migration;
      await sql.script(text);
      await sql.run('INSERT INTO schema_migration VALUES ($1, $2, to_timestamp($3::float8 / 1000))', [
        version,
        name,
        now,
      ]);
    }
    return { from: current, to: wanted };
  });
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
      hints: ['npm install --global pao@latest', 'Or restore the backup that was made before the upgrade'],
    },
  );
}
