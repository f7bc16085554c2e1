import pg from 'pg';
import { EXIT, PaoError } from '../../../domain/errors.js';
import { loadDump } from './dump.js';
import { explainPostgresError, sqlState } from './errors.js';
import { parsePostgresUrl, type PostgresTarget } from './target.js';

/** Databases that are there to connect to while another one is made, renamed or dropped. */
const MAINTENANCE = ['postgres', 'template1'];

/** A database on the same server that takes a dump, and then the place of another. */
export interface FreshDatabase {
  url: string;
  /** Takes all of a dump of `pg_dump`, or fails. */
  fill(file: string, signal: AbortSignal): Promise<void>;
  /**
   * Gives it the name of the database it is for, in one transaction with the new name of that one.
   * @returns the URL, without a password, of the database that was replaced; null when there was none.
   * @throws PaoError PAO_STORE_IN_USE (exit 3) when somebody is connected to it.
   */
  takePlace(keptAs: string): Promise<string | null>;
  /** Drops it when it did not take the place. */
  drop(): Promise<void>;
}

/**
 * Makes an empty database beside the one a URL names.
 * @param name of the new one.
 * @throws PaoError PAO_RESTORE_FORBIDDEN (exit 4) when the user may not make databases.
 */
export async function makeFreshDatabase(url: string, name: string): Promise<FreshDatabase> {
  const target = parsePostgresUrl(url);
  const server = await connectBeside(url, target);
  const quoted = (database: string) => server.escapeIdentifier(database);
  const run = async (sql: string) => {
    try {
      return await server.query(sql);
    } catch (error) {
      throw inWords(error, target);
    }
  };
  try {
    await run(`DROP DATABASE IF EXISTS ${quoted(name)} WITH (FORCE)`);
    await run(
      `CREATE DATABASE ${quoted(name)} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
  } catch (error) {
    await server.end();
    throw error;
  }
  const freshUrl = withDatabase(url, name);
  let placed = false;
  return {
    url: freshUrl,
    fill: (file, signal) => loadDump(parsePostgresUrl(freshUrl), file, signal),
    async takePlace(keptAs) {
      const { rowCount } = await server.query('SELECT FROM pg_database WHERE datname = $1', [
        target.database,
      ]);
      await run('BEGIN');
      try {
        if (rowCount === 1)
          await run(`ALTER DATABASE ${quoted(target.database)} RENAME TO ${quoted(keptAs)}`);
        await run(`ALTER DATABASE ${quoted(name)} RENAME TO ${quoted(target.database)}`);
        await run('COMMIT');
      } catch (error) {
        await run('ROLLBACK');
        throw error;
      }
      placed = true;
      return rowCount === 1 ? parsePostgresUrl(withDatabase(url, keptAs)).location : null;
    },
    async drop() {
      try {
        if (!placed) await run(`DROP DATABASE IF EXISTS ${quoted(name)} WITH (FORCE)`);
      } finally {
        await server.end();
      }
    },
  };
}

/** Connects to the server of a database, but to another database of it: nobody can rename the one they are in. */
async function connectBeside(url: string, target: PostgresTarget): Promise<pg.Client> {
  let last: unknown;
  for (const database of MAINTENANCE.filter((name) => name !== target.database)) {
    const client = new pg.Client({
      connectionString: withDatabase(url, database),
      application_name: 'pao db restore',
    });
    client.on('error', () => {});
    try {
      await client.connect();
      return client;
    } catch (error) {
      last = error;
    }
  }
  throw inWords(last, target);
}

function withDatabase(url: string, database: string): string {
  const other = new URL(url);
  other.pathname = `/${encodeURIComponent(database)}`;
  return other.href;
}

function inWords(error: unknown, target: PostgresTarget): unknown {
  const state = sqlState(error);
  if (state === '42501') {
    return new PaoError(
      'PAO_RESTORE_FORBIDDEN',
      `${target.user} may not make and rename databases on ${target.host}:${target.port}: ${(error as Error).message}. Nothing was changed.`,
      {
        exitCode: EXIT.forbidden,
        hints: [
          `ALTER ROLE ${target.user} CREATEDB (as an administrator of the server)`,
          'Or into the database as it is, which keeps nothing of it: pg_restore --clean --if-exists --single-transaction --dbname "$DATABASE_URL" FILE',
        ],
        cause: error,
      },
    );
  }
  // object_in_use: somebody is connected.
  if (state === '55006') {
    return new PaoError(
      'PAO_STORE_IN_USE',
      `${target.location} is in use: ${(error as { detail?: string }).detail ?? (error as Error).message} Nothing was changed.`,
      {
        exitCode: EXIT.unavailable,
        hints: [
          'pao stop (on every machine)',
          'SELECT pid, application_name, client_addr FROM pg_stat_activity',
        ],
        cause: error,
      },
    );
  }
  return explainPostgresError(error, target);
}
