import { conflict, notFound } from '../../../domain/errors.js';
import type { Task } from '../../../domain/task.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import { toJson } from '../sqlite/json-column.js';
import { eventKeyOf, isTimedSpec, type TaskRow, toTask } from '../sqlite/task-rows.js';
import { type TaskVersionRow, toVersionPage, versionsBefore } from '../sqlite/task-version-rows.js';
import type { Page, TaskQuery, TaskStore } from '../store.js';
import { unreadableSpec } from '../unreadable-spec.js';
import type { PostgresDatabase, Sql } from './database.js';
import { cancelAllOfTask } from './end-run.js';
import { violatedConstraint } from './errors.js';
import type { SpecCache } from './spec-cache.js';
import { SELECT_TASK } from './task-rows.js';

/** Tasks and their versions. */
export function taskMethods(database: PostgresDatabase, specs: SpecCache): TaskStore {
  const toTasks = async (rows: readonly TaskRow[]): Promise<Task[]> => {
    const parsed = await specs.load(
      database,
      rows.map((row) => ({ taskSeq: row.seq, version: row.version })),
    );
    return rows.map((row, at) => {
      const spec = parsed[at];
      const isUnread = spec === undefined || spec instanceof Error;
      return toTask(row, isUnread ? unreadableSpec(row.name, spec) : spec.spec);
    });
  };
  const find = async (where: string, ...values: unknown[]): Promise<Task[]> =>
    toTasks(await database.read<TaskRow>(`${SELECT_TASK} WHERE ${where}`, values));
  // Changes of one task from this process are written in the order they were asked for.
  const changing = new Map<string, Promise<unknown>>();

  return {
    createTask: (task, most) =>
      refusingTakenName(task, async () => {
        if (most === undefined) {
          if (!(await insertTask(database, task))) throw noAgent(task);
          return true;
        }
        return database.transaction(async (sql) => {
          // Whoever else creates one for this agent waits, and counts this one then.
          const agent = await sql.row('SELECT seq FROM agent WHERE id = $1 FOR NO KEY UPDATE', [
            task.agentId,
          ]);
          if (agent === undefined) throw noAgent(task);
          return insertTask(sql, task, most);
        });
      }),

    getTask: async (id) => (await find('task.id = $1', id))[0] ?? null,

    findTaskByName: async (agentId, name) =>
      (
        await find(
          "task.agent_seq = (SELECT seq FROM agent WHERE id = $1) AND task.name = $2 AND task.state <> 'canceled'",
          agentId,
          name,
        )
      )[0] ?? null,

    findTasksByName: (name) =>
      find("task.name = $1 AND task.state <> 'canceled' ORDER BY task.seq LIMIT 100", name),

    listTasks: (query) => listTasks(database, query, toTasks),

    updateTask(task, expectedVersion, changedBy) {
      const change = async () => {
        const rows = await refusingTakenName(task, () =>
          database.rows(
            `WITH one AS (
                UPDATE task SET name = $3, search_text = $4, version = $5, state = $6, state_reason = $7, scopes = $8,
                  timed = $9, event_key = $10, next_due_at = pao_at($11), snoozed_until = pao_at($12), memory = $13,
                  updated_at = pao_at($14)
                WHERE id = $1 AND version = $2 RETURNING seq
              )
              INSERT INTO task_version (task_seq, version, spec, changed_by, changed_at)
              SELECT seq, $5, $15, $16, pao_at($14) FROM one RETURNING task_seq`,
            [
              task.id,
              expectedVersion,
              ...changeable({ ...task, version: expectedVersion + 1 }),
              task.updatedAt,
              JSON.stringify(task.spec),
              changedBy,
            ],
          ),
        );
        return rows.length === 1;
      };
      const before = changing.get(task.id) ?? Promise.resolve();
      const mine = before.catch(() => {}).then(change);
      changing.set(task.id, mine);
      const forget = () => {
        if (changing.get(task.id) === mine) changing.delete(task.id);
      };
      mine.then(forget, forget);
      return mine;
    },

    async listTaskVersions(taskId, { limit, cursor }) {
      const rows = await database.read<TaskVersionRow>(
        `SELECT task_version.* FROM task_version JOIN task ON task.seq = task_version.task_seq
          WHERE task.id = $1 AND task_version.version < $2 ORDER BY task_version.version DESC LIMIT $3`,
        [taskId, versionsBefore(cursor), limit + 1],
      );
      return toVersionPage(rows, limit);
    },

    cancelRunsOfTask: (taskId, reason, now) =>
      database.transaction(async (sql) => {
        const task = await sql.row<{ seq: number }>('SELECT seq FROM task WHERE id = $1', [taskId]);
        return task === undefined
          ? { cancelRequested: [], canceled: [] }
          : cancelAllOfTask(sql, task.seq, reason, now);
      }),

    async countTasks(agentId) {
      const [row] = await database.read<{ count: number }>(
        `SELECT count(*) FROM task
          WHERE agent_seq = (SELECT seq FROM agent WHERE id = $1) AND state <> 'canceled'`,
        [agentId],
      );
      return row?.count ?? 0;
    },
  };
}

