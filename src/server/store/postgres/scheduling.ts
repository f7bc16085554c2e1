import { listensTo } from '../../../domain/event.js';
import { BROKEN_PREFIX, PAUSE_REASON } from '../../../domain/paused-by-pao.js';
import type { Task } from '../../../domain/task.js';
import { MISSED_KEY, withMissed } from '../missed-mark.js';
import { type EventRow, toEvent } from '../sqlite/event-rows.js';
import { toWindow, type WindowRow } from '../sqlite/event-windows.js';
import { toJson } from '../sqlite/json-column.js';
import { eventKeysFor, type TaskRow, toTask } from '../sqlite/task-rows.js';
import type {
  CanceledRuns,
  DueDecision,
  DueTask,
  EventWindow,
  NewRun,
  ScheduledResult,
  SchedulingStore,
  WindowChange,
} from '../store.js';
import { writeAudit } from './audit.js';
import type { PostgresDatabase, Sql } from './database.js';
import { cancelAllOfTask } from './end-run.js';
import { enqueue, type RunOwner } from './enqueue.js';
import { sqlState } from './errors.js';
import { countWindows, findWindow, putWindow, putWindows } from './event-windows.js';
import { isWithoutPartition, MissingPartitions, type Partitions } from './partitions.js';
import type { SpecCache } from './spec-cache.js';
import { SELECT_TASK } from './task-rows.js';

/** Active runs of one task are counted up to this many: no overlap policy asks for more (queue_limit is 1000). */
const COUNT_LIMIT = 1100;

interface Candidate {
  owner: RunOwner;
  due: DueTask;
}

interface Decided {
  candidate: Candidate;
  decision: DueDecision;
}

