import type { RunStatus, RunTrigger } from '../../../domain/run.js';
import type { CanceledRuns } from '../store.js';
import { cancelApprovals } from './approvals.js';
import type { Connection } from './database.js';
import { closeEventWaits } from './event-waits.js';
import { leaveLanes } from './lanes.js';
import type { DueRow } from './run-rows.js';

/** How a run ends; JSON columns as they are stored. */
export interface RunEnd {
  status: RunStatus;
  reason: string | null;
  error: string | null;
  output: string | null;
  finishedAt: number;
}

/** Gives a run its final status, deletes its due work, frees its keys and wakes who waited behind it. */
export function endRun(connection: Connection, row: DueRow, end: RunEnd): void {
  connection
    .sql(`UPDATE run SET status = ?, reason = ?, error = ?, output = ?, finished_at = ?, attempt = ?, deaths = ?,
      started_at = ?, worker_id = ? WHERE seq = ?`)
    .run(
      end.status,
      end.reason,
      end.error,
      end.output,
      end.finishedAt,
      row.attempt,
      row.deaths,
      row.started_at,
      row.lease_owner,
      row.seq,
    );
  connection.sql('DELETE FROM due_work WHERE seq = ?').run(row.seq);
  if (row.has_keys === 1) releaseKeys(connection, row.seq);
  if (row.waiting === 1) closeEventWaits(connection, row.seq);
  // A run that succeeded has nothing open: the happy path does not look.
  if (end.status !== 'succeeded') cancelApprovals(connection, row.seq, row.task_seq, end.finishedAt);
  if (row.state !== 2) leaveLanes(connection, row);
}

/** A key stays taken when its step did its work, or may have. */
function releaseKeys(connection: Connection, seq: number): void {
  connection
    .sql(`DELETE FROM step_key WHERE run_seq = ? AND NOT EXISTS (
        SELECT 1 FROM step_run WHERE step_run.run_seq = step_key.run_seq AND step_run.step_id = step_key.step_id
          AND step_run.status NOT IN ('failed', 'skipped'))`)
    .run(seq);
}

/** Ends a run that no worker has: queued or waiting. */
export function cancelIdle(connection: Connection, row: DueRow, reason: string, now: number): void {
  endRun(connection, row, { status: 'canceled', reason, error: null, output: null, finishedAt: now });
}

/** Asks the worker that has the run to stop. */
export function askToCancel(connection: Connection, seq: number, reason: string): void {
  connection
    .sql('UPDATE due_work SET cancel_requested = 1, cancel_reason = ? WHERE seq = ? AND cancel_requested = 0')
    .run(reason, seq);
}

/**
 * Cancels all of a task that has not ended: at once what is queued or waiting; what runs is asked to stop.
 */
export function cancelAllOfTask(
  connection: Connection,
  taskSeq: number,
  reason: string,
  now: number,
): CanceledRuns {
  const rows = connection.sql('SELECT * FROM due_work WHERE task_seq = ?').all(taskSeq) as DueRow[];
  const result: CanceledRuns = { cancelRequested: [], canceled: [] };
  // Parked ones first: those that end later would only wake them to be canceled as well.
  for (const row of rows.sort((a, b) => b.state - a.state)) {
    const { id, trigger } = connection.sql('SELECT id, trigger FROM run WHERE seq = ?').get(row.seq) as {
      id: string;
      trigger: RunTrigger;
    };
    if (row.state === 1) {
      askToCancel(connection, row.seq, reason);
      result.cancelRequested.push(id);
    } else {
      cancelIdle(connection, row, reason, now);
      result.canceled.push({ id, trigger });
    }
  }
  return result;
}
