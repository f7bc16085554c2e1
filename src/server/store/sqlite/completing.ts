import { CANCEL_TOO_LATE, isFinal } from '../../../domain/run.js';
import type { Completion, HeldKey, WorkStore } from '../store.js';
import { openApprovals } from './approvals.js';
import type { Connection, SqliteDatabase } from './database.js';
import { insertDeliveries } from './deliveries.js';
import { endRun } from './end-run.js';
import { storeError } from './enqueue.js';
import { openEventWaits } from './event-waits.js';
import { fromJson, toJson } from './json-column.js';
import { leaveLanes } from './lanes.js';
import { type DueRow, writeStep } from './run-rows.js';

/** Workers write what they did, and lose what they lost. */
export function completingMethods(
  database: SqliteDatabase,
): Pick<WorkStore, 'recordSteps' | 'complete' | 'reclaim'> {
  return {
    recordSteps: (batch, now) =>
      database.write((connection) => {
        const fenced: string[] = [];
        const held: { runId: string; key: string; holder: HeldKey }[] = [];
        for (const entry of batch) {
          const row = leasedRow(connection, entry.runId, entry.leaseToken);
          if (row === null) {
            fenced.push(entry.runId);
            continue;
          }
          const holder = entry.reserve === undefined ? null : reserve(connection, row, entry.reserve, now);
          if (holder !== null) {
            held.push({ runId: entry.runId, key: entry.reserve?.key as string, holder });
            continue;
          }
          for (const step of entry.steps) writeStep(connection, row.seq, step);
          if (entry.deliveries !== undefined) insertDeliveries(connection, entry.deliveries);
        }
        return { fenced, held };
      }),

    complete: (batch, now) =>
      database.write((connection) => {
        const fenced: string[] = [];
        const lastRunAt = new Map<number, number>();
        for (const completion of batch) {
          const row = leasedRow(connection, completion.runId, completion.leaseToken);
          if (row === null) {
            fenced.push(completion.runId);
            continue;
          }
          for (const step of completion.steps) writeStep(connection, row.seq, step);
          if (completion.deliveries !== undefined) insertDeliveries(connection, completion.deliveries);
          endAttempt(connection, row, completion, now);
          if (completion.memory !== undefined) {
            connection
              .sql('UPDATE task SET memory = ? WHERE seq = ?')
              .run(toJson(completion.memory), row.task_seq);
          }
          for (const { stepId, hash } of completion.stepMemory ?? []) {
            connection
              .sql(`INSERT INTO step_memory (task_seq, step_id, hash, run_id, at) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (task_seq, step_id) DO UPDATE SET hash = excluded.hash, run_id = excluded.run_id, at = excluded.at`)
              .run(row.task_seq, stepId, hash, completion.runId, completion.finishedAt);
          }
          if (row.started_at !== null && row.started_at > (lastRunAt.get(row.task_seq) ?? -1)) {
            lastRunAt.set(row.task_seq, row.started_at);
          }
        }
        for (const [taskSeq, at] of lastRunAt) {
          connection
            .sql('UPDATE task SET last_run_at = ? WHERE seq = ? AND (last_run_at IS NULL OR last_run_at < ?)')
            .run(at, taskSeq, at);
        }
        return { fenced };
      }),

    async reclaim(options) {
      const { now, workerId, limit, maxDeaths } = options;
      const find = (connection: Connection): DueRow[] =>
        (workerId === undefined
          ? connection
              .sql('SELECT * FROM due_work WHERE state = 1 AND lease_expires_at <= ? LIMIT ?')
              .all(now, limit)
          : connection
              .sql('SELECT * FROM due_work WHERE state = 1 AND lease_owner = ? LIMIT ?')
              .all(workerId, limit)) as DueRow[];
      const result = { requeued: [] as string[], dead: [] as string[], canceled: [] as string[] };
      if ((await database.read(find)).length === 0) return result;
      return database.write((connection) => {
        const outcome = { requeued: [] as string[], dead: [] as string[], canceled: [] as string[] };
        for (const row of find(connection)) {
          const id = connection.sql('SELECT id FROM run WHERE seq = ?').pluck().get(row.seq) as string;
          outcome[takeBack(connection, row, now, maxDeaths)].push(id);
        }
        return outcome;
      });
    },
  };
}

function leasedRow(connection: Connection, runId: string, leaseToken: number): DueRow | null {
  const raw = connection
    .sql(`SELECT due_work.seq, due_work.task_seq, state, waiting, fresh, has_keys, due_work.attempt, due_work.deaths,
        due_work.started_at, due_work.priority, due_work.run_at, tag_set, lane, lane_limit, serial, serial_holder,
        lease_owner, lease_token, lease_expires_at, cancel_requested, cancel_reason
      FROM run JOIN due_work ON due_work.seq = run.seq WHERE run.id = ?`)
    // Once for each run there is: an array costs half of what an object costs.
    .raw()
    .get(runId) as RawLeased | undefined;
  if (raw === undefined || raw[2] !== 1 || raw[17] !== leaseToken) return null;
  return {
    seq: raw[0],
    task_seq: raw[1],
    state: raw[2],
    waiting: raw[3],
    fresh: raw[4],
    has_keys: raw[5],
    attempt: raw[6],
    deaths: raw[7],
    started_at: raw[8],
    priority: raw[9],
    run_at: raw[10],
    tag_set: raw[11],
    lane: raw[12],
    lane_limit: raw[13],
    serial: raw[14],
    serial_holder: raw[15],
    parked_on: null,
    lease_owner: raw[16],
    lease_token: raw[17],
    lease_expires_at: raw[18],
    cancel_requested: raw[19],
    cancel_reason: raw[20],
  };
}