/** Due tasks and events become runs. */
export function schedulingMethods(
  database: PostgresDatabase,
  specs: SpecCache,
  partitions: Partitions,
): SchedulingStore {
  return {
    async scheduleDue({ now, limit, decide }) {
      // In order, so that the first of the index is looked at: without it the planner may read the whole table for one row.
      const due = await database.read(
        "SELECT 1 FROM task WHERE state = 'active' AND next_due_at <= pao_at($1) ORDER BY next_due_at LIMIT 1",
        [now],
      );
      if (due.length === 0) return emptyResult();
      return partitions.with(now, async (sql) => {
        const rows = await sql.rows<TaskRow>(
          `${SELECT_TASK} WHERE task.state = 'active' AND task.next_due_at <= pao_at($1)
            ORDER BY task.next_due_at LIMIT $2 FOR UPDATE OF task SKIP LOCKED`,
          [now, limit],
        );
        const result = { ...emptyResult(), tasks: rows.length };
        const decided: Decided[] = [];
        for (const [at, candidate] of (await candidatesOf(sql, specs, rows)).entries()) {
          try {
            if (candidate instanceof Error) throw candidate;
            decided.push({ candidate, decision: decide(candidate.due) });
          } catch (error) {
            await pause(sql, (rows[at] as TaskRow).seq, error, now, result);
          }
        }
        await applyDecisions(sql, partitions, decided, now, result);
        if (result.missed > 0) await markMissed(sql, now);
        await leaveWord(sql, result, now);
        return result;
      });
    },

    async nextDueAt() {
      const [row] = await database.read<{ at: number | null }>(
        "SELECT min(next_due_at) AS at FROM task WHERE state = 'active' AND next_due_at IS NOT NULL",
      );
      return row?.at ?? null;
    },

    async findStrandedTasks(before, limit) {
      const without = await database.read<TaskRow>(
        `${SELECT_TASK} WHERE task.state = 'active' AND task.timed AND task.next_due_at IS NULL LIMIT $1`,
        [limit],
      );
      const late = await database.read<TaskRow>(
        `${SELECT_TASK} WHERE task.state = 'active' AND task.next_due_at < pao_at($1)
          ORDER BY task.next_due_at LIMIT $2`,
        [before, limit - without.length],
      );
      const rows = [...without, ...late];
      const parsed = await specs.load(database, rows.map(versionOf));
      // One that can not be read is paused with its reason when it is due; here it would only hide the others.
      return rows.flatMap((row, at): Task[] => {
        const spec = parsed[at];
        return spec === undefined || spec instanceof Error ? [] : [toTask(row, spec.spec)];
      });
    },

    async setNextDue(taskId, version, nextDueAt) {
      const changed = await database.run(
        'UPDATE task SET next_due_at = pao_at($3) WHERE id = $1 AND version = $2',
        [taskId, version, nextDueAt],
      );
      return changed === 1;
    },

    async dispatchEvents({ now, limit, match }) {
      const waiting = await database.read('SELECT 1 FROM event WHERE dispatched_at IS NULL LIMIT 1');
      if (waiting.length === 0) return { ...emptyResult(), events: 0, woken: 0 };
      return partitions.with(now, async (sql) => {
        const result = { ...emptyResult(), events: 0, woken: 0 };
        // Not SKIP LOCKED: events are worked off in their order, by one scheduler at a time.
        const rows = await sql.rows<EventRow>(
          'SELECT * FROM event WHERE dispatched_at IS NULL ORDER BY sequence LIMIT $1 FOR UPDATE',
          [limit],
        );
        const known = new Map<number, Candidate | null>();
        const given: { owner: RunOwner; run: NewRun }[] = [];
        for (const row of rows) {
          const event = toEvent(row);
          const candidates = await candidatesFor(sql, specs, event.topic, known, now, result);
          if (candidates.length === 0) continue;
          if (event.depth > 0) await countRecent(sql, candidates, now);
          const byId = new Map(candidates.map((candidate) => [candidate.due.task.id, candidate]));
          for (const one of match(
            event,
            [...byId.values()].map(({ due }) => due),
          )) {
            const candidate = byId.get(one.taskId);
            if (candidate === undefined) continue;
            const { owner } = candidate;
            let change: Pick<WindowChange, 'runs' | 'cancelActive'>;
            if ('run' in one) change = { ...one, runs: [one.run] };
            else {
              const open = await findWindow(sql, owner.taskSeq, one.key);
              const changed = one.change(open, open === null ? await countWindows(sql, owner.taskSeq) : 0);
              await putWindows(sql, owner.taskSeq, one.key, changed);
              change = changed;
            }
            if (change.cancelActive === true) {
              // What this batch has queued for the task is there to be canceled, too.
              await flush(sql, partitions, given, now, result);
              addCanceled(result, await cancelAllOfTask(sql, owner.taskSeq, 'overlap', now));
            }
            given.push(...change.runs.map((run) => ({ owner, run })));
          }
        }
        await flush(sql, partitions, given, now, result);
        result.woken = await sql.run(
          `UPDATE due_work SET run_at = pao_at($1) WHERE state = 0 AND waiting = 1 AND run_at > pao_at($1)
            AND run_id = ANY (ARRAY(SELECT run_id FROM event_wait WHERE event_key = ANY ($2)))`,
          [now, [...new Set(rows.flatMap(({ topic }) => eventKeysFor(topic)))]],
        );
        await sql.run('UPDATE event SET dispatched_at = pao_at($2) WHERE sequence = ANY ($1)', [
          rows.map(({ sequence }) => sequence),
          now,
        ]);
        result.events = rows.length;
        result.tasks = known.size;
        await leaveWord(sql, result, now);
        return result;
      });
    },

    async closeWindows({ now, limit, close }) {
      const due = `SELECT 1 FROM event_window WHERE closes_at <= pao_at($1)
        AND NOT EXISTS (SELECT FROM event WHERE dispatched_at IS NULL) LIMIT 1`;
      if ((await database.read(due, [now])).length === 0) return emptyResult();
      return partitions.with(now, async (sql) => {
        const result = emptyResult();
        const rows = await sql.rows<WindowRow>(
          `SELECT * FROM event_window WHERE closes_at <= pao_at($1) ORDER BY closes_at LIMIT $2 FOR UPDATE SKIP LOCKED`,
          [now, limit],
        );
        // Seen after the rows are held: an event that was published meanwhile may belong in one of them.
        if ((await sql.rows(due, [now])).length === 0) return result;
        for (const row of rows) {
          result.tasks += 1;
          // Read for each window: one that closed before it may have queued a run of the same task.
          const tasks = await sql.rows<TaskRow>(`${SELECT_TASK} WHERE task.seq = $1`, [row.task_seq]);
          const [candidate] = await candidatesOf(sql, specs, tasks);
          const change = closing(candidate, row, close);
          if (change instanceof Error) {
            await pause(sql, row.task_seq, change, now, result);
            await putWindow(sql, row.task_seq, row.key, null);
            continue;
          }
          const { owner } = candidate as Candidate;
          if (change.cancelActive === true)
            addCanceled(result, await cancelAllOfTask(sql, owner.taskSeq, 'overlap', now));
          await flush(
            sql,
            partitions,
            change.runs.map((run) => ({ owner, run })),
            now,
            result,
          );
          await putWindows(sql, row.task_seq, row.key, change);
        }
        await leaveWord(sql, result, now);
        return result;
      });
    },

    async nextWindowAt() {
      const [row] = await database.read<{ at: number | null }>(
        'SELECT min(closes_at) AS at FROM event_window',
      );
      return row?.at ?? null;
    },

    async listWindows(taskId) {
      const rows = await database.read<WindowRow>(
        `SELECT event_window.* FROM event_window JOIN task ON task.seq = event_window.task_seq
          WHERE task.id = $1 ORDER BY closes_at, key`,
        [taskId],
      );
      return rows.map(toWindow);
    },
  };
}

