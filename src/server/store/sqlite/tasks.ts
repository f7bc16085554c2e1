import { conflict, notFound } from '../../../domain/errors.js';
import type { Task, TaskSpec } from '../../../domain/task.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import type { Page, TaskQuery, TaskStore } from '../store.js';
import type { Connection, SqliteDatabase } from './database.js';
import { cancelAllOfTask } from './end-run.js';
import { toJson } from './json-column.js';
import { unreadableSpec } from '../unreadable-spec.js';
import { sqliteCode } from './errors.js';
import type { SpecCache } from './spec-cache.js';
import { eventKeyOf, isTimedSpec, SELECT_TASK, type TaskRow, toTask } from './task-rows.js';
import { type TaskVersionRow, toVersionPage, versionsBefore } from './task-version-rows.js';

/** Tasks and their versions. */
export function taskMethods(database: SqliteDatabase, specs: SpecCache): TaskStore {
  const specOf = (connection: Connection, row: TaskRow): TaskSpec => {
    try {
      return specs.get(connection, row.seq, row.version).spec;
    } catch (error) {
      if (sqliteCode(error) !== null) throw error;
      return unreadableSpec(row.name, error);
    }
  };
  const withSpec = (connection: Connection, row: TaskRow): Task => toTask(row, specOf(connection, row));
  const find = (connection: Connection, where: string, ...values: unknown[]): Task[] =>
    (connection.sql(`${SELECT_TASK} WHERE ${where}`).all(...values) as TaskRow[]).map((row) =>
      withSpec(connection, row),
    );

  return {
    createTask: (task, most = Number.POSITIVE_INFINITY) =>
      database.write((connection) => {
        const agentSeq = connection.sql('SELECT seq FROM agent WHERE id = ?').pluck().get(task.agentId) as
          | number
          | undefined;
        if (agentSeq === undefined) throw notFound('agent', task.agentId, ['pao agent list']);
        refuseTakenName(connection, agentSeq, task);
        if (most !== Number.POSITIVE_INFINITY && countOf(connection, agentSeq) >= most) return false;
        const { lastInsertRowid } = connection
          .sql(`INSERT INTO task (id, agent_seq, name, search_text, version, state, state_reason, scopes, timed,
              event_key, next_due_at, snoozed_until, last_run_at, memory, created_by, created_in_run, spawn_depth,
              created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
          .run(
            task.id,
            agentSeq,
            task.name,
            searchText(task),
            task.version,
            task.state,
            task.stateReason,
            JSON.stringify(task.scopes),
            isTimedSpec(task.spec) ? 1 : 0,
            eventKeyOf(task.spec),
            task.nextDueAt,
            task.snoozedUntil,
            task.lastRunAt,
            toJson(task.memory),
            task.createdBy,
            task.createdInRun,
            task.spawnDepth,
            task.createdAt,
            task.updatedAt,
          );
        writeVersion(connection, Number(lastInsertRowid), task.version, task, task.createdBy);
        return true;
      }),

    getTask: (id) => database.snapshot((connection) => find(connection, 'task.id = ?', id)[0] ?? null),

    findTaskByName: (agentId, name) =>
      database.snapshot(
        (connection) =>
          find(
            connection,
            "task.agent_seq = (SELECT seq FROM agent WHERE id = ?) AND task.name = ? AND task.state <> 'canceled'",
            agentId,
            name,
          )[0] ?? null,
      ),

    findTasksByName: (name) =>
      database.snapshot((connection) =>
        find(connection, "task.name = ? AND task.state <> 'canceled' ORDER BY task.seq LIMIT 100", name),
      ),

    listTasks: (query) => database.snapshot((connection) => listTasks(connection, query, withSpec)),

    updateTask: (task, expectedVersion, changedBy) =>
      database.write((connection) => {
        const row = connection.sql('SELECT seq, agent_seq, version FROM task WHERE id = ?').get(task.id) as
          | { seq: number; agent_seq: number; version: number }
          | undefined;
        if (row === undefined || row.version !== expectedVersion) return false;
        if (task.state !== 'canceled') refuseTakenName(connection, row.agent_seq, task, row.seq);
        const version = expectedVersion + 1;
        connection
          .sql(`UPDATE task SET name = ?, search_text = ?, version = ?, state = ?, state_reason = ?, scopes = ?,
              timed = ?, event_key = ?, next_due_at = ?, snoozed_until = ?, memory = ?, updated_at = ? WHERE seq = ?`)
          .run(
            task.name,
            searchText(task),
            version,
            task.state,
            task.stateReason,
            JSON.stringify(task.scopes),
            isTimedSpec(task.spec) ? 1 : 0,
            eventKeyOf(task.spec),
            task.nextDueAt,
            task.snoozedUntil,
            toJson(task.memory),
            task.updatedAt,
            row.seq,
          );
        writeVersion(connection, row.seq, version, task, changedBy);
        return true;
      }),

    listTaskVersions: (taskId, { limit, cursor }) =>
      database.read((connection) => {
        const rows = connection
          .sql(`SELECT task_version.* FROM task_version JOIN task ON task.seq = task_version.task_seq
            WHERE task.id = ? AND task_version.version < ? ORDER BY task_version.version DESC LIMIT ?`)
          .all(taskId, versionsBefore(cursor), limit + 1) as TaskVersionRow[];
        return toVersionPage(rows, limit);
      }),

    cancelRunsOfTask: (taskId, reason, now) =>
      database.write((connection) => {
        const seq = connection.sql('SELECT seq FROM task WHERE id = ?').pluck().get(taskId) as
          | number
          | undefined;
        return seq === undefined
          ? { cancelRequested: [], canceled: [] }
          : cancelAllOfTask(connection, seq, reason, now);
      }),

    countTasks: (agentId) =>
      database.read(
        (connection) =>
          connection
            .sql(`SELECT count(*) FROM task
              WHERE agent_seq = (SELECT seq FROM agent WHERE id = ?) AND state <> 'canceled'`)
            .pluck()
            .get(agentId) as number,
      ),
  };
}

const countOf = (connection: Connection, agentSeq: number): number =>
  connection
    .sql("SELECT count(*) FROM task WHERE agent_seq = ? AND state <> 'canceled'")
    .pluck()
    .get(agentSeq) as number;

function refuseTakenName(connection: Connection, agentSeq: number, task: Task, except = -1): void {
  if (task.state === 'canceled') return;
  const taken = connection
    .sql("SELECT 1 FROM task WHERE agent_seq = ? AND name = ? AND state <> 'canceled' AND seq <> ?")
    .get(agentSeq, task.name, except);
  if (taken === undefined) return;
  throw conflict(`The agent has a task "${task.name}" already.`, [
    `pao task show ${task.name}`,
    'pao task apply changes the one that is there',
  ]);
}

function writeVersion(
  connection: Connection,
  seq: number,
  version: number,
  task: Task,
  changedBy: string,
): void {
  connection
    .sql('INSERT INTO task_version (task_seq, version, spec, changed_by, changed_at) VALUES (?, ?, ?, ?, ?)')
    .run(seq, version, JSON.stringify(task.spec), changedBy, task.updatedAt);
}

function searchText(task: Task): string {
  return `${task.name}\n${task.spec.title ?? ''}`.toLowerCase();
}

function listTasks(
  connection: Connection,
  query: TaskQuery,
  withSpec: (connection: Connection, row: TaskRow) => Task,
): Page<Task> {
  const where: string[] = [];
  const values: (string | number)[] = [];
  if (query.agentId !== undefined) {
    where.push('task.agent_seq = (SELECT seq FROM agent WHERE id = ?)');
    values.push(query.agentId);
  }
  if (query.states !== undefined) {
    where.push(`task.state IN (${query.states.map(() => '?').join(', ')})`);
    values.push(...query.states);
  }
  if (query.search !== undefined && query.search !== '') {
    where.push('instr(task.search_text, ?) > 0');
    values.push(query.search.toLowerCase());
  }
  if (query.cursor !== undefined) {
    where.push('task.seq < ?');
    values.push(decodeNumberCursor(query.cursor));
  }
  const filter = where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`;
  const rows = connection.raw
    .prepare(`${SELECT_TASK} ${filter} ORDER BY task.seq DESC LIMIT ?`)
    .all(...values, query.limit + 1) as TaskRow[];
  const items = rows.slice(0, query.limit);
  return {
    items: items.map((row) => withSpec(connection, row)),
    nextCursor: rows.length > query.limit ? encodeCursor((items.at(-1) as TaskRow).seq) : null,
  };
}
