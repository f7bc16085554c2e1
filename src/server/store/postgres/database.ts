import { createHash } from 'node:crypto';
import pg from 'pg';
import { type Clock, systemClock } from '../../../domain/clock.js';
import { waitInRealTime } from '../wait-in-real-time.js';
import { explainPostgresError, isConnectionError, poolExhausted, sqlState } from './errors.js';
import type { PostgresTarget } from './target.js';

/** Waits, sizes and habits of a connection pool; the section `postgres` of the configuration, in milliseconds. */
export interface PostgresSettings {
  /** Connections of this process at most. */
  poolSize: number;
  /** How long a new connection, or a free one, is waited for. */
  connectTimeoutMs: number;
  statementTimeoutMs: number;
  lockTimeoutMs: number;
  /** `auto`: used unless a pooler stands between, which may not know them (PgBouncer before 1.21). */
  preparedStatements: 'auto' | 'on' | 'off';
}

export const POSTGRES_DEFAULTS: PostgresSettings = {
  poolSize: 8,
  connectTimeoutMs: 5000,
  statementTimeoutMs: 15_000,
  lockTimeoutMs: 5000,
  preparedStatements: 'auto',
};

/** Runs statements: in a transaction, or each in its own. */
export interface Sql {
  /** @returns the rows, as objects. */
  rows<T>(text: string, values?: unknown[]): Promise<T[]>;
  /** @returns the first row. */
  row<T>(text: string, values?: unknown[]): Promise<T | undefined>;
  /** @returns how many rows were written. */
  run(text: string, values?: unknown[]): Promise<number>;
}

/** A transaction under way. */
export interface Transaction extends Sql {
  /** Runs several statements that take no values. */
  script(text: string): Promise<void>;
}

/** Retries of a transaction that lost against another one. */
const MAX_CONFLICTS = 20;
const RETRY_MS = 100;
/** How long a disk that was full is taken for full, until a write tells otherwise. */
const FULL_MS = 5000;
/** What a person or a program is told of a client that does not answer comes after the server has given up itself. */
const CLIENT_GRACE_MS = 5000;

/**
 * The connections of one process to PostgreSQL. Nothing depends on the state of a session, so that a pooler in
 * transaction mode may stand between. A connection that is lost is replaced; what can be repeated without harm is
 * repeated for as long as a new connection may take.
 */
export class PostgresDatabase implements Sql {
  readonly location: string;
  readonly #pool: pg.Pool;
  readonly #target: PostgresTarget;
  readonly #settings: PostgresSettings;
  readonly #clock: Clock;
  readonly #names = new Map<string, string>();
  #named: boolean;
  #reached = false;
  /** Connections that broke so far: who asked in between does not know what became of it. */
  breaks = 0;
  /** When a write last failed for lack of room on the disk of the server, by the monotonic clock. */
  #fullAt: number | null = null;

