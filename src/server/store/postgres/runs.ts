import { parseDuration } from '../../../domain/duration.js';
import { conflict, notFound } from '../../../domain/errors.js';
import type { Run, RunStatus } from '../../../domain/run.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import { type EventRow, toEvent } from '../sqlite/event-rows.js';
import { fromJson, toJson } from '../sqlite/json-column.js';
import { type RunNames, type RunRow, toRun } from '../sqlite/run-rows.js';
import type { NewRun, Page, RunQuery, RunStore } from '../store.js';
import type { ParsedSpec } from '../parsed-specs.js';
import { Batcher } from './batcher.js';
import type { PostgresDatabase, Sql } from './database.js';
import { askToCancel, cancelIdle, type HeldRow } from './end-run.js';
import { enqueue, type RunOwner } from './enqueue.js';
import { sqlState } from './errors.js';
import type { Partitions } from './partitions.js';
import { findRuns, readSteps, SELECT_ACTIVE_RUN, SELECT_EXCEPTION, SELECT_RUN } from './run-rows.js';
import { lastDedupes } from './scheduling.js';
import type { SpecCache } from './spec-cache.js';

const ACTIVE: readonly RunStatus[] = ['queued', 'running', 'waiting'];
/** Those of the index `run_exception_trouble`. */
const TROUBLE: readonly RunStatus[] = ['partial', 'failed', 'dead', 'canceled'];

type Wanted = Parameters<RunStore['createRun']>[0];

interface Tools {
  database: PostgresDatabase;
  specs: SpecCache;
  partitions: Partitions;
}

interface Ready {
  wanted: Wanted;
  task: OwningTask;
  owner: RunOwner;
}

interface OwningTask {
  id: string;
  seq: number;
  agent_seq: number;
  agent_id: string;
  version: number;
  state: string;
  name: string;
}

/** Runs, read and steered from outside of a worker. */
export function runMethods(database: PostgresDatabase, specs: SpecCache, partitions: Partitions): RunStore {
  const creator = new Batcher<Wanted, Run>((batch) => createRuns({ database, specs, partitions }, batch));
  return {
    createRun: (wanted) => creator.add(wanted),

    async getRun(id) {
      return (await database.patiently(() => findRuns(database, [id])))[0] ?? null;
    },

    async listSteps(runId) {
      return (await database.patiently(() => readSteps(database, [runId]))).get(runId) ?? [];
    },

    async getRunEvents(runId) {
      const [row] = await database.read<{ events: string | null }>('SELECT events FROM run WHERE id = $1', [
        runId,
      ]);
      const together = fromJson<NonNullable<NewRun['events']>>(row?.events ?? null);
      if (together === null) return null;
      const rows = await database.read<EventRow>(
        'SELECT * FROM event WHERE id = ANY ($1) ORDER BY sequence',
        [together.ids],
      );
      return { count: together.count, events: rows.map(toEvent) };
    },

    async listRunsOfEvent(eventId, limit) {
      const rows = await database.read<RunRow & RunNames>(
        `${SELECT_RUN} WHERE run.event_id = $1 ORDER BY run.seq LIMIT $2`,
        [eventId, limit],
      );
      return rows.map((row) => toRun(row, row));
    },

    async getStepMemory(taskId, stepId) {
      const [row] = await database.read<{ hash: string; run_id: string; at: number }>(
        `SELECT hash, run_id, at FROM step_memory
          WHERE task_seq = (SELECT seq FROM task WHERE id = $1) AND step_id = $2`,
        [taskId, stepId],
      );
      return row === undefined ? null : { hash: row.hash, runId: row.run_id, at: row.at };
    },

    listRuns: (query) => database.patiently(() => listRuns(database, query)),

    cancelRun: (id, reason, now) =>
      database.transaction(async (sql) => {
        const row = await sql.row<HeldRow>(
          'SELECT run_id, state FROM due_work WHERE run_id = $1 FOR UPDATE',
          [id],
        );
        if (row?.state === 1) await askToCancel(sql, [id], reason);
        else if (row !== undefined) await cancelIdle(sql, [id], reason, now);
        const [run] = await findRuns(sql, [id]);
        return run === undefined ? null : { run, cancelRequested: row?.state === 1 };
      }),

    resolveStep: ({ runId, stepId, status, reason, output, error }) =>
      database.transaction(async (sql) => {
        const changed = await sql.run(
          `UPDATE step_run SET status = $3, reason = $4, output = $5, error = $6 FROM run
            WHERE run.id = $1 AND run.status <> 'active' AND step_run.run_seq = run.seq
              AND step_run.scheduled_for = run.scheduled_for AND step_run.step_id = $2 AND step_run.status = 'unknown'`,
          [runId, stepId, status, reason, toJson(output), toJson(error)],
        );
        if (changed === 1 && status === 'failed') {
          await sql.run(
            'DELETE FROM step_key WHERE run_seq = (SELECT seq FROM run WHERE id = $1) AND step_id = $2',
            [runId, stepId],
          );
        }
        return changed === 1;
      }),
  };
}

