import type { PostgresDatabase, Sql, Transaction } from './database.js';
import { sqlState } from './errors.js';

const WEEK_MS = 7 * 86_400_000;
/** A Monday. */
const FIRST_WEEK = Date.UTC(1970, 0, 5);
/** How far ahead of the present partitions are made. */
const AHEAD_MS = 2 * WEEK_MS;
/** Taken for the length of a transaction while partitions are made or dropped. Any number that is ours alone. */
const LOCK = 7_260_403;

/** Half of each page is left free, so that the end of a run is written beside its beginning (HOT). */
const RUN_OPTIONS = `fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.1,
  autovacuum_vacuum_insert_scale_factor = 0.2`;
const STEP_OPTIONS = 'autovacuum_vacuum_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.1';

/** Thrown inside a transaction that needs partitions first: make them, then run it again. */
export class MissingPartitions extends Error {
  constructor(readonly weeks: number[]) {
    super('There is no partition for some runs yet.');
  }
}

/** The week (its first instant, UTC) whose partition holds an instant. */
export function weekOf(instant: number): number {
  return FIRST_WEEK + Math.floor((instant - FIRST_WEEK) / WEEK_MS) * WEEK_MS;
}

/** Makes the weekly partitions of `run` and `step_run` before they are needed, and knows which there are. */
export class Partitions {
  readonly #known = new Set<number>();
  #making: Promise<void> = Promise.resolve();

  constructor(private readonly database: PostgresDatabase) {}

  /** Weeks of these instants, and the present and the next one, that have no partition as far as we know. */
  missing(instants: readonly number[], now: number): number[] {
    const wanted = new Set([now, now + WEEK_MS].map(weekOf));
    for (const instant of instants) wanted.add(weekOf(instant));
    return [...wanted].filter((week) => !this.#known.has(week));
  }

  /** Makes what {@link missing} names, and some ahead of the present. */
  ensure(weeks: readonly number[], now: number): Promise<void> {
    if (weeks.length === 0) return Promise.resolve();
    const next = this.#making.catch(() => {}).then(() => this.#make(weeks, now));
    this.#making = next;
    return next;
  }

  /** Runs a transaction, making partitions as it finds them missing. */
  with<T>(now: number, job: (sql: Transaction) => Promise<T>): Promise<T> {
    return this.retrying(now, () => this.database.transaction(job));
  }

  /** Runs one statement or transaction, and again with the partitions it found missing. */
  async retrying<T>(now: number, attempt: () => Promise<T>): Promise<T> {
    if (this.#known.size === 0) await this.#learn();
    for (let tries = 0; ; tries++) {
      try {
        return await attempt();
      } catch (error) {
        if (tries < 3 && error instanceof MissingPartitions) await this.ensure(error.weeks, now);
        else if (tries < 3 && isWithoutPartition(error)) this.#known.clear();
        else throw error;
      }
    }
  }

  async #learn(): Promise<void> {
    for (const { week } of await listPartitions(this.database)) this.#known.add(week);
  }

  async #make(weeks: readonly number[], now: number): Promise<void> {
    const wanted = new Set(weeks);
    for (let at = now; at <= now + AHEAD_MS; at += WEEK_MS) wanted.add(weekOf(at));
    await this.database.transaction(async (sql) => {
      await sql.rows('SELECT pg_advisory_xact_lock($1)', [LOCK]);
      const there = new Set((await listPartitions(sql)).map(({ week }) => week));
      for (const week of wanted) if (!there.has(week)) await makeWeek(sql, week);
    });
    for (const week of wanted) this.#known.add(week);
  }
}

/** Weeks that have partitions, oldest first. */
export async function listPartitions(sql: Sql): Promise<{ week: number; suffix: string }[]> {
  const rows = await sql.rows<{ name: string }>(
    `SELECT relname AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
      WHERE inhparent = to_regclass('run') ORDER BY relname`,
  );
  return rows.map(({ name }) => {
    const suffix = name.slice('run_p'.length);
    return { week: Date.parse(suffix.replace(/^(.*)(\d\d)(\d\d)$/, '$1-$2-$3')), suffix };
  });
}

/** Drops the partitions of a week. */
export async function dropWeek(
  sql: Transaction,
  { week, suffix }: { week: number; suffix: string },
): Promise<void> {
  await sql.rows('SELECT pg_advisory_xact_lock($1)', [LOCK]);
  const bounds = [week, week + WEEK_MS];
  for (const table of ['step_key', 'run_exception', 'approval']) {
    await sql.run(
      `DELETE FROM ${table} WHERE scheduled_for >= pao_at($1) AND scheduled_for < pao_at($2)`,
      bounds,
    );
  }
  await sql.script(`DROP TABLE IF EXISTS step_run_p${suffix}`);
  await sql.script(`DROP TABLE IF EXISTS run_p${suffix}`);
}

/** The instant at which a week ends. */
export const weekEnd = (week: number): number => week + WEEK_MS;

async function makeWeek(sql: Transaction, week: number): Promise<void> {
  const day = (instant: number) => new Date(instant).toISOString().slice(0, 10);
  const suffix = day(week).replaceAll('-', '');
  for (const [table, options] of [
    ['run', RUN_OPTIONS],
    ['step_run', STEP_OPTIONS],
  ]) {
    // Made apart and then attached: this does not keep anyone from reading and writing the other partitions.
    await sql.script(
      `CREATE TABLE ${table}_p${suffix} (LIKE ${table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) WITH (${options})`,
    );
    await sql.script(`ALTER TABLE ${table} ATTACH PARTITION ${table}_p${suffix}
      FOR VALUES FROM ('${day(week)} 00:00:00+00') TO ('${day(week + WEEK_MS)} 00:00:00+00')`);
  }
}

/** Whether a partition is not there any more: the retention of another process dropped it. */
export function isWithoutPartition(error: unknown): boolean {
  return sqlState(error) === '23514' && /no partition/.test((error as Error).message);
}
