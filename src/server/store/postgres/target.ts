import type pg from 'pg';
import { EXIT, PaoError } from '../../../domain/errors.js';

/** Where a PostgreSQL database is. */
export interface PostgresTarget {
  host: string;
  port: number;
  database: string;
  user: string;
  /** For people: the URL without its password. */
  location: string;
  connection: pg.ClientConfig;
}

/**
 * Reads a `postgres://user:password@host:port/database?sslmode=…` URL; `?host=/folder` names a Unix socket.
 * @throws PaoError PAO_STORE_URL when it is not one. The message never repeats the URL: it may hold a password.
 */
export function parsePostgresUrl(url: string): PostgresTarget {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw badUrl('is not a PostgreSQL URL');
  }
  const database = decodeURIComponent(parsed.pathname.slice(1));
  if (database === '' || database.includes('/')) throw badUrl('names no database');
  const host = parsed.searchParams.get('host') ?? decodeURIComponent(parsed.hostname || 'localhost');
  const port = Number(parsed.searchParams.get('port') ?? (parsed.port || 5432));
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw badUrl('has a port that is none');
  const user = decodeURIComponent(parsed.username) || (process.env.PGUSER ?? process.env.USER ?? 'postgres');
  const where = host.startsWith('/')
    ? `/${database}?host=${host}&port=${port}`
    : `${host}:${port}/${database}`;
  return {
    host,
    port,
    database,
    user,
    location: `postgres://${user}@${where}`,
    connection: { connectionString: url },
  };
}

function badUrl(what: string): PaoError {
  return new PaoError('PAO_STORE_URL', `The database URL ${what}.`, {
    exitCode: EXIT.usage,
    hints: ['Write for example postgres://user:password@localhost:5432/pao'],
  });
}
