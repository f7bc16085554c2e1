import type { BackupOptions, Inspection } from '../inspect.js';
import { POSTGRES_DEFAULTS, PostgresDatabase } from './database.js';
import { dumpPostgres } from './dump.js';
import { currentVersion, POSTGRES_MIGRATIONS } from './migrate.js';
import { parsePostgresUrl } from './target.js';

const MAX_PROBLEMS = 20;
/** Looking at a whole database takes longer than any statement of the services may. */
const PATIENCE_MS = 10 * 60_000;

/** Rows that refer to rows which are not there: nothing but the program itself keeps these (see 0001_initial.sql). */
const ORPHANS: readonly [what: string, sql: string][] = [
  [
    'due work of runs that are not there',
    'SELECT count(*) FROM due_work d WHERE NOT EXISTS (SELECT FROM run r WHERE r.seq = d.seq AND r.scheduled_for = d.scheduled_for)',
  ],
  [
    'runs that have not ended and have no due work',
    "SELECT count(*) FROM run r WHERE r.status = 'active' AND NOT EXISTS (SELECT FROM due_work d WHERE d.run_id = r.id)",
  ],
  [
    'runs of tasks that are not there',
    'SELECT count(*) FROM run r WHERE NOT EXISTS (SELECT FROM task t WHERE t.seq = r.task_seq)',
  ],
  [
    'steps of runs that are not there',
    'SELECT count(*) FROM step_run s WHERE NOT EXISTS (SELECT FROM run r WHERE r.seq = s.run_seq AND r.scheduled_for = s.scheduled_for)',
  ],
];

/**
 * Opens a PostgreSQL database for {@link Inspection}.
 * @throws PaoError as {@link PostgresDatabase.open}.
 */
export async function inspectPostgres(url: string): Promise<Inspection> {
  const target = parsePostgresUrl(url);
  const database = new PostgresDatabase(target, {
    ...POSTGRES_DEFAULTS,
    poolSize: 2,
    statementTimeoutMs: PATIENCE_MS,
  });
  try {
    await database.open();
  } catch (error) {
    await database.close();
    throw error;
  }
  const count = async (sql: string, ...values: unknown[]): Promise<number> =>
    (await database.row<{ count: number }>(sql, values))?.count ?? 0;
  const isEmpty = async () => (await currentVersion(database)) === 0;

  return {
    engine: 'postgres',
    location: database.location,
    async schema() {
      const current = await currentVersion(database);
      return {
        current,
        wanted: POSTGRES_MIGRATIONS.length,
        pending: POSTGRES_MIGRATIONS.slice(current).map(({ name }) => name),
      };
    },
    async sizes() {
      const sizeBytes = await count('SELECT pg_database_size(current_database()) AS count');
      return { sizeBytes, walBytes: 0, freeBytes: 0 };
    },
    async rows() {
      const tables = await database.rows<{ name: string }>(
        `SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
          AND relnamespace = current_schema()::regnamespace ORDER BY relname`,
      );
      const counted: Record<string, number> = {};
      for (const { name } of tables)
        counted[name] = await count(`SELECT count(*) AS count FROM "${name.replaceAll('"', '""')}"`);
      return counted;
    },
    async problems(depth) {
      if (await isEmpty()) return [];
      const invalid = await database.rows<{ name: string }>(
        'SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid',
      );
      const problems = invalid.map(({ name }) => `the index ${name} is not valid`);
      if (depth === 'full') {
        for (const [what, sql] of ORPHANS) {
          const found = await count(sql);
          if (found > 0) problems.push(`${found} ${what}`);
        }
      }
      return problems.slice(0, MAX_PROBLEMS);
    },
    async getMeta(key) {
      if (await isEmpty()) return null;
      return (
        (await database.row<{ value: string }>('SELECT value FROM meta WHERE key = $1', [key]))?.value ?? null
      );
    },
    prunable: async ({ runsBefore, eventsBefore, answersBefore }) => ({
      runs: await count('SELECT count(*) AS count FROM run WHERE finished_at < pao_at($1)', runsBefore),
      events: await count(
        'SELECT count(*) AS count FROM event WHERE dispatched_at IS NOT NULL AND created_at < pao_at($1)',
        eventsBefore,
      ),
      answers: await count('SELECT count(*) AS count FROM kept_answer WHERE at < pao_at($1)', answersBefore),
    }),
    writtenAfter: async (at) => ({
      runs: await count('SELECT count(*) AS count FROM run WHERE created_at > pao_at($1)', at),
      tasks: await count('SELECT count(*) AS count FROM task WHERE updated_at > pao_at($1)', at),
      events: await count('SELECT count(*) AS count FROM event WHERE created_at > pao_at($1)', at),
    }),
    expiredLeases: (before) =>
      count(
        'SELECT count(*) AS count FROM due_work WHERE state = 1 AND lease_expires_at < pao_at($1)',
        before,
      ),
    async newestRowAt() {
      const row = await database.row<{ at: number | null }>(
        `SELECT greatest((SELECT max(at) FROM audit_log), (SELECT max(last_seen_at) FROM worker_heartbeat),
          (SELECT created_at FROM run ORDER BY seq DESC LIMIT 1)) AS at`,
      );
      return row?.at ?? null;
    },
    backUp: (file: string, options: BackupOptions) => dumpPostgres(target, file, options),
    close: () => database.close(),
  };
}