function closing(
  candidate: Candidate | Error | undefined,
  row: WindowRow,
  close: (due: DueTask, window: EventWindow) => WindowChange,
): WindowChange | Error {
  try {
    if (candidate === undefined || candidate instanceof Error)
      throw candidate ?? new Error('the task can not be read');
    return close(candidate.due, toWindow(row));
  } catch (error) {
    return error as Error;
  }
}

/** For the rate guard, which looks only at what runs have caused. */
async function countRecent(sql: Sql, candidates: readonly Candidate[], now: number): Promise<void> {
  for (const { due, owner } of candidates) {
    if (due.recentRuns !== undefined) continue;
    const row = await sql.row<{ count: number }>(
      `SELECT count(*) FROM (SELECT status, created_at FROM run WHERE task_seq = $1 ORDER BY seq DESC LIMIT 200) AS few
        WHERE created_at > pao_at($2) AND status <> 'skipped'`,
      [owner.taskSeq, now - 60_000],
    );
    due.recentRuns = row?.count ?? 0;
  }
}

/** Writes all decisions at once; when that fails, one by one, and pauses each task whose own can not be written. */
async function applyDecisions(
  sql: Sql,
  partitions: Partitions,
  decided: readonly Decided[],
  now: number,
  result: ScheduledResult,
): Promise<void> {
  if (decided.length === 0) return;
  const outcome = await nested(sql, () => applyAll(sql, partitions, decided, now));
  if (!(outcome instanceof Error)) {
    add(result, outcome);
    return;
  }
  for (const one of decided) {
    const alone = await nested(sql, () => applyAll(sql, partitions, [one], now));
    if (alone instanceof Error) await pause(sql, one.candidate.owner.taskSeq, alone, now, result);
    else add(result, alone);
  }
}

/** Runs a part of a transaction; when its data can not be written only this part is undone, and the reason returned. */
async function nested<T>(sql: Sql, job: () => Promise<T>): Promise<T | Error> {
  await sql.run('SAVEPOINT part');
  try {
    const result = await job();
    await sql.run('RELEASE part');
    return result;
  } catch (error) {
    if (!isAboutData(error)) throw error;
    await sql.run('ROLLBACK TO part');
    await sql.run('RELEASE part');
    return error as Error;
  }
}

/** Whether the rows themselves are wrong (classes 22 and 23), not the database, and not a partition that is to be made. */
function isAboutData(error: unknown): boolean {
  if (error instanceof MissingPartitions || isWithoutPartition(error)) return false;
  return error instanceof TypeError || /^2[23]/.test(sqlState(error) ?? '');
}

