import { EXIT, PaoError } from '../../../domain/errors.js';
import type { PostgresTarget } from './target.js';

/** The SQLSTATE of an error of PostgreSQL (also below a PaoError that explains it), or null. */
export function sqlState(error: unknown): string | null {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) return code;
  return error instanceof PaoError && cause !== undefined ? sqlState(cause) : null;
}

/** The constraint that a row did not keep, or null. */
export function violatedConstraint(error: unknown): string | null {
  if (sqlState(error)?.startsWith('23') !== true) return null;
  const { constraint, cause } = error as { constraint?: string; cause?: { constraint?: string } };
  return constraint ?? cause?.constraint ?? '';
}

const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ENOENT',
  'EACCES',
]);
/** What `pg` says without a code when the connection is gone or does not answer. */
const BROKEN =
  /Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect|Query read timeout|Client was closed|server conn crashed|pgbouncer/i;

/** Whether the connection itself failed, so that what was asked for may or may not have been done. */
export function isConnectionError(error: unknown): boolean {
  if (error instanceof PaoError) return error.code === 'PAO_STORE_UNREACHABLE';
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string') {
    // 08: connection exception; 57P01–57P03, 57P05: shut down, crashed, starting, idle too long. 25P03: idle in a transaction.
    if (NETWORK.has(code) || /^(08...|57P0[1235]|25P03)$/.test(code)) return true;
    if (/^[0-9A-Z]{5}$/.test(code)) return false;
  }
  if (error instanceof AggregateError) return error.errors.some(isConnectionError);
  return typeof message === 'string' && BROKEN.test(message);
}

/**
 * Puts an error of PostgreSQL or of the network into words; anything else is returned as it is.
 * @param target where the database is, for the message; never its password.
 */
export function explainPostgresError(error: unknown, target: PostgresTarget): unknown {
  if (error instanceof PaoError) return error;
  const { host, port, database, user, location } = target;
  const state = sqlState(error);
  const because = reasonOf(error);
  const fail = (code: string, message: string, hints: string[], status = 503) =>
    new PaoError(code, message, { exitCode: EXIT.unavailable, status, hints, cause: error });
  const at = `PostgreSQL at ${host}:${port}`;
  if (isConnectionError(error)) {
    return fail('PAO_STORE_UNREACHABLE', `${at} can not be reached: ${because}.`, [
      `pg_isready --host ${host} --port ${port}`,
      'Start it, or name another one with DATABASE_URL=postgres://user:password@host:port/database',
      'Without DATABASE_URL pao keeps its data in SQLite',
    ]);
  }
  switch (state) {
    case '28P01':
    case '28000':
      return fail('PAO_STORE_AUTH', `${at} refuses the user "${user}": ${because}.`, [
        `psql "${location}"`,
        'Check user and password in DATABASE_URL, and pg_hba.conf of the server',
      ]);
    case '3D000':
      return fail('PAO_STORE_NO_DATABASE', `${at} has no database "${database}".`, [
        `createdb --host ${host} --port ${port} --username ${user} ${database}`,
      ]);
    case '42501':
      return fail('PAO_STORE_PERMISSION', `${at}: the user "${user}" may not do this: ${because}.`, [
        `psql "${location}" --command 'GRANT ALL ON SCHEMA public TO "${user}"' (as an administrator)`,
        'pao makes its own tables: its user needs CREATE in the schema',
      ]);
    case '53300':
      return fail('PAO_STORE_TOO_MANY_CONNECTIONS', `${at} has no connection left: ${because}.`, [
        'Lower postgres.pool_size in pao.config.yaml, or raise max_connections of the server',
        'Or put PgBouncer between, and name the database itself in database_direct_url',
      ]);
    case '53100':
      return fail(
        'PAO_DISK_FULL',
        `The disk of ${at} is full.`,
        ['Make room; work goes on by itself then', 'pao db prune deletes old history'],
        507,
      );
    case '57014':
    case '55P03':
      return fail('PAO_STORE_TIMEOUT', `${at} did not answer in time: ${because}.`, [
        'pao status',
        'Another program may hold a lock: look at pg_stat_activity',
        'postgres.statement_timeout and postgres.lock_timeout in pao.config.yaml say how long is waited',
      ]);
    case '25006':
      return fail('PAO_STORE_READONLY', `${at} only answers reads: it is a standby.`, [
        'Name the primary in DATABASE_URL',
      ]);
    case '22021':
    case '22P05':
      return new PaoError(
        'PAO_INPUT_INVALID',
        'A text holds the character U+0000, which PostgreSQL can not keep.',
        { exitCode: EXIT.usage, status: 422, hints: ['Leave the character out'], cause: error },
      );
    case '42P01':
      return fail('PAO_STORE_NOT_MIGRATED', `The database ${location} does not have pao's tables.`, [
        'pao start local',
      ]);
    default:
      return error;
  }
}

/** All connections of this process are in use, for longer than one is waited for. */
export function poolExhausted({ host, port }: PostgresTarget, size: number, cause: unknown): PaoError {
  return new PaoError(
    'PAO_STORE_BUSY',
    `All ${size} connections to PostgreSQL at ${host}:${port} have been in use for too long.`,
    {
      exitCode: EXIT.unavailable,
      status: 503,
      hints: ['pao status', 'Raise postgres.pool_size in pao.config.yaml, or start another process'],
      cause,
    },
  );
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  const { code, message } = error as { code?: string; message?: string };
  if (code === 'ECONNREFUSED') return 'the connection was refused (ECONNREFUSED)';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the name is not known (${code})`;
  return (message ?? String(error)).replace(/\.$/, '');
}
