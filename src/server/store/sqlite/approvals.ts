import type { Approval } from '../../../domain/approval.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import type { ApprovalStore, NewApproval } from '../store.js';
import { writeAudit } from './audit.js';
import type { Connection, SqliteDatabase } from './database.js';
import { fromJson, toJson } from './json-column.js';

/** A row of `approval` with the ids people see. */
export interface ApprovalRow {
  seq: number;
  id: string;
  run_id: string;
  task_id: string;
  task_seq: number;
  task_name: string;
  agent_id: string;
  step_id: string;
  message: string;
  data: string | null;
  state: Approval['state'];
  on_timeout: Approval['onTimeout'];
  requested_at: number;
  expires_at: number;
  decided_at: number | null;
  decided_by: string | null;
  comment: string | null;
}

const SELECT = `SELECT approval.*, run.id AS run_id, task.id AS task_id, task.name AS task_name, agent.id AS agent_id
  FROM approval JOIN run ON run.seq = approval.run_seq JOIN task ON task.seq = approval.task_seq
  JOIN agent ON agent.seq = run.agent_seq`;

/** Questions that runs wait with. */
export function approvalMethods(database: SqliteDatabase): ApprovalStore {
  return {
    getApproval: (id) => database.read((connection) => one(connection, 'approval.id = ?', id)),

    findApproval: (runId, stepId) =>
      database.read((connection) => one(connection, 'run.id = ? AND approval.step_id = ?', runId, stepId)),

    findOpenApproval: (taskId, stepId) =>
      database.read((connection) =>
        one(
          connection,
          "task.id = ? AND approval.step_id = ? AND approval.state = 'pending'",
          taskId,
          stepId,
        ),
      ),

    listApprovals: ({ agentId, states, limit, cursor }) =>
      database.read((connection) => {
        const where = ['approval.seq < ?'];
        const values: (string | number)[] = [
          cursor === undefined ? Number.MAX_SAFE_INTEGER : decodeNumberCursor(cursor),
        ];
        if (agentId !== undefined) {
          where.push('agent.id = ?');
          values.push(agentId);
        }
        if (states !== undefined) {
          where.push(`approval.state IN (${states.map(() => '?').join(', ')})`);
          values.push(...states);
        }
        const rows = connection.raw
          .prepare(`${SELECT} WHERE ${where.join(' AND ')} ORDER BY approval.seq DESC LIMIT ?`)
          .all(...values, limit + 1) as ApprovalRow[];
        const items = rows.slice(0, limit);
        return {
          items: items.map(toApproval),
          nextCursor: rows.length > limit ? encodeCursor((items.at(-1) as ApprovalRow).seq) : null,
        };
      }),

    decideApproval: ({ id, state, by, comment, data, now, audit }) =>
      database.write((connection) => {
        const row = connection.sql(`${SELECT} WHERE approval.id = ?`).get(id) as ApprovalRow | undefined;
        if (row === undefined) return null;
        const isLate = (state === 'approved' || state === 'denied') && row.expires_at <= now;
        if (row.state !== 'pending' || isLate) return { approval: toApproval(row), decided: false };
        connection
          .sql(
            'UPDATE approval SET state = ?, decided_at = ?, decided_by = ?, comment = ?, data = ? WHERE seq = ?',
          )
          .run(state, now, by, comment, data === undefined ? row.data : toJson(data), row.seq);
        wakeWaitingRuns(connection, row.task_seq, now);
        if (audit !== undefined) writeAudit(connection, { ...audit, at: now, actor: by, target: id });
        return { approval: one(connection, 'approval.id = ?', id) as Approval, decided: true };
      }),
  };
}

/** Writes what a run asks as it begins to wait; not where another run of the task has the question open. */
export function openApprovals(
  connection: Connection,
  row: { seq: number; task_seq: number },
  asked: readonly NewApproval[],
): void {
  for (const approval of asked) {
    connection
      .sql(`INSERT INTO approval (id, run_seq, task_seq, step_id, message, data, state, on_timeout, requested_at, expires_at)
        VALUES (?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?) ON CONFLICT DO NOTHING`)
      .run(
        approval.id,
        row.seq,
        row.task_seq,
        approval.stepId,
        approval.message,
        toJson(approval.data),
        approval.onTimeout,
        approval.requestedAt,
        approval.expiresAt,
      );
  }
}

/** Nobody needs the answer any more; the next run of the task may ask. */
export function cancelApprovals(connection: Connection, runSeq: number, taskSeq: number, now: number): void {
  const { changes } = connection
    .sql(
      "UPDATE approval SET state = 'canceled', decided_at = ?, decided_by = 'run' WHERE run_seq = ? AND state = 'pending'",
    )
    .run(now, runSeq);
  if (changes > 0) wakeWaitingRuns(connection, taskSeq, now);
}

function wakeWaitingRuns(connection: Connection, taskSeq: number, now: number): void {
  connection
    .sql('UPDATE due_work SET run_at = ? WHERE task_seq = ? AND state = 0 AND waiting = 1 AND run_at > ?')
    .run(now, taskSeq, now);
}

function one(connection: Connection, where: string, ...values: string[]): Approval | null {
  const row = connection.sql(`${SELECT} WHERE ${where}`).get(...values) as ApprovalRow | undefined;
  return row === undefined ? null : toApproval(row);
}

/** The approval that a row describes. */
export function toApproval(row: ApprovalRow): Approval {
  return {
    id: row.id,
    runId: row.run_id,
    taskId: row.task_id,
    taskName: row.task_name,
    agentId: row.agent_id,
    stepId: row.step_id,
    message: row.message,
    data: fromJson(row.data),
    state: row.state,
    onTimeout: row.on_timeout,
    requestedAt: row.requested_at,
    expiresAt: row.expires_at,
    decidedAt: row.decided_at,
    decidedBy: row.decided_by,
    comment: row.comment,
  };
}
