import type BetterSqlite3 from 'better-sqlite3';
import { type Clock, systemClock } from '../../../domain/clock.js';
import { waitInRealTime } from '../wait-in-real-time.js';
import { explainSqliteError, isBusy, sqliteCode } from './errors.js';
import { fileSizes, type RawDatabase, type SqliteConnection } from './open.js';

export type Statement = BetterSqlite3.Statement<unknown[]>;

/** Jobs that share one commit, at most; the rest goes into the next one. */
const MAX_GROUP = 256;
/** How long a lock is waited for before the caller is told, milliseconds. */
const LOCK_WAIT_MS = 5000;
const RETRY_MS = 10;
const WAL_TRUNCATE_BYTES = 64 * 1024 * 1024;

/** One connection, with each statement prepared once. */
export class Connection {
  readonly #statements = new Map<string, Statement>();
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #rollback: Statement;

  constructor(readonly raw: RawDatabase) {
    this.#begin = raw.prepare('BEGIN IMMEDIATE');
    this.#commit = raw.prepare('COMMIT');
    this.#rollback = raw.prepare('ROLLBACK');
  }

  sql(text: string): Statement {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.raw.prepare(text) as Statement;
      this.#statements.set(text, statement);
    }
    return statement;
  }

  /** Runs a job as one write transaction; all of it is undone when it throws. */
  transact<T>(job: (connection: Connection) => T): T {
    this.#begin.run();
    try {
      const result = job(this);
      this.#commit.run();
      return result;
    } catch (error) {
      // SQLite has rolled back by itself after some errors, such as a full disk.
      if (this.raw.inTransaction) this.#rollback.run();
      throw error;
    }
  }

  /** Runs a part of a transaction; only this part is undone when it throws. */
  nested<T>(job: (connection: Connection) => T): T {
    this.sql('SAVEPOINT part').run();
    try {
      const result = job(this);
      this.sql('RELEASE part').run();
      return result;
    } catch (error) {
      if (this.raw.inTransaction) {
        this.sql('ROLLBACK TO part').run();
        this.sql('RELEASE part').run();
      }
      throw error;
    }
  }
}

interface Job {
  run: (connection: Connection) => unknown;
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
}

/**
 * The connection of a process and how it is written to. Changes that are acknowledged go through a group commit: what
 * is asked for in the same turn of the event loop shares one transaction and one fsync, and an idle process does not
 * wait. Leases and heartbeats are written by the same connection without fsync: a second one would do as well, but each
 * would throw away the other's page cache with every commit. A lock that another process holds is waited for without
 * blocking the event loop.
 */
export class SqliteDatabase {
  readonly location: string;
  readonly #connection: Connection;
  readonly #synchronous: SqliteConnection['synchronous'];
  readonly #clock: Clock;
  #queue: Job[] = [];
  #flushing = false;
  #commits = 0;

  constructor(opened: SqliteConnection, clock: Clock = systemClock) {
    this.location = opened.location;
    this.#connection = new Connection(opened.raw);
    this.#synchronous = opened.synchronous;
    this.#clock = clock;
  }

  /** Reads outside of any transaction; one statement sees one state of the database. */
  read<T>(job: (connection: Connection) => T): Promise<T> {
    return this.#patiently(() => job(this.#connection));
  }

  /** Several reads that see the same state of the database. */
  snapshot<T>(job: (connection: Connection) => T): Promise<T> {
    return this.#patiently(() => this.#connection.raw.transaction(() => job(this.#connection))());
  }

