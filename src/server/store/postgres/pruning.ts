import type { Store } from '../store.js';
import { pruneBudgets } from './budgets.js';
import type { PostgresDatabase } from './database.js';
import { dropWeek, listPartitions, weekEnd } from './partitions.js';

/** A week with more rows than this is not deleted row by row: it is dropped as a whole once it is old enough. */
const SMALL_WEEK = 10_000;
/** Runs that are still under way keep their week from being dropped; after this long its other rows go one by one. */
const PATIENCE_MS = 14 * 86_400_000;

/** Old history is dropped by the week; what is left of it in small weeks, and old events, a few rows at a time. */
export function pruningMethods(database: PostgresDatabase): Pick<Store, 'prune'> {
  return {
    async prune({ runsBefore, eventsBefore, answersBefore, tokensBefore, limit }) {
      let deleted = 0;
      for (const { week, suffix } of await listPartitions(database)) {
        if (week >= runsBefore || deleted >= limit) break;
        const table = `run_p${suffix}`;
        if (weekEnd(week) <= runsBefore) {
          const dropped = await dropIfOver(database, { week, suffix }, runsBefore);
          if (dropped !== null) {
            deleted += dropped;
            continue;
          }
        }
        const isSmall = (await countUpTo(database, table, SMALL_WEEK + 1)) <= SMALL_WEEK;
        if (isSmall || weekEnd(week) < runsBefore - PATIENCE_MS) {
          deleted += await deleteRuns(database, table, runsBefore, limit - deleted);
        }
      }
      if (deleted >= limit) return deleted;
      const events = await database.run(
        `DELETE FROM event WHERE sequence = ANY (ARRAY(
          SELECT sequence FROM event WHERE dispatched_at IS NOT NULL AND created_at < pao_at($1) ORDER BY created_at LIMIT $2))`,
        [eventsBefore, limit - deleted],
      );
      const answers = await database.run(
        'DELETE FROM kept_answer WHERE id = ANY (ARRAY(SELECT id FROM kept_answer WHERE at < pao_at($1) ORDER BY at LIMIT $2))',
        [answersBefore, limit - deleted - events],
      );
      const gone = deleted + events + answers;
      const budgets = await pruneBudgets(database, runsBefore, limit - gone);
      const deliveries = await database.run(
        `DELETE FROM outbox WHERE seq = ANY (ARRAY(
          SELECT seq FROM outbox WHERE finished_at < pao_at($1) AND status <> 'unknown' ORDER BY finished_at LIMIT $2))`,
        [runsBefore, Math.max(0, limit - gone - budgets)],
      );
      const tokens = await database.run(
        `DELETE FROM agent_token WHERE seq = ANY (ARRAY(
          SELECT seq FROM agent_token WHERE COALESCE(revoked_at, expires_at) < pao_at($1) ORDER BY seq LIMIT $2))`,
        [tokensBefore, Math.max(0, limit - gone - budgets - deliveries)],
      );
      return gone + budgets + deliveries + tokens;
    },
  };
}

/** @returns how many runs were in it, or null when one of them is not over or not old enough. */
function dropIfOver(
  database: PostgresDatabase,
  partition: { week: number; suffix: string },
  before: number,
): Promise<number | null> {
  const table = `run_p${partition.suffix}`;
  return database.transaction(async (sql) => {
    const kept = await sql.rows(
      `SELECT 1 FROM ${table} WHERE finished_at IS NULL OR finished_at >= pao_at($1) LIMIT 1`,
      [before],
    );
    if (kept.length > 0) return null;
    const [row] = await sql.rows<{ count: number }>(`SELECT count(*) FROM ${table}`);
    await dropWeek(sql, partition);
    return row?.count ?? 0;
  });
}

async function countUpTo(database: PostgresDatabase, table: string, limit: number): Promise<number> {
  const [row] = await database.rows<{ count: number }>(
    `SELECT count(*) FROM (SELECT FROM ${table} LIMIT ${limit}) AS few`,
  );
  return row?.count ?? 0;
}

async function deleteRuns(
  database: PostgresDatabase,
  table: string,
  before: number,
  limit: number,
): Promise<number> {
  const [row] = await database.rows<{ count: number }>(
    `WITH old AS MATERIALIZED (
        SELECT seq, scheduled_for FROM ${table} WHERE finished_at < pao_at($1) ORDER BY seq LIMIT $2
      ), steps AS (
        DELETE FROM step_run USING old WHERE run_seq = old.seq AND step_run.scheduled_for = old.scheduled_for
      ), keys AS (DELETE FROM step_key WHERE run_seq = ANY (ARRAY(SELECT seq FROM old))
      ), approvals AS (DELETE FROM approval WHERE run_seq = ANY (ARRAY(SELECT seq FROM old))
      ), exceptions AS (DELETE FROM run_exception WHERE run_seq = ANY (ARRAY(SELECT seq FROM old))
      ), runs AS (
        DELETE FROM ${table} AS run USING old WHERE run.seq = old.seq AND run.scheduled_for = old.scheduled_for RETURNING 1
      )
      SELECT count(*) FROM runs`,
    [before, limit],
  );
  return row?.count ?? 0;
}