const noAgent = ({ agentId }: Task) => notFound('agent', agentId, ['pao agent list']);

/** @returns false when there is no such agent, or it has `most` tasks. */
async function insertTask(on: Sql, task: Task, most: number | null = null): Promise<boolean> {
  const written = await on.rows(
    `WITH one AS (
              INSERT INTO task (id, agent_seq, name, search_text, version, state, state_reason, scopes, timed, event_key,
                next_due_at, snoozed_until, memory, created_by, created_at, updated_at, created_in_run,
                spawn_depth)
              SELECT $1, agent.seq, $3, $4, $5, $6, $7, $8, $9, $10, pao_at($11), pao_at($12), $13, $14, pao_at($15),
                pao_at($16), $19, $20 FROM agent WHERE agent.id = $2 AND ($21::bigint IS NULL OR
                  (SELECT count(*) FROM task WHERE agent_seq = agent.seq AND state <> 'canceled') < $21::bigint)
              RETURNING seq
            ), version AS (
              INSERT INTO task_version (task_seq, version, spec, changed_by, changed_at)
              SELECT seq, $5, $17, $14, pao_at($16) FROM one
            ), activity AS (
              INSERT INTO task_activity SELECT seq, pao_at($18) FROM one WHERE $18::bigint IS NOT NULL
            )
            SELECT seq FROM one`,
    [
      task.id,
      task.agentId,
      ...changeable(task),
      task.createdBy,
      task.createdAt,
      task.updatedAt,
      JSON.stringify(task.spec),
      task.lastRunAt,
      task.createdInRun,
      task.spawnDepth,
      most,
    ],
  );
  return written.length === 1;
}

/** The columns that creating and changing a task share. */
function changeable(task: Task): unknown[] {
  return [
    task.name,
    `${task.name}\n${task.spec.title ?? ''}`.toLowerCase(),
    task.version,
    task.state,
    task.stateReason,
    JSON.stringify(task.scopes),
    isTimedSpec(task.spec),
    eventKeyOf(task.spec),
    task.nextDueAt,
    task.snoozedUntil,
    toJson(task.memory),
  ];
}

async function refusingTakenName<T>(task: Task, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (violatedConstraint(error) !== 'task_name') throw error;
    throw conflict(`The agent has a task "${task.name}" already.`, [
      `pao task show ${task.name}`,
      'pao task apply changes the one that is there',
    ]);
  }
}

async function listTasks(
  database: PostgresDatabase,
  query: TaskQuery,
  toTasks: (rows: readonly TaskRow[]) => Promise<Task[]>,
): Promise<Page<Task>> {
  const { agentId, states, search, cursor, limit } = query;
  const where: string[] = [];
  const values: unknown[] = [];
  const also = (condition: (place: string) => string, value: unknown) => {
    values.push(value);
    where.push(condition(`$${values.length}`));
  };
  if (agentId !== undefined)
    also((at) => `task.agent_seq = (SELECT seq FROM agent WHERE id = ${at})`, agentId);
  if (states !== undefined) also((at) => `task.state = ANY (${at})`, states);
  if (search !== undefined && search !== '')
    also((at) => `strpos(task.search_text, ${at}) > 0`, search.toLowerCase());
  if (cursor !== undefined) also((at) => `task.seq < ${at}`, decodeNumberCursor(cursor));
  values.push(limit + 1);
  const filter = where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`;
  const rows = await database.read<TaskRow>(
    `${SELECT_TASK} ${filter} ORDER BY task.seq DESC LIMIT $${values.length}`,
    values,
  );
  const items = rows.slice(0, limit);
  return {
    items: await toTasks(items),
    nextCursor: rows.length > limit ? encodeCursor((items.at(-1) as TaskRow).seq) : null,
  };
}
