import type { Run, StepRun } from '../../../domain/run.js';
import { type RunNames, type RunRow, toRun } from '../sqlite/run-rows.js';
import { type StepRow, toStep } from '../sqlite/run-rows.js';
import type { Sql } from './database.js';

const RUN_COLUMNS = `run.*, task.id AS task_id, task.name AS task_name, agent.id AS agent_id,
  due_work.state AS due_state, due_work.waiting AS due_waiting, due_work.attempt AS due_attempt,
  due_work.deaths AS due_deaths, due_work.started_at AS due_started_at, due_work.run_at AS due_run_at,
  due_work.lease_owner AS due_worker`;
const WHOSE = 'JOIN task ON task.seq = run.task_seq JOIN agent ON agent.seq = run.agent_seq';

/** Runs with what their due work says of them; to be followed by WHERE. */
export const SELECT_RUN = `SELECT ${RUN_COLUMNS} FROM run ${WHOSE} LEFT JOIN due_work ON due_work.run_id = run.id`;

/** As {@link SELECT_RUN}, but only runs that have not ended, found from the small table of these. */
export const SELECT_ACTIVE_RUN = `SELECT ${RUN_COLUMNS} FROM due_work
  JOIN run ON run.seq = due_work.seq AND run.scheduled_for = due_work.scheduled_for ${WHOSE}`;

/** As {@link SELECT_RUN}, but only runs that ended otherwise than succeeded, found from the table of these. */
export const SELECT_EXCEPTION = `SELECT ${RUN_COLUMNS} FROM run_exception AS exception
  JOIN run ON run.seq = exception.run_seq AND run.scheduled_for = exception.scheduled_for ${WHOSE}
  LEFT JOIN due_work ON due_work.run_id = run.id`;

/** Runs by their ids, in no order. */
export async function findRuns(sql: Sql, ids: readonly string[]): Promise<Run[]> {
  const rows = await sql.rows<RunRow & RunNames>(`${SELECT_RUN} WHERE run.id = ANY ($1)`, [ids]);
  return rows.map((row) => toRun(row, row));
}

/** The steps recorded of runs, by run id, in the order of their pipeline. */
export async function readSteps(sql: Sql, ids: readonly string[]): Promise<Map<string, StepRun[]>> {
  const steps = new Map<string, StepRun[]>(ids.map((id) => [id, []]));
  const rows = await sql.rows<StepRow & { run_id: string }>(
    `SELECT step_run.*, run.id AS run_id FROM run
      JOIN step_run ON step_run.run_seq = run.seq AND step_run.scheduled_for = run.scheduled_for
      WHERE run.id = ANY ($1) ORDER BY position, step_run.started_at NULLS FIRST, step_id`,
    [ids],
  );
  for (const row of rows) steps.get(row.run_id)?.push(toStep(row, row.run_id));
  return steps;
}