  constructor(target: PostgresTarget, settings: PostgresSettings, clock: Clock = systemClock) {
    this.#target = target;
    this.#settings = settings;
    this.#clock = clock;
    this.location = target.location;
    this.#named = settings.preparedStatements === 'on';
    this.#pool = new pg.Pool({
      ...target.connection,
      max: settings.poolSize,
      connectionTimeoutMillis: settings.connectTimeoutMs,
      query_timeout: settings.statementTimeoutMs + CLIENT_GRACE_MS,
      idleTimeoutMillis: 60_000,
      keepAlive: true,
      application_name: 'pao',
      types: { getTypeParser },
      allowExitOnIdle: true,
    });
    // A connection that breaks while nobody uses it is only taken out of the pool.
    // The pool hears of idle connections alone: one that breaks between two statements of a transaction would otherwise
    // be an error that nobody hears, and end the process. Its next statement fails and says why.
    this.#pool.on('connect', (client) => client.on('error', () => {}));
    this.#pool.on('error', () => {
      this.breaks += 1;
    });
  }

  /**
   * Connects once, and finds out whether a pooler stands between.
   * @throws PaoError that names host, port and reason when the database can not be used.
   */
  async open(): Promise<void> {
    await this.#with(async (client) => {
      const { processID } = client as unknown as { processID: number | null };
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      if (this.#settings.preparedStatements === 'auto') this.#named = rows[0]?.pid === processID;
    });
  }

  /** The disk of the server is full, as far as was seen in the last seconds. */
  get isFull(): boolean {
    return this.#fullAt !== null && this.#clock.monotonic() - this.#fullAt < FULL_MS;
  }

  /** Connections as they are now. */
  get usage(): { idle: number; active: number; waiting: number } {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { idle: idleCount, active: totalCount - idleCount, waiting: waitingCount };
  }

  rows<T>(text: string, values: unknown[] = []): Promise<T[]> {
    return this.#with(async (client) => (await this.#query(client, text, values)).rows as T[]);
  }

  async row<T>(text: string, values: unknown[] = []): Promise<T | undefined> {
    return (await this.rows<T>(text, values))[0];
  }

  run(text: string, values: unknown[] = []): Promise<number> {
    return this.#with(async (client) => (await this.#query(client, text, values)).rowCount ?? 0);
  }

  /** As {@link rows}, for what may be asked twice without harm: again on a new connection when one breaks. */
  async read<T>(text: string, values: unknown[] = []): Promise<T[]> {
    return this.patiently(() => this.rows<T>(text, values));
  }

  /** Repeats what may be done twice without harm, for as long as a new connection may take. */
  async patiently<T>(attempt: () => Promise<T>): Promise<T> {
    const began = this.#clock.monotonic();
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        const waited = this.#clock.monotonic() - began;
        if (!isConnectionError(error) || !this.#reached || waited > this.#settings.connectTimeoutMs)
          throw error;
        await waitInRealTime(RETRY_MS);
      }
    }
  }

  /**
   * Runs a job as one transaction; all of it is undone when it throws. A job may be run again when another transaction
   * was first, or when the connection broke before anything was done.
   */
  async transaction<T>(job: (sql: Transaction) => Promise<T>): Promise<T> {
    const { statementTimeoutMs, lockTimeoutMs } = this.#settings;
    // Said in each transaction, not once for the session, which a pooler may share. A process that is stopped in the
    // middle of one must not hold its locks for ever.
    const begin = `BEGIN; SET LOCAL statement_timeout = ${statementTimeoutMs}; SET LOCAL lock_timeout = ${lockTimeoutMs};
      SET LOCAL idle_in_transaction_session_timeout = ${statementTimeoutMs}`;
    for (let conflicts = 0; ; conflicts++) {
      try {
        return await this.#with(async (client) => {
          await client.query(begin);
          try {
            const result = await job(this.#sqlOn(client));
            await client.query('COMMIT');
            return result;
          } catch (error) {
            if (!isConnectionError(error)) await client.query('ROLLBACK');
            throw error;
          }
        });
      } catch (error) {
        if (!isConflict(error) || conflicts === MAX_CONFLICTS) throw error;
        await waitInRealTime(conflicts * Math.random() * 5);
      }
    }
  }

  /** Repeats a statement that lost against another transaction. */
  async contending<T>(attempt: () => Promise<T>): Promise<T> {
    for (let conflicts = 0; ; conflicts++) {
      try {
        return await attempt();
      } catch (error) {
        if (!isConflict(error) || conflicts === MAX_CONFLICTS) throw error;
        await waitInRealTime(conflicts * Math.random() * 5);
      }
    }
  }

  async close(): Promise<void> {
    if (!this.#pool.ending) await this.#pool.end();
  }

  #sqlOn(client: pg.PoolClient): Transaction {
    const rows = async <T>(text: string, values: unknown[] = []) =>
      (await this.#query(client, text, values)).rows as T[];
    return {
      rows,
      row: async <T>(text: string, values: unknown[] = []) => (await rows<T>(text, values))[0],
      run: async (text, values = []) => (await this.#query(client, text, values)).rowCount ?? 0,
      script: async (text) => {
        await client.query(text);
      },
    };
  }

  /** A client from the pool for one use; one that broke is not put back. */
  async #with<T>(use: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    let client: pg.PoolClient;
    try {
      client = this.#reached ? await this.#connectPatiently() : await this.#pool.connect();
    } catch (error) {
      throw this.#isExhausted(error)
        ? poolExhausted(this.#target, this.#settings.poolSize, error)
        : explainPostgresError(error, this.#target);
    }
    this.#reached = true;
    let broken: Error | undefined;
    try {
      return await use(client);
    } catch (error) {
      if (sqlState(error) === '53100') this.#fullAt = this.#clock.monotonic();
      if (isConnectionError(error)) {
        broken = error as Error;
        this.breaks += 1;
      }
      throw explainPostgresError(error, this.#target);
    } finally {
      client.release(broken);
    }
  }

  /** The pool says the same when there is no free connection and when a new one does not come about. */
  #isExhausted(error: unknown): boolean {
    const { totalCount, idleCount } = this.#pool;
    const full = totalCount >= this.#settings.poolSize && idleCount === 0;
    return full && /timeout exceeded when trying to connect/.test((error as Error).message);
  }

  /** The database was there before: it is waited for while it starts again. */
  async #connectPatiently(): Promise<pg.PoolClient> {
    const began = this.#clock.monotonic();
    for (;;) {
      try {
        return await this.#pool.connect();
      } catch (error) {
        if (!isConnectionError(error) || this.#isExhausted(error) || this.#pool.ending) throw error;
        if (this.#clock.monotonic() - began > this.#settings.connectTimeoutMs) throw error;
        await waitInRealTime(RETRY_MS);
      }
    }
  }

  #query(client: pg.PoolClient, text: string, values: unknown[]): Promise<pg.QueryResult> {
    if (!this.#named) return client.query(text, values);
    let name = this.#names.get(text);
    if (name === undefined) {
      name = `pao_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
      this.#names.set(text, name);
    }
    return client.query({ name, text, values });
  }
}

/** Serialization failure, deadlock, or two who leased from one lane at once. */
function isConflict(error: unknown): boolean {
  const state = sqlState(error);
  if (state === '40001' || state === '40P01') return true;
  const { constraint } = causeOf(error);
  return state === '23505' && (constraint === 'due_work_serial' || constraint === 'due_work_lane');
}

function causeOf(error: unknown): { constraint?: string } {
  return ((error as { cause?: object }).cause ?? error) as { constraint?: string };
}

/** Numbers as numbers, instants as epoch milliseconds; the rest as pg does it. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === 1184) return parseInstant;
  if (oid === 20 || oid === 1700) return Number;
  return pg.types.getTypeParser(oid, format as 'text') as (value: string) => unknown;
}

/**
 * Reads a timestamptz as PostgreSQL writes it (ISO style, any zone): `2026-01-05 08:00:00.123+00`.
 * @returns epoch milliseconds.
 */
export function parseInstant(text: string): number {
  const zone = text.length > 19 ? Math.max(text.lastIndexOf('+'), text.lastIndexOf('-')) : -1;
  const offset = text.slice(zone);
  if (offset === '+00' && text[4] === '-' && text[10] === ' ') {
    const fraction = text[19] === '.' ? Number(`0${text.slice(19, zone)}`) * 1000 : 0;
    return (
      Date.UTC(
        Number(text.slice(0, 4)),
        Number(text.slice(5, 7)) - 1,
        Number(text.slice(8, 10)),
        Number(text.slice(11, 13)),
        Number(text.slice(14, 16)),
        Number(text.slice(17, 19)),
      ) + Math.round(fraction)
    );
  }
  return Date.parse(
    `${text.slice(0, zone).replace(' ', 'T')}${offset.length === 3 ? `${offset}:00` : offset}`,
  );
}