async function applyAll(
  sql: Sql,
  partitions: Partitions,
  decided: readonly Decided[],
  now: number,
): Promise<ScheduledResult> {
  const result = emptyResult();
  for (const { candidate, decision } of decided) {
    if (decision.cancelActive !== true) continue;
    addCanceled(result, await cancelAllOfTask(sql, candidate.owner.taskSeq, 'overlap', now));
  }
  const given = decided.flatMap(({ candidate, decision }) =>
    decision.runs.map((run) => ({ owner: candidate.owner, run })),
  );
  await flush(sql, partitions, given, now, result);
  for (const { candidate, decision } of decided) {
    const { window } = decision;
    if (window !== undefined) await putWindow(sql, candidate.owner.taskSeq, window.key, window);
  }
  const column = <T>(pick: (decision: DueDecision) => T): T[] =>
    decided.map(({ decision }) => pick(decision));
  await sql.run(
    `UPDATE task SET next_due_at = pao_at(one.next_due_at),
        state = coalesce(one.state, task.state),
        state_reason = CASE WHEN one.state IS NULL THEN task.state_reason ELSE one.state_reason END,
        updated_at = CASE WHEN one.state IS NULL THEN task.updated_at ELSE pao_at($9) END,
        memory = CASE WHEN one.remembers THEN one.memory ELSE task.memory END,
        snoozed_until = CASE WHEN one.snoozes THEN pao_at(one.snoozed_until) ELSE task.snoozed_until END
      FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::boolean[], $8::bigint[])
        AS one(seq, next_due_at, state, state_reason, remembers, memory, snoozes, snoozed_until)
      WHERE task.seq = one.seq`,
    [
      decided.map(({ candidate }) => candidate.owner.taskSeq),
      column(({ nextDueAt }) => nextDueAt),
      column(({ state }) => state ?? null),
      column(({ stateReason }) => stateReason ?? null),
      column(({ memory }) => memory !== undefined),
      column(({ memory }) => toJson(memory)),
      column(({ snoozedUntil }) => snoozedUntil !== undefined),
      column(({ snoozedUntil }) => snoozedUntil ?? null),
      now,
    ],
  );
  return result;
}

/** Writes what was given so far, and empties the list. */
async function flush(
  sql: Sql,
  partitions: Partitions,
  given: { owner: RunOwner; run: NewRun }[],
  now: number,
  result: ScheduledResult,
): Promise<void> {
  const batch = given.splice(0);
  if (batch.length === 0) return;
  const written = await enqueue(sql, partitions, batch, now);
  for (const { run } of batch) {
    if (!written.has(run.id)) {
      result.duplicates += 1;
      continue;
    }
    result[run.status] += 1;
    if (run.status === 'queued' && (result.earliestRunAt === null || run.runAt < result.earliestRunAt)) {
      result.earliestRunAt = run.runAt;
    }
  }
}

/** Active event tasks whose pattern fits a topic; the same objects for all events of a batch. */
async function candidatesFor(
  sql: Sql,
  specs: SpecCache,
  topic: string,
  known: Map<number, Candidate | null>,
  now: number,
  result: ScheduledResult,
): Promise<Candidate[]> {
  const rows = await sql.rows<TaskRow>(
    `${SELECT_TASK} WHERE task.state = 'active' AND task.event_key = ANY ($1)`,
    [eventKeysFor(topic)],
  );
  const unknown = rows.filter(({ seq }) => !known.has(seq));
  for (const [at, candidate] of (await candidatesOf(sql, specs, unknown)).entries()) {
    const { seq } = unknown[at] as TaskRow;
    known.set(seq, candidate instanceof Error ? null : candidate);
    if (candidate instanceof Error) await pause(sql, seq, candidate, now, result);
  }
  return rows.flatMap(({ seq }) => {
    const candidate = known.get(seq);
    const schedule = candidate?.due.task.spec.schedule;
    return candidate && schedule?.kind === 'event' && listensTo(schedule, topic) ? [candidate] : [];
  });
}

const versionOf = (row: TaskRow) => ({ taskSeq: row.seq, version: row.version });

/** What is to be known of tasks to decide about them; an Error for one that can not be read. */
async function candidatesOf(
  sql: Sql,
  specs: SpecCache,
  rows: readonly TaskRow[],
): Promise<(Candidate | Error)[]> {
  if (rows.length === 0) return [];
  const parsed = await specs.load(sql, rows.map(versionOf));
  const seqs = rows.map(({ seq }) => seq);
  const active = await sql.rows<{ seq: number; active: number; queued: number }>(
    `SELECT one.seq, counted.active, counted.queued FROM unnest($1::bigint[]) AS one(seq), LATERAL (
        SELECT count(*) AS active, count(*) FILTER (WHERE state <> 1 AND waiting = 0) AS queued
        FROM (SELECT state, waiting FROM due_work WHERE task_seq = one.seq LIMIT ${COUNT_LIMIT}) AS few) AS counted
      WHERE counted.active > 0`,
    [seqs],
  );
  const counts = new Map(active.map((row) => [row.seq, row]));
  const keyed = rows.flatMap((row, at) => {
    const spec = parsed[at];
    const key = spec === undefined || spec instanceof Error ? undefined : spec.spec.dedupe?.key;
    return key === undefined ? [] : [{ agentSeq: row.agent_seq, key }];
  });
  const used = await lastDedupes(sql, keyed);
  return rows.map((row, at) => {
    const spec = parsed[at];
    if (spec === undefined || spec instanceof Error) return spec ?? new Error('the task can not be read');
    const key = spec.spec.dedupe?.key;
    try {
      return {
        owner: { taskSeq: row.seq, agentSeq: row.agent_seq, version: row.version, parsed: spec },
        due: {
          task: toTask(row, spec.spec),
          activeRuns: counts.get(row.seq)?.active ?? 0,
          queuedRuns: counts.get(row.seq)?.queued ?? 0,
          lastDedupeAt: key === undefined ? null : (used.get(`${row.agent_seq}:${key}`) ?? null),
        },
      };
    } catch (error) {
      return error as Error;
    }
  });
}

