import type { RunTrigger } from '../../../domain/run.js';
import type { CanceledRuns } from '../store.js';
import type { Sql } from './database.js';

/** What of a row of `due_work` decides how a run can be ended from outside. */
export interface HeldRow {
  run_id: string;
  state: 0 | 1 | 2;
}

/** Ends runs that no worker has (queued or waiting); their rows are locked. */
export async function cancelIdle(
  sql: Sql,
  ids: readonly string[],
  reason: string,
  now: number,
): Promise<void> {
  if (ids.length === 0) return;
  await sql.rows(
    `SELECT pao_end_runs($1::text[], array_fill('canceled'::text, ARRAY[$2::integer]), array_fill($3::text, ARRAY[$2]),
      array_fill(NULL::text, ARRAY[$2]), array_fill(NULL::text, ARRAY[$2]), array_fill(pao_at($4), ARRAY[$2]))`,
    [ids, ids.length, reason, now],
  );
}

/** Asks the workers that have the runs to stop. */
export async function askToCancel(sql: Sql, ids: readonly string[], reason: string): Promise<void> {
  if (ids.length === 0) return;
  await sql.run(
    `UPDATE due_work SET cancel_requested = 1, cancel_reason = $2
      WHERE run_id = ANY ($1) AND state = 1 AND cancel_requested = 0`,
    [ids, reason],
  );
}

/**
 * Cancels all of a task that has not ended: at once what is queued or waiting; what runs is asked to stop.
 */
export async function cancelAllOfTask(
  sql: Sql,
  taskSeq: number,
  reason: string,
  now: number,
): Promise<CanceledRuns> {
  const rows = await sql.rows<HeldRow>(
    'SELECT run_id, state FROM due_work WHERE task_seq = $1 ORDER BY run_id FOR UPDATE',
    [taskSeq],
  );
  const idle = rows.filter(({ state }) => state !== 1).map(({ run_id }) => run_id);
  const cancelRequested = rows.filter(({ state }) => state === 1).map(({ run_id }) => run_id);
  await cancelIdle(sql, idle, reason, now);
  await askToCancel(sql, cancelRequested, reason);
  const canceled =
    idle.length === 0
      ? []
      : await sql.rows<{ id: string; trigger: RunTrigger }>(
          'SELECT id, trigger FROM run WHERE id = ANY ($1) ORDER BY id',
          [idle],
        );
  return { cancelRequested, canceled };
}
