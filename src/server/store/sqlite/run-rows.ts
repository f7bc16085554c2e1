import type { Run, RunError, RunStatus, RunTrigger, StepRun, StepStatus } from '../../../domain/run.js';
import type { StepWrite } from '../store.js';
import type { Connection } from './database.js';
import { fromJson, fromJsonObject, toJson } from './json-column.js';

/** A row of `run` as it is stored. */
export interface RunRow {
  seq: number;
  id: string;
  task_seq: number;
  task_version: number;
  agent_seq: number;
  status: RunStatus | 'active';
  reason: string | null;
  trigger: RunTrigger;
  scheduled_for: number;
  created_at: number;
  run_at: number;
  started_at: number | null;
  finished_at: number | null;
  attempt: number;
  deaths: number;
  priority: number;
  params: string;
  event_id: string | null;
  parent_run_id: string | null;
  dedupe_key: string | null;
  output: string | null;
  error: string | null;
  trace_id: string | null;
  worker_id: string | null;
  due_state: DueRow['state'] | null;
  due_waiting: 0 | 1 | null;
  due_attempt: number | null;
  due_deaths: number | null;
  due_started_at: number | null;
  due_run_at: number | null;
  due_worker: string | null;
}

/** A row of `due_work` as it is stored. */
export interface DueRow {
  seq: number;
  task_seq: number;
  state: 0 | 1 | 2;
  waiting: 0 | 1;
  fresh: 0 | 1;
  has_keys: 0 | 1;
  attempt: number;
  deaths: number;
  started_at: number | null;
  priority: number;
  run_at: number;
  tag_set: string;
  lane: string | null;
  lane_limit: number | null;
  serial: 0 | 1;
  serial_holder: number | null;
  parked_on: string | null;
  lease_owner: string | null;
  lease_token: number;
  lease_expires_at: number | null;
  cancel_requested: 0 | 1;
  cancel_reason: string | null;
}

/** Whose run it is, in the ids people see. */
export interface RunNames {
  task_id: string;
  task_name: string;
  agent_id: string;
}

const RUN_COLUMNS = `run.*, task.id AS task_id, task.name AS task_name, agent.id AS agent_id,
  due_work.state AS due_state, due_work.waiting AS due_waiting, due_work.attempt AS due_attempt,
  due_work.deaths AS due_deaths, due_work.started_at AS due_started_at, due_work.run_at AS due_run_at,
  due_work.lease_owner AS due_worker`;

/** Runs with what their due work says of them; to be followed by WHERE. */
export const SELECT_RUN = `SELECT ${RUN_COLUMNS}
  FROM run JOIN task ON task.seq = run.task_seq JOIN agent ON agent.seq = run.agent_seq
  LEFT JOIN due_work ON due_work.seq = run.seq`;

/** As {@link SELECT_RUN}, but only runs that have not ended, found from the small table of these. */
export const SELECT_ACTIVE_RUN = `SELECT ${RUN_COLUMNS}
  FROM due_work CROSS JOIN run ON run.seq = due_work.seq
  JOIN task ON task.seq = run.task_seq JOIN agent ON agent.seq = run.agent_seq`;

/** The run that a row describes. */
export function toRun(row: RunRow, names: RunNames): Run {
  const status = statusOf(row);
  return {
    id: row.id,
    taskId: names.task_id,
    taskName: names.task_name,
    taskVersion: row.task_version,
    agentId: names.agent_id,
    status,
    reason: status === 'running' ? null : row.reason,
    trigger: row.trigger,
    scheduledFor: row.scheduled_for,
    createdAt: row.created_at,
    runAt: row.due_run_at ?? row.run_at,
    startedAt: row.due_started_at ?? row.started_at,
    finishedAt: row.finished_at,
    attempt: row.due_attempt ?? row.attempt,
    deaths: row.due_deaths ?? row.deaths,
    priority: row.priority,
    params: fromJsonObject(row.params),
    eventId: row.event_id,
    parentRunId: row.parent_run_id,
    dedupeKey: row.dedupe_key,
    output: fromJson(row.output),
    error: fromJson<RunError>(row.error),
    traceId: row.trace_id,
    workerId: row.due_worker ?? row.worker_id,
  };
}

/** One run by its id. */
export function findRun(connection: Connection, id: string): Run | null {
  const row = connection.sql(`${SELECT_RUN} WHERE run.id = ?`).get(id) as (RunRow & RunNames) | undefined;
  return row === undefined ? null : toRun(row, row);
}

function statusOf(row: RunRow): RunStatus {
  if (row.status !== 'active') return row.status;
  if (row.due_state === 1) return 'running';
  return row.due_waiting === 1 ? 'waiting' : 'queued';
}

/** A row of `step_run` as it is stored. */
export interface StepRow {
  step_id: string;
  position: number;
  tool: string | null;
  status: StepStatus;
  reason: string | null;
  attempts: number;
  started_at: number | null;
  finished_at: number | null;
  input: string | null;
  output: string | null;
  error: string | null;
  idempotency_key: string | null;
  usage: string | null;
}

/** The steps recorded of a run, in the order of its pipeline. */
export function readSteps(connection: Connection, runSeq: number, runId: string): StepRun[] {
  const rows = connection
    .sql('SELECT * FROM step_run WHERE run_seq = ? ORDER BY position, started_at, step_id')
    .all(runSeq) as StepRow[];
  return rows.map((row) => toStep(row, runId));
}

/** The step that a row describes. */
export function toStep(row: StepRow, runId: string): StepRun {
  return {
    runId,
    stepId: row.step_id,
    position: row.position,
    tool: row.tool,
    status: row.status,
    reason: row.reason,
    attempts: row.attempts,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    input: fromJson(row.input),
    output: fromJson(row.output),
    error: fromJson<RunError>(row.error),
    idempotencyKey: row.idempotency_key,
    usage: fromJson(row.usage),
  };
}

/** Writes a step; what was recorded of it before is replaced. */
export function writeStep(connection: Connection, runSeq: number, step: StepWrite): void {
  connection
    .sql(`INSERT INTO step_run (run_seq, step_id, position, tool, status, reason, attempts, started_at, finished_at,
        input, output, error, idempotency_key, usage)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (run_seq, step_id) DO UPDATE SET position = excluded.position, tool = excluded.tool,
        status = excluded.status, reason = excluded.reason, attempts = excluded.attempts,
        started_at = excluded.started_at, finished_at = excluded.finished_at, input = excluded.input,
        output = excluded.output, error = excluded.error, idempotency_key = excluded.idempotency_key,
        usage = excluded.usage`)
    .run(
      runSeq,
      step.stepId,
      step.position,
      step.tool,
      step.status,
      step.reason,
      step.attempts,
      step.startedAt,
      step.finishedAt,
      toJson(step.input),
      toJson(step.output),
      toJson(step.error),
      step.idempotencyKey,
      toJson(step.usage),
    );
}