/** When the newest runs that count for dedupe keys were written, by `agent:key`. */
export async function lastDedupes(
  sql: Sql,
  keys: readonly { agentSeq: number; key: string }[],
): Promise<Map<string, number>> {
  if (keys.length === 0) return new Map();
  const rows = await sql.rows<{ agent_seq: number; key: string; at: number }>(
    `SELECT one.agent_seq, one.key, last.created_at AS at
      FROM unnest($1::bigint[], $2::text[]) AS one(agent_seq, key), LATERAL (
        SELECT created_at FROM run WHERE run.agent_seq = one.agent_seq AND run.dedupe_key = one.key AND dedupes
          AND status IN ('active', 'succeeded', 'partial') ORDER BY seq DESC LIMIT 1) AS last`,
    [keys.map(({ agentSeq }) => agentSeq), keys.map(({ key }) => key)],
  );
  return new Map(rows.map((row) => [`${row.agent_seq}:${row.key}`, row.at]));
}

/** Pauses a task that can not be scheduled; what is left of it for others to see is written by {@link leaveWord}. */
async function pause(
  sql: Sql,
  taskSeq: number,
  error: unknown,
  now: number,
  result: ScheduledResult,
): Promise<void> {
  const reason = PAUSE_REASON.error(error instanceof Error ? error.message : String(error));
  const task = await sql.row<{ id: string; name: string }>(
    `UPDATE task SET state = 'paused', state_reason = $2, updated_at = pao_at($3)
      WHERE seq = $1 AND state IN ('active', 'paused') RETURNING id, name`,
    [taskSeq, reason, now],
  );
  if (task !== undefined) result.paused.push({ ...task, reason });
}

/** Leaves word of paused tasks, in the audit log and for those who tell people; last in the transaction, as audit is. */
async function leaveWord(sql: Sql, { paused }: ScheduledResult, now: number): Promise<void> {
  if (paused.length === 0) return;
  for (const { id } of paused) await putMeta(sql, BROKEN_PREFIX + id, String(now));
  await writeAudit(
    sql,
    paused.map(({ id, name, reason }) => ({
      at: now,
      actor: 'system',
      action: 'task.paused',
      target: id,
      details: { name, reason },
    })),
  );
}

/** Leaves word that occurrences were missed, for those who tell people. */
async function markMissed(sql: Sql, now: number): Promise<void> {
  // Written even where it stands: only a row that is there is locked, and another scheduler may just be writing the first.
  const before = await sql.row<{ value: string }>(
    `INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = meta.value
      RETURNING value`,
    [MISSED_KEY, withMissed(null, now)],
  );
  await putMeta(sql, MISSED_KEY, withMissed(before?.value ?? null, now));
}

async function putMeta(sql: Sql, key: string, value: string): Promise<void> {
  await sql.run(
    'INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    [key, value],
  );
}

function add(total: ScheduledResult, part: ScheduledResult): void {
  for (const name of ['queued', 'skipped', 'missed', 'duplicates'] as const) total[name] += part[name];
  addCanceled(total, part);
  total.paused.push(...part.paused);
  if (part.earliestRunAt !== null)
    total.earliestRunAt = Math.min(total.earliestRunAt ?? Number.POSITIVE_INFINITY, part.earliestRunAt);
}

function addCanceled(total: ScheduledResult, part: CanceledRuns): void {
  total.cancelRequested.push(...part.cancelRequested);
  total.canceled.push(...part.canceled);
}

function emptyResult(): ScheduledResult {
  return {
    tasks: 0,
    queued: 0,
    skipped: 0,
    missed: 0,
    duplicates: 0,
    cancelRequested: [],
    canceled: [],
    paused: [],
    earliestRunAt: null,
  };
}