/**
 * Creates runs in the order they were asked for, all that need no look at a dedupe key in one statement.
 * @returns for each its run, or why there is none.
 */
async function createRuns(tools: Tools, batch: readonly Wanted[]): Promise<(Run | Error)[]> {
  const { database, specs } = tools;
  const tasks = await owningTasks(database, [...new Set(batch.map(({ taskId }) => taskId))]);
  const parsed = await specs.load(
    database,
    [...tasks.values()].map(({ seq, version }) => ({ taskSeq: seq, version })),
  );
  const specOf = new Map([...tasks.keys()].map((id, at) => [id, parsed[at] as ParsedSpec | Error]));
  const results = new Map<Wanted, Run | Error>();
  const plain: Ready[] = [];
  const deduped: Ready[] = [];
  for (const wanted of batch) {
    const task = tasks.get(wanted.taskId);
    const spec = specOf.get(wanted.taskId);
    const problem =
      task === undefined ? notFound('task', wanted.taskId, ['pao task list']) : refusal(task, spec);
    if (problem !== null) {
      results.set(wanted, problem);
      continue;
    }
    const ready = {
      wanted,
      task: task as OwningTask,
      owner: ownerOf(task as OwningTask, spec as ParsedSpec),
    };
    const looks = wanted.run.status === 'queued' && wanted.force !== true && ready.owner.parsed.spec.dedupe;
    (looks ? deduped : plain).push(ready);
  }
  for (const [wanted, run] of await writePlain(tools, plain)) results.set(wanted, run);
  for (const ready of deduped) {
    const { now, run } = ready.wanted;
    const { partitions } = tools;
    const written = await attempted(() =>
      partitions.with(now, (sql) => writeDeduped(sql, partitions, ready.owner, run, now)),
    );
    results.set(ready.wanted, written instanceof Error ? written : await outcome(tools, ready, written));
  }
  return batch.map((wanted) => results.get(wanted) as Run | Error);
}

/** All at once; when the data of one of them can not be written, one by one. */
async function writePlain(tools: Tools, batch: readonly Ready[]): Promise<Map<Wanted, Run | Error>> {
  const results = new Map<Wanted, Run | Error>();
  const first = batch[0];
  if (first === undefined) return results;
  const { database, partitions } = tools;
  // Times are those of the first: the others came within the same write.
  const { now } = first.wanted;
  const sameTime = batch.filter(({ wanted }) => wanted.now === now);
  const given = sameTime.map(({ owner, wanted }) => ({ owner, run: wanted.run }));
  const carries = given.some(({ run }) => (run.carriedSteps?.length ?? 0) > 0);
  const written = await attempted(() =>
    carries
      ? partitions.with(now, (sql) => enqueue(sql, partitions, given, now, { guarded: true }))
      : partitions.retrying(now, () => enqueue(database, partitions, given, now, { guarded: true })),
  );
  if (!(written instanceof Error)) {
    for (const ready of sameTime) {
      const { run } = ready.wanted;
      results.set(ready.wanted, await outcome(tools, ready, written.has(run.id) ? run : null));
    }
  } else if (sameTime.length === 1) results.set(first.wanted, written);
  else {
    for (const ready of sameTime)
      for (const [wanted, run] of await writePlain(tools, [ready])) results.set(wanted, run);
  }
  const rest = batch.filter(({ wanted }) => wanted.now !== now);
  for (const [wanted, run] of await writePlain(tools, rest)) results.set(wanted, run);
  return results;
}

/** What to answer; when nothing was written, the occurrence is there already or the task was changed in between. */
async function outcome(tools: Tools, ready: Ready, run: NewRun | null): Promise<Run | Error> {
  const { task, wanted, owner } = ready;
  if (run !== null) return toNewRun(run, task, wanted, owner.parsed.spec.priority);
  const now = (await owningTasks(tools.database, [wanted.taskId])).get(wanted.taskId);
  if (now !== undefined && now.version !== task.version)
    return (await createRuns(tools, [wanted]))[0] as Run | Error;
  return conflict(`The task "${task.name}" has a run for this occurrence already.`, [
    `pao run list --task ${task.name}`,
  ]);
}

/** @returns the error of a write that was refused; what concerns the whole database is thrown. */
async function attempted<T>(write: () => Promise<T>): Promise<T | Error> {
  try {
    return await write();
  } catch (error) {
    if (/^2[23]/.test(sqlState(error) ?? '')) return error as Error;
    throw error;
  }
}

function refusal(task: OwningTask, spec: ParsedSpec | Error | undefined): Error | null {
  if (task.state === 'canceled') {
    return conflict(`The task "${task.name}" is canceled: it can not run any more.`, [
      'pao task create makes a new one',
    ]);
  }
  return spec instanceof Error ? spec : null;
}