type RawLeased = [
  ...[number, number, 0 | 1 | 2, 0 | 1, 0 | 1, 0 | 1, number, number, number | null, number, number, string],
  ...[
    string | null,
    number | null,
    0 | 1,
    number | null,
    string | null,
    number,
    number | null,
    0 | 1,
    string | null,
  ],
];

function endAttempt(connection: Connection, row: DueRow, completion: Completion, now: number): void {
  const error = toJson(completion.error);
  const output = toJson(completion.output);
  if (isFinal(completion.status)) {
    const { status, finishedAt } = completion;
    const isDone = status === 'succeeded' || status === 'partial';
    let { reason } = completion;
    if (row.cancel_requested === 1) {
      if (isDone) reason ??= CANCEL_TOO_LATE;
      // The worker knows that it was told to stop, not why.
      else if (status === 'canceled') reason = row.cancel_reason ?? reason;
    }
    endRun(connection, row, { status, reason, error, output, finishedAt });
    return;
  }
  if (row.cancel_requested === 1) {
    endRun(connection, row, {
      status: 'canceled',
      reason: row.cancel_reason,
      error,
      output,
      finishedAt: completion.finishedAt,
    });
    return;
  }
  const waiting = completion.status === 'waiting';
  if (completion.approvals !== undefined) openApprovals(connection, row, completion.approvals);
  const hasNews =
    completion.eventWaits !== undefined && openEventWaits(connection, row.seq, completion.eventWaits);
  const runAt = hasNews ? now : (completion.runAt ?? now);
  const attempt = row.attempt - (completion.interrupted === true ? 1 : 0);
  giveBack(connection, { ...row, attempt }, { waiting, runAt });
  connection
    .sql('UPDATE run SET reason = ?, error = ?, output = ?, run_at = ? WHERE seq = ?')
    .run(completion.reason, error, output, runAt, row.seq);
}

/** Ends the lease of a run that goes on later. */
function giveBack(connection: Connection, row: DueRow, next: { waiting: boolean; runAt: number }): void {
  connection
    .sql(`UPDATE due_work SET state = 0, waiting = ?, run_at = ?, lease_expires_at = NULL, serial_holder = ?, attempt = ?,
      deaths = ? WHERE seq = ?`)
    .run(
      next.waiting ? 1 : 0,
      next.runAt,
      next.waiting ? row.serial_holder : null,
      row.attempt,
      row.deaths,
      row.seq,
    );
  leaveLanes(connection, row, { keepsTask: next.waiting });
}

function takeBack(
  connection: Connection,
  found: DueRow,
  now: number,
  maxDeaths: number,
): 'requeued' | 'dead' | 'canceled' {
  const row: DueRow = { ...found, deaths: found.deaths + 1 };
  if (row.deaths >= maxDeaths) {
    connection
      .sql(
        "UPDATE step_run SET status = 'unknown', reason = 'lease_lost' WHERE run_seq = ? AND status = 'running'",
      )
      .run(row.seq);
    endRun(connection, row, {
      status: 'dead',
      reason: 'poison',
      error: storeError('poison', `${row.deaths} workers died or were lost while they had this run.`),
      output: null,
      finishedAt: now,
    });
    return 'dead';
  }
  if (row.cancel_requested === 1) {
    endRun(connection, row, {
      status: 'canceled',
      reason: row.cancel_reason,
      error: null,
      output: null,
      finishedAt: now,
    });
    return 'canceled';
  }
  // It keeps its run_at, and with it its place in front of what came later.
  giveBack(connection, row, { waiting: false, runAt: row.run_at });
  connection.sql("UPDATE run SET reason = 'lease_lost' WHERE seq = ?").run(row.seq);
  return 'requeued';
}

/** Takes an idempotency key for a step. @returns who has it already; null when it is this step. */
function reserve(
  connection: Connection,
  row: DueRow,
  wanted: { key: string; stepId: string },
  now: number,
): HeldKey | null {
  const agentSeq = connection.sql('SELECT agent_seq FROM run WHERE seq = ?').pluck().get(row.seq) as number;
  const taken = connection
    .sql(`INSERT INTO step_key (agent_seq, key, run_seq, step_id, reserved_at) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO NOTHING`)
    .run(agentSeq, wanted.key, row.seq, wanted.stepId, now);
  if (taken.changes === 1) {
    connection.sql('UPDATE due_work SET has_keys = 1 WHERE seq = ?').run(row.seq);
    return null;
  }
  const holder = connection
    .sql(`SELECT step_key.run_seq, step_key.step_id, run.id, step_run.status, step_run.output
      FROM step_key JOIN run ON run.seq = step_key.run_seq
      LEFT JOIN step_run ON step_run.run_seq = step_key.run_seq AND step_run.step_id = step_key.step_id
      WHERE step_key.agent_seq = ? AND step_key.key = ?`)
    .get(agentSeq, wanted.key) as {
    run_seq: number;
    step_id: string;
    id: string;
    status: HeldKey['status'] | null;
    output: string | null;
  };
  if (holder.run_seq === row.seq && holder.step_id === wanted.stepId) return null;
  return {
    runId: holder.id,
    stepId: holder.step_id,
    status: holder.status ?? 'running',
    output: fromJson(holder.output),
  };
}
