import { notFound, PaoError } from '../../../domain/errors.js';
import { parseDuration } from '../../../domain/duration.js';
import type { Run, RunStatus } from '../../../domain/run.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import type { NewRun, Page, RunQuery, RunStore } from '../store.js';
import type { Connection, SqliteDatabase } from './database.js';
import { askToCancel, cancelIdle } from './end-run.js';
import { enqueue } from './enqueue.js';
import { type EventRow, toEvent } from './event-rows.js';
import { fromJson, toJson } from './json-column.js';
import {
  type DueRow,
  type RunNames,
  type RunRow,
  findRun,
  readSteps,
  SELECT_ACTIVE_RUN,
  SELECT_RUN,
  toRun,
} from './run-rows.js';
import { lastDedupeAt } from './scheduling.js';
import type { SpecCache } from './spec-cache.js';

const ACTIVE: readonly RunStatus[] = ['queued', 'running', 'waiting'];
/** Those of the index `run_trouble`. */
const TROUBLE: readonly RunStatus[] = ['partial', 'failed', 'dead', 'canceled'];

/** Runs, read and steered from outside of a worker. */
export function runMethods(database: SqliteDatabase, specs: SpecCache): RunStore {
  return {
    createRun: ({ taskId, run, now, force }) =>
      database.write((connection) => {
        const task = connection
          .sql('SELECT seq, agent_seq, version, state, name FROM task WHERE id = ?')
          .get(taskId) as
          | { seq: number; agent_seq: number; version: number; state: string; name: string }
          | undefined;
        if (task === undefined) throw notFound('task', taskId, ['pao task list']);
        if (task.state === 'canceled') {
          throw new PaoError(
            'PAO_CONFLICT',
            `The task "${task.name}" is canceled: it can not run any more.`,
            {
              status: 409,
              hints: ['pao task create makes a new one'],
            },
          );
        }
        const parsed = specs.get(connection, task.seq, task.version);
        const { dedupe } = parsed.spec;
        const wanted: NewRun = { ...run };
        if (wanted.status === 'queued' && force !== true && dedupe !== undefined) {
          const last = lastDedupeAt(connection, task.agent_seq, dedupe.key);
          if (last !== null && now - last < parseDuration(dedupe.window)) {
            Object.assign(wanted, { status: 'skipped', reason: 'dedupe' });
          }
        }
        const owner = { taskSeq: task.seq, agentSeq: task.agent_seq, version: task.version, parsed };
        if (enqueue(connection, owner, wanted, now) === null) {
          throw new PaoError(
            'PAO_CONFLICT',
            `The task "${task.name}" has a run for this occurrence already.`,
            {
              status: 409,
              hints: [`pao run list --task ${task.name}`],
            },
          );
        }
        return findRun(connection, wanted.id) as Run;
      }),

    getRun: (id) => database.read((connection) => findRun(connection, id)),

    listSteps: (runId) =>
      database.read((connection) => {
        const seq = connection.sql('SELECT seq FROM run WHERE id = ?').pluck().get(runId) as
          | number
          | undefined;
        return seq === undefined ? [] : readSteps(connection, seq, runId);
      }),

    getRunEvents: (runId) =>
      database.read((connection) => {
        const events = connection.sql('SELECT events FROM run WHERE id = ?').pluck().get(runId) as
          | string
          | null
          | undefined;
        const together = fromJson<NonNullable<NewRun['events']>>(events ?? null);
        if (together === null) return null;
        const one = connection.sql('SELECT * FROM event WHERE id = ?');
        const rows = together.ids.map((id) => one.get(id) as EventRow | undefined);
        return {
          count: together.count,
          events: rows.filter((row) => row !== undefined).map(toEvent),
        };
      }),

    listRunsOfEvent: (eventId, limit) =>
      database.snapshot((connection) =>
        (
          connection
            .sql(`${SELECT_RUN} WHERE run.event_id = ? ORDER BY run.seq LIMIT ?`)
            .all(eventId, limit) as (RunRow & RunNames)[]
        ).map((row) => toRun(row, row)),
      ),

    getStepMemory: (taskId, stepId) =>
      database.read((connection) => {
        const row = connection
          .sql(`SELECT hash, run_id, at FROM step_memory
            WHERE task_seq = (SELECT seq FROM task WHERE id = ?) AND step_id = ?`)
          .get(taskId, stepId) as { hash: string; run_id: string; at: number } | undefined;
        return row === undefined ? null : { hash: row.hash, runId: row.run_id, at: row.at };
      }),

    listRuns: (query) => database.snapshot((connection) => listRuns(connection, query)),

    cancelRun: (id, reason, now) =>
      database.write((connection) => {
        const row = connection
          .sql('SELECT due_work.* FROM due_work JOIN run ON run.seq = due_work.seq WHERE run.id = ?')
          .get(id) as DueRow | undefined;
        if (row?.state === 1) askToCancel(connection, row.seq, reason);
        else if (row !== undefined) cancelIdle(connection, row, reason, now);
        const run = findRun(connection, id);
        return run === null ? null : { run, cancelRequested: row?.state === 1 };
      }),

    resolveStep: ({ runId, stepId, status, reason, output, error }) =>
      database.write((connection) => {
        const seq = connection
          .sql("SELECT seq FROM run WHERE id = ? AND status <> 'active'")
          .pluck()
          .get(runId) as number | undefined;
        if (seq === undefined) return false;
        const { changes } = connection
          .sql(`UPDATE step_run SET status = ?, reason = ?, output = ?, error = ?
            WHERE run_seq = ? AND step_id = ? AND status = 'unknown'`)
          .run(status, reason, toJson(output), toJson(error), seq, stepId);
        if (changes === 1 && status === 'failed')
          connection.sql('DELETE FROM step_key WHERE run_seq = ? AND step_id = ?').run(seq, stepId);
        return changes === 1;
      }),
  };
}

