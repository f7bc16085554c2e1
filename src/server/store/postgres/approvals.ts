import type { Approval } from '../../../domain/approval.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import { type ApprovalRow, toApproval } from '../sqlite/approvals.js';
import { toJson } from '../sqlite/json-column.js';
import { eventKey } from '../sqlite/task-rows.js';
import type { ApprovalStore, Completion } from '../store.js';
import { writeAudit } from './audit.js';
import type { PostgresDatabase, Sql } from './database.js';

const SELECT = `SELECT approval.*, task.id AS task_id, task.name AS task_name, agent.id AS agent_id
  FROM approval JOIN task ON task.seq = approval.task_seq JOIN agent ON agent.seq = approval.agent_seq`;

/** Questions that runs wait with. */
export function approvalMethods(database: PostgresDatabase): ApprovalStore {
  const find = async (sql: Sql, where: string, ...values: unknown[]): Promise<Approval | null> => {
    const row = await sql.row<ApprovalRow>(`${SELECT} WHERE ${where}`, values);
    return row === undefined ? null : toApproval(row);
  };
  return {
    getApproval: (id) => database.patiently(() => find(database, 'approval.id = $1', id)),

    findApproval: (runId, stepId) =>
      database.patiently(() =>
        find(
          database,
          'approval.run_seq = (SELECT seq FROM run WHERE run.id = $1) AND approval.step_id = $2',
          runId,
          stepId,
        ),
      ),

    findOpenApproval: (taskId, stepId) =>
      database.patiently(() =>
        find(
          database,
          "task.id = $1 AND approval.step_id = $2 AND approval.state = 'pending'",
          taskId,
          stepId,
        ),
      ),

    async listApprovals({ agentId, states, limit, cursor }) {
      const rows = await database.read<ApprovalRow>(
        `${SELECT} WHERE approval.seq < $1 AND ($2::text IS NULL OR agent.id = $2)
          AND ($3::text[] IS NULL OR approval.state = ANY ($3)) ORDER BY approval.seq DESC LIMIT $4`,
        [
          cursor === undefined ? Number.MAX_SAFE_INTEGER : decodeNumberCursor(cursor),
          agentId ?? null,
          states ?? null,
          limit + 1,
        ],
      );
      const items = rows.slice(0, limit);
      return {
        items: items.map(toApproval),
        nextCursor: rows.length > limit ? encodeCursor((items.at(-1) as ApprovalRow).seq) : null,
      };
    },

    decideApproval: ({ id, state, by, comment, data, now, audit }) =>
      database.transaction(async (sql) => {
        // Held first: a run that finds the question open at this moment waits, and asks itself once it is answered.
        const row = await sql.row<ApprovalRow>(`${SELECT} WHERE approval.id = $1 FOR UPDATE OF approval`, [
          id,
        ]);
        if (row === undefined) return null;
        const isLate = (state === 'approved' || state === 'denied') && row.expires_at <= now;
        if (row.state !== 'pending' || isLate) return { approval: toApproval(row), decided: false };
        await sql.run(
          `UPDATE approval SET state = $2, decided_at = pao_at($3), decided_by = $4, comment = $5, data = $6
            WHERE seq = $1`,
          [row.seq, state, now, by, comment, data === undefined ? row.data : toJson(data)],
        );
        await sql.rows('SELECT pao_wake_waiting(ARRAY[$1::bigint], pao_at($2))', [row.task_seq, now]);
        if (audit !== undefined) await writeAudit(sql, [{ ...audit, at: now, actor: by, target: id }]);
        return { approval: (await find(sql, 'approval.id = $1', id)) as Approval, decided: true };
      }),
  };
}

/** Writes what runs ask and wait for, in the transaction in which they begin to wait. */
export async function openWaits(sql: Sql, completions: readonly Completion[], now: number): Promise<void> {
  for (const { runId, approvals, eventWaits } of completions) {
    for (const approval of approvals ?? []) await openApproval(sql, runId, approval);
    if (eventWaits !== undefined && eventWaits.length > 0) await openEventWaits(sql, runId, eventWaits, now);
  }
}

/** Not where another run of the task has the question open; that one is held, so that its answer finds this run waiting. */
async function openApproval(
  sql: Sql,
  runId: string,
  approval: NonNullable<Completion['approvals']>[number],
): Promise<void> {
  for (;;) {
    const written = await sql.run(
      `INSERT INTO approval (id, run_id, run_seq, scheduled_for, task_seq, agent_seq, step_id, message, data, state,
          on_timeout, requested_at, expires_at)
        SELECT $1, run_id, seq, scheduled_for, task_seq, agent_seq, $3, $4, $5, 'pending', $6, pao_at($7), pao_at($8)
        FROM due_work WHERE run_id = $2 AND waiting = 1
        ON CONFLICT DO NOTHING`,
      [
        approval.id,
        runId,
        approval.stepId,
        approval.message,
        toJson(approval.data),
        approval.onTimeout,
        approval.requestedAt,
        approval.expiresAt,
      ],
    );
    if (written === 1) return;
    const other = await sql.row<{ own: boolean }>(
      `SELECT approval.run_id = $1 AS own FROM approval JOIN due_work ON due_work.task_seq = approval.task_seq
        WHERE due_work.run_id = $1 AND due_work.waiting = 1 AND approval.step_id = $2 AND approval.state = 'pending'
        FOR SHARE OF approval`,
      [runId, approval.stepId],
    );
    if (other !== undefined) return;
    // This run has asked it before, or does not wait: then nothing is to be written. Else the other one was just answered.
    const again = await sql.row(
      `SELECT 1 FROM due_work WHERE run_id = $1 AND waiting = 1
        AND NOT EXISTS (SELECT FROM approval WHERE run_seq = due_work.seq AND step_id = $2)`,
      [runId, approval.stepId],
    );
    if (again === undefined) return;
  }
}

/** Notes what a run waits for; when an event came meanwhile it is due at once. */
async function openEventWaits(
  sql: Sql,
  runId: string,
  waits: NonNullable<Completion['eventWaits']>,
  now: number,
): Promise<void> {
  await sql.run(
    `INSERT INTO event_wait (run_id, step_id, event_key)
      SELECT run_id, one.step_id, one.event_key FROM due_work, unnest($2::text[], $3::text[]) AS one(step_id, event_key)
      WHERE run_id = $1 AND waiting = 1
      ON CONFLICT (run_id, step_id) DO UPDATE SET event_key = excluded.event_key`,
    [runId, waits.map(({ stepId }) => stepId), waits.map(({ topic }) => eventKey(topic))],
  );
  // Held until this is committed: no event can come between the look and the wait.
  const counter = await sql.row<{ last: number }>('SELECT last FROM event_counter FOR SHARE');
  const seen = Math.min(...waits.map(({ after }) => after));
  if ((counter?.last ?? 0) <= seen) return;
  await sql.run('UPDATE due_work SET run_at = pao_at($2) WHERE run_id = $1 AND waiting = 1 AND state = 0', [
    runId,
    now,
  ]);
  await sql.run(
    `UPDATE run SET run_at = pao_at($2) FROM due_work
      WHERE due_work.run_id = $1 AND run.seq = due_work.seq AND run.scheduled_for = due_work.scheduled_for`,
    [runId, now],
  );
}