const ownerOf = (task: OwningTask, parsed: ParsedSpec): RunOwner => ({
  taskSeq: task.seq,
  agentSeq: task.agent_seq,
  version: task.version,
  parsed,
});

async function owningTasks(sql: Sql, ids: readonly string[]): Promise<Map<string, OwningTask>> {
  const rows = await sql.rows<OwningTask>(
    `SELECT task.id, task.seq, task.agent_seq, agent.id AS agent_id, task.version, task.state, task.name
      FROM task JOIN agent ON agent.seq = task.agent_seq WHERE task.id = ANY ($1)`,
    [ids],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/** Two who ask at once with one key are one after the other: the second sees the first. */
async function writeDeduped(
  sql: Sql,
  partitions: Partitions,
  owner: RunOwner,
  run: NewRun,
  now: number,
): Promise<NewRun | null> {
  const dedupe = owner.parsed.spec.dedupe as { key: string; window: string };
  const key = `${owner.agentSeq}:${dedupe.key}`;
  await sql.rows('SELECT pg_advisory_xact_lock(hashtextextended($1, 1))', [key]);
  const last = (await lastDedupes(sql, [{ agentSeq: owner.agentSeq, key: dedupe.key }])).get(key);
  const wanted: NewRun =
    last !== undefined && now - last < parseDuration(dedupe.window)
      ? { ...run, status: 'skipped', reason: 'dedupe' }
      : run;
  const written = await enqueue(sql, partitions, [{ owner, run: wanted }], now, { guarded: true });
  return written.has(wanted.id) ? wanted : null;
}

function toNewRun(run: NewRun, task: OwningTask, { taskId, now }: Wanted, priority: number): Run {
  return {
    id: run.id,
    taskId,
    taskName: task.name,
    taskVersion: task.version,
    agentId: task.agent_id,
    status: run.status,
    reason: run.reason,
    trigger: run.trigger,
    scheduledFor: run.scheduledFor,
    createdAt: now,
    runAt: run.runAt,
    startedAt: null,
    finishedAt: run.status === 'queued' ? null : now,
    attempt: 0,
    deaths: 0,
    priority,
    params: JSON.parse(JSON.stringify(run.params)) as Run['params'],
    eventId: run.eventId,
    parentRunId: run.parentRunId,
    dedupeKey: run.dedupeKey,
    output: null,
    error: null,
    traceId: run.traceId,
    workerId: null,
  };
}

async function listRuns(sql: Sql, query: RunQuery): Promise<Page<Run>> {
  const where: string[] = [];
  const values: unknown[] = [];
  const also = (condition: (place: string) => string, value: unknown) => {
    values.push(value);
    where.push(condition(`$${values.length}`));
  };
  for (const [table, id] of [
    ['task', query.taskId],
    ['agent', query.agentId],
  ] as const) {
    if (id === undefined) continue;
    const owner = await sql.row<{ seq: number }>(`SELECT seq FROM ${table} WHERE id = $1`, [id]);
    if (owner === undefined) return { items: [], nextCursor: null };
    also((place) => `run.${table}_seq = ${place}`, owner.seq);
  }
  let select = SELECT_RUN;
  if (query.statuses !== undefined) {
    const final = query.statuses.filter((status) => !ACTIVE.includes(status));
    const active = query.statuses.filter((status) => ACTIVE.includes(status)).map(activeCondition);
    if (final.length === 0) {
      select = SELECT_ACTIVE_RUN;
      where.push(active.length === 0 ? 'false' : `(${active.join(' OR ')})`);
    } else if (active.length > 0) {
      also((place) => `(run.status = ANY (${place}) OR ${active.join(' OR ')})`, final);
    } else if (final.includes('succeeded')) also((place) => `run.status = ANY (${place})`, final);
    else {
      select = SELECT_EXCEPTION;
      also((place) => `exception.status = ANY (${place})`, final);
      // Said again as the index of runs in trouble says it, so that it can be used.
      if (final.every((status) => TROUBLE.includes(status)))
        where.push("exception.status IN ('partial', 'failed', 'dead', 'canceled')");
    }
  }
  if (query.reasons !== undefined) also((place) => `run.reason = ANY (${place})`, query.reasons);
  if (query.exceptReasons !== undefined)
    also((place) => `coalesce(run.reason, '') <> ALL (${place})`, query.exceptReasons);
  if (query.since !== undefined) also((place) => `run.scheduled_for >= pao_at(${place})`, query.since);
  if (query.until !== undefined) also((place) => `run.scheduled_for <= pao_at(${place})`, query.until);
  if (query.cursor !== undefined) also((place) => `run.seq < ${place}`, decodeNumberCursor(query.cursor));
  const filter = where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`;
  values.push(query.limit + 1);
  const order = select === SELECT_EXCEPTION ? 'exception.run_seq' : 'run.seq';
  const rows = await sql.rows<RunRow & RunNames>(
    `${select} ${filter} ORDER BY ${order} DESC LIMIT $${values.length}`,
    values,
  );
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