function listRuns(connection: Connection, query: RunQuery): Page<Run> {
  const where: string[] = [];
  const values: (string | number)[] = [];
  const also = (condition: string, ...bound: (string | number)[]) => {
    where.push(condition);
    values.push(...bound);
  };
  for (const [table, id] of [
    ['task', query.taskId],
    ['agent', query.agentId],
  ] as const) {
    if (id === undefined) continue;
    const seq = connection.sql(`SELECT seq FROM ${table} WHERE id = ?`).pluck().get(id) as number | undefined;
    if (seq === undefined) return { items: [], nextCursor: null };
    // A task's runs are all of one agent: with both, the narrower index is the one to use.
    also(
      table === 'agent' && query.taskId !== undefined ? '+run.agent_seq = ?' : `run.${table}_seq = ?`,
      seq,
    );
  }
  let select = SELECT_RUN;
  if (query.statuses !== undefined) {
    const final = query.statuses.filter((status) => !ACTIVE.includes(status));
    const active = query.statuses.filter((status) => ACTIVE.includes(status)).map(activeCondition);
    const finalCondition = `run.status IN (${final.map(() => '?').join(', ')})`;
    if (final.length === 0) {
      select = SELECT_ACTIVE_RUN;
      also(active.length === 0 ? '0' : `(${active.join(' OR ')})`);
    } else if (active.length === 0) {
      also(finalCondition, ...final);
      // Said again as the index of runs in trouble or of exceptional ones says it, so that it can be used.
      if (final.every((status) => TROUBLE.includes(status))) {
        also("run.status IN ('partial', 'failed', 'dead', 'canceled')");
      } else if (!final.includes('succeeded')) {
        also("run.status <> 'active' AND run.status <> 'succeeded'");
      }
    } else also(`(${finalCondition} OR ${active.join(' OR ')})`, ...final);
  }
  const places = (list: readonly string[]) => list.map(() => '?').join(', ');
  if (query.reasons !== undefined) also(`run.reason IN (${places(query.reasons)})`, ...query.reasons);
  if (query.exceptReasons !== undefined)
    also(`coalesce(run.reason, '') NOT IN (${places(query.exceptReasons)})`, ...query.exceptReasons);
  if (query.since !== undefined) also('run.scheduled_for >= ?', query.since);
  if (query.until !== undefined) also('run.scheduled_for <= ?', query.until);
  if (query.cursor !== undefined) also('run.seq < ?', decodeNumberCursor(query.cursor));
  const filter = where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`;
  const rows = connection.raw
    .prepare(`${select} ${filter} ORDER BY run.seq DESC LIMIT ?`)
    .all(...values, query.limit + 1) as (RunRow & RunNames)[];
  const items = rows.slice(0, query.limit);
  return {
    items: items.map((row) => toRun(row, row)),
    nextCursor: rows.length > query.limit ? encodeCursor((items.at(-1) as RunRow).seq) : null,
  };
}

function activeCondition(status: RunStatus): string {
  if (status === 'running') return 'due_work.state = 1';
  return `(due_work.state <> 1 AND due_work.waiting = ${status === 'waiting' ? 1 : 0})`;
}
