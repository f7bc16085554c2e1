import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { EXIT, PaoError } from '../../../domain/errors.js';
import type { BackupOptions, Inspection } from '../inspect.js';
import { backUpSqlite } from './backup.js';
import { Connection } from './database.js';
import { explainSqliteError } from './errors.js';
import { currentVersion, type Migration, SQLITE_MIGRATIONS } from './migrate.js';
import { fileSizes, openConnection } from './open.js';

/** Damage is listed up to this many lines: one broken page is often told a thousand times. */
const MAX_PROBLEMS = 20;

/**
 * Opens an SQLite file for {@link Inspection}, for reading only.
 * @throws PaoError PAO_STORE_MISSING when there is no file, and as {@link openConnection}.
 */
export function inspectSqlite(
  path: string,
  migrations: readonly Migration[] = SQLITE_MIGRATIONS,
): Inspection {
  const location = resolve(path);
  if (!existsSync(location)) {
    throw new PaoError('PAO_STORE_MISSING', `There is no database ${location} yet.`, {
      exitCode: EXIT.notFound,
      hints: ['pao start local', 'pao db migrate'],
    });
  }
  const { raw } = openConnection({ path: location, durability: 'normal', readonly: true });
  const connection = new Connection(raw);
  const look = async <T>(work: () => T): Promise<T> => {
    try {
      return work();
    } catch (error) {
      throw explainSqliteError(error, location);
    }
  };
  const number = (sql: string, ...values: number[]) =>
    connection
      .sql(sql)
      .pluck()
      .get(...values) as number;
  const isEmpty = () => currentVersion(connection) === 0;

  return {
    engine: 'sqlite',
    location,
    schema: () =>
      look(() => {
        const current = currentVersion(connection);
        return {
          current,
          wanted: migrations.length,
          pending: migrations.slice(current).map(({ name }) => name),
        };
      }),
    sizes: () =>
      look(() => ({
        ...fileSizes(location),
        freeBytes: number('SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size'),
      })),
    rows: () =>
      look(() => {
        const names = connection
          .sql(
            `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`,
          )
          .pluck()
          .all() as string[];
        return Object.fromEntries(
          names.map((name) => [name, number(`SELECT count(*) FROM "${name.replaceAll('"', '""')}"`)]),
        );
      }),
    problems: (depth) => look(() => findProblems(connection, depth)),
    getMeta: (key) =>
      look(() =>
        isEmpty()
          ? null
          : ((connection.sql('SELECT value FROM meta WHERE key = ?').pluck().get(key) as
              | string
              | undefined) ?? null),
      ),
    prunable: ({ runsBefore, eventsBefore, answersBefore }) =>
      look(() =>
        isEmpty()
          ? { runs: 0, events: 0, answers: 0 }
          : {
              runs: number('SELECT count(*) FROM run WHERE finished_at < ?', runsBefore),
              events: number(
                'SELECT count(*) FROM event WHERE dispatched_at IS NOT NULL AND created_at < ?',
                eventsBefore,
              ),
              answers: number('SELECT count(*) FROM kept_answer WHERE at < ?', answersBefore),
            },
      ),
    writtenAfter: (at) =>
      look(() => ({
        runs: number('SELECT count(*) FROM run WHERE created_at > ?', at),
        tasks: number('SELECT count(*) FROM task WHERE updated_at > ?', at),
        events: number('SELECT count(*) FROM event WHERE created_at > ?', at),
      })),
    expiredLeases: (before) =>
      look(() => number('SELECT count(*) FROM due_work WHERE state = 1 AND lease_expires_at < ?', before)),
    newestRowAt: () =>
      look(
        () =>
          connection
            .sql(`SELECT max(at) FROM (
              SELECT max(at) AS at FROM audit_log
              UNION ALL SELECT created_at FROM run WHERE seq = (SELECT max(seq) FROM run)
              UNION ALL SELECT max(last_seen_at) FROM worker_heartbeat)`)
            .pluck()
            .get() as number | null,
      ),
    backUp: (file: string, options: BackupOptions) => backUpSqlite(raw, file, options),
    close: async () => {
      if (raw.open) raw.close();
    },
  };
}

function findProblems({ raw }: Connection, depth: 'quick' | 'full'): string[] {
  const pragma = depth === 'full' ? 'integrity_check' : 'quick_check';
  const found = (raw.pragma(`${pragma}(${MAX_PROBLEMS})`) as Record<string, string>[]).flatMap((row) =>
    Object.values(row),
  );
  const problems = found.length === 1 && found[0] === 'ok' ? [] : found;
  if (depth === 'full' && problems.length === 0) {
    const orphans = raw.pragma('foreign_key_check') as { table: string; rowid: number; parent: string }[];
    for (const { table, rowid, parent } of orphans.slice(0, MAX_PROBLEMS))
      problems.push(`row ${rowid} of ${table} refers to a row of ${parent} that is not there`);
  }
  return problems;
}