  /** Writes in a transaction that may be shared with other calls, and resolves once it is on disk. */
  write<T>(job: (connection: Connection) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ run: job, resolve: resolve as (value: never) => void, reject });
      if (!this.#flushing) {
        this.#flushing = true;
        setImmediate(() => void this.#flush());
      }
    });
  }

  /** Writes at once in a transaction of its own that a power loss may undo. */
  writeRelaxed<T>(job: (connection: Connection) => T): Promise<T> {
    return this.#patiently(() => {
      if (this.#synchronous !== 'FULL') return this.#connection.transact(job);
      const { raw } = this.#connection;
      raw.exec('PRAGMA synchronous = NORMAL');
      try {
        return this.#connection.transact(job);
      } finally {
        raw.exec('PRAGMA synchronous = FULL');
      }
    });
  }

  /** Writes at once, durably, in a transaction of its own: for schema changes. */
  writeAlone<T>(job: (connection: Connection) => T): Promise<T> {
    return this.#patiently(() => this.#connection.transact(job));
  }

  /** Merges the log into the file and gives its space back, as far as readers and the disk allow it. */
  async truncateLog(): Promise<void> {
    try {
      this.#connection.raw.pragma('wal_checkpoint(TRUNCATE)');
    } catch (error) {
      if (sqliteCode(error) === null) throw error;
    }
  }

  /** Waits for what is being written, merges the log into the file and closes. */
  async close(beforeClosing?: (connection: Connection) => void): Promise<void> {
    while (this.#flushing) await waitInRealTime(1);
    const { raw } = this.#connection;
    if (!raw.open) return;
    try {
      if (!raw.readonly) {
        if (beforeClosing) await this.#patiently(() => this.#connection.transact(beforeClosing));
        // Another process that still reads keeps it from shrinking; the last one to close finishes it.
        raw.pragma('wal_checkpoint(TRUNCATE)');
      }
    } catch (error) {
      // On a full disk the log is kept, and the mark that says to check the file at the next start.
      if (
        !isBusy(error) &&
        (error as { code?: string }).code !== 'PAO_DISK_FULL' &&
        sqliteCode(error) !== 'SQLITE_FULL'
      )
        throw explainSqliteError(error, this.location);
    } finally {
      if (raw.open) raw.close();
    }
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = await this.#commitGroup();
      for (const settle of group) settle();
      this.#shrinkLog();
      if (this.#queue.length > 0) await new Promise((resume) => setImmediate(resume));
    }
    this.#flushing = false;
  }

  /** Takes the jobs only once the lock is held, so that all that came while waiting share the commit. */
  async #commitGroup(): Promise<(() => void)[]> {
    let jobs: Job[] = [];
    try {
      return await this.#patiently(() =>
        this.#connection.transact((connection) => {
          jobs = this.#queue.splice(0, MAX_GROUP);
          const alone = jobs.length === 1;
          return jobs.map((job) => {
            try {
              const value = alone ? job.run(connection) : connection.nested(job.run);
              return () => job.resolve(value as never);
            } catch (error) {
              if (alone || !connection.raw.inTransaction || isBroken(error)) throw error;
              return () => job.reject(explainSqliteError(error, this.location));
            }
          });
        }),
      );
    } catch (error) {
      if (jobs.length === 0) jobs = this.#queue.splice(0);
      return jobs.map((job) => () => job.reject(error));
    }
  }

  async #patiently<T>(attempt: () => T): Promise<T> {
    let since: number | null = null;
    for (;;) {
      try {
        return attempt();
      } catch (error) {
        if (!isBusy(error)) throw explainSqliteError(error, this.location);
        since ??= this.#clock.monotonic();
        if (this.#clock.monotonic() - since > LOCK_WAIT_MS) throw explainSqliteError(error, this.location);
        await waitInRealTime(RETRY_MS * (0.5 + Math.random()));
      }
    }
  }

  /** The log only shrinks when no reader is in it; a long one is cut as soon as that is so. */
  #shrinkLog(): void {
    this.#commits += 1;
    if (this.#commits % 500 !== 0 || this.location === ':memory:') return;
    if (fileSizes(this.location).walBytes < WAL_TRUNCATE_BYTES) return;
    try {
      this.#connection.raw.pragma('wal_checkpoint(TRUNCATE)');
      // What was committed is safe in the log.
      // pao-lint-disable-next-line swallowed-error -- a reader is in it, or the disk is full; the next round tries again
    } catch {}
  }
}

/** Whether the database itself failed, so that nothing else of the transaction can be kept either. */
function isBroken(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== null && /^SQLITE_(FULL|IOERR|CORRUPT|NOTADB|NOMEM|READONLY|BUSY|LOCKED)/.test(code);
}
