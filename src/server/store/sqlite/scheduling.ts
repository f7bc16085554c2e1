import { listensTo } from '../../../domain/event.js';
import { BROKEN_PREFIX, PAUSE_REASON } from '../../../domain/paused-by-pao.js';
import type { Task } from '../../../domain/task.js';
import type {
  CanceledRuns,
  DueDecision,
  DueTask,
  NewRun,
  ScheduledResult,
  SchedulingStore,
  WindowChange,
} from '../store.js';
import { MISSED_KEY, withMissed } from '../missed-mark.js';
import { waitInRealTime } from '../wait-in-real-time.js';
import { writeAudit } from './audit.js';
import type { Connection, SqliteDatabase } from './database.js';
import { cancelAllOfTask } from './end-run.js';
import { enqueue, type RunOwner } from './enqueue.js';
import { isConstraint, sqliteCode } from './errors.js';
import { type EventRow, toEvent } from './event-rows.js';
import { wakeForEvent } from './event-waits.js';
import {
  countWindows,
  findWindow,
  putWindow,
  putWindows,
  toWindow,
  type WindowRow,
} from './event-windows.js';
import { toJson } from './json-column.js';
import type { SpecCache } from './spec-cache.js';
import { eventKeysFor, SELECT_TASK, type TaskRow, toTask } from './task-rows.js';

/** Active runs of one task are counted up to this many: no overlap policy asks for more (queue_limit is 1000). */
const COUNT_LIMIT = 1100;

/** Runs that events make in one transaction: while it lasts nobody else writes. */
const MAX_RUNS = 500;
/** Whoever waits for the lock looks again within this time. */
const OTHERS_TURN_MS = 15;

interface Candidate {
  owner: RunOwner;
  due: DueTask;
}

/** Due tasks and events become runs. */
export function schedulingMethods(database: SqliteDatabase, specs: SpecCache): SchedulingStore {
  return {
    async scheduleDue(options) {
      const { now, limit } = options;
      if (!(await database.read((connection) => isDue(connection, now)))) return emptyResult();
      // A task whose rows can not be written is found only by writing them: then all is undone, and done again without it.
      const poisoned = new Map<number, string>();
      for (;;) {
        const before = poisoned.size;
        try {
          return await database.write((connection) => {
            const result = emptyResult();
            const rows = connection
              .sql(
                `${SELECT_TASK} WHERE task.state = 'active' AND task.next_due_at <= ? ORDER BY task.next_due_at LIMIT ?`,
              )
              .all(now, limit) as TaskRow[];
            for (const row of rows) scheduleTask(connection, specs, row, options, poisoned, result);
            if (poisoned.size > before) throw new Poisoned();
            if (result.missed > 0) markMissed(connection, now);
            return result;
          });
        } catch (error) {
          if (!(error instanceof Poisoned)) throw error;
        }
      }
    },

    nextDueAt: () =>
      database.read(
        (connection) =>
          connection
            .sql("SELECT min(next_due_at) FROM task WHERE state = 'active' AND next_due_at IS NOT NULL")
            .pluck()
            .get() as number | null,
      ),

    findStrandedTasks: (before, limit) =>
      database.snapshot((connection) => {
        const without = connection
          .sql(
            `${SELECT_TASK} WHERE task.state = 'active' AND task.timed = 1 AND task.next_due_at IS NULL LIMIT ?`,
          )
          .all(limit) as TaskRow[];
        const late = connection
          .sql(
            `${SELECT_TASK} WHERE task.state = 'active' AND task.next_due_at < ? ORDER BY task.next_due_at LIMIT ?`,
          )
          .all(before, limit - without.length) as TaskRow[];
        return [...without, ...late].flatMap((row) => readable(connection, specs, row));
      }),

    setNextDue: (taskId, version, nextDueAt) =>
      database.write(
        (connection) =>
          connection
            .sql('UPDATE task SET next_due_at = ? WHERE id = ? AND version = ?')
            .run(nextDueAt, taskId, version).changes === 1,
      ),

    async dispatchEvents(options) {
      const { now, limit, match } = options;
      const waiting = await database.read((connection) =>
        connection.sql('SELECT 1 FROM event WHERE dispatched_at IS NULL LIMIT 1').get(),
      );
      if (waiting === undefined) return { ...emptyResult(), events: 0, woken: 0 };
      let isCut = false;
      const dispatched = await database.write((connection) => {
        const result = { ...emptyResult(), events: 0, woken: 0 };
        isCut = false;
        const known = new Map<number, Candidate | null>();
        const rows = connection
          .sql('SELECT * FROM event WHERE dispatched_at IS NULL ORDER BY sequence LIMIT ?')
          .all(limit) as EventRow[];
        for (const row of rows) {
          const event = toEvent(row);
          const candidates = candidatesFor(connection, specs, event.topic, known, now, result);
          if (event.depth > 0) countRecent(connection, candidates, now);
          const byId = new Map(candidates.map((candidate) => [candidate.due.task.id, candidate]));
          const matches =
            candidates.length === 0
              ? []
              : match(
                  event,
                  [...byId.values()].map(({ due }) => due),
                );
          for (const one of matches) {
            const candidate = byId.get(one.taskId);
            if (candidate === undefined) continue;
            const { owner } = candidate;
            if ('run' in one) {
              writeRuns(connection, owner, { ...one, runs: [one.run] }, now, result);
              continue;
            }
            const open = findWindow(connection, owner.taskSeq, one.key);
            const change = one.change(open, open === null ? countWindows(connection, owner.taskSeq) : 0);
            writeRuns(connection, owner, change, now, result);
            putWindows(connection, owner.taskSeq, one.key, change);
          }
          result.woken += wakeForEvent(connection, event.topic, now);
          connection.sql('UPDATE event SET dispatched_at = ? WHERE sequence = ?').run(now, row.sequence);
          result.events += 1;
          isCut = result.queued + result.skipped >= MAX_RUNS;
          if (isCut) break;
        }
        result.tasks = known.size;
        return result;
      });
      // There may be more: before it is asked for, those that wait for the lock have their turn.
      if (isCut) await waitInRealTime(OTHERS_TURN_MS);
      return dispatched;
    },

    async closeWindows({ now, limit, close }) {
      const isDue = (connection: Connection) =>
        connection.sql('SELECT 1 FROM event_window WHERE closes_at <= ? LIMIT 1').get(now) !== undefined &&
        connection.sql('SELECT 1 FROM event WHERE dispatched_at IS NULL LIMIT 1').get() === undefined;
      if (!(await database.read(isDue))) return emptyResult();
      return database.write((connection) => {
        const result = emptyResult();
        if (!isDue(connection)) return result;
        const rows = connection
          .sql('SELECT * FROM event_window WHERE closes_at <= ? ORDER BY closes_at LIMIT ?')
          .all(now, limit) as WindowRow[];
        for (const row of rows) {
          result.tasks += 1;
          const task = connection.sql(`${SELECT_TASK} WHERE task.seq = ?`).get(row.task_seq) as TaskRow;
          try {
            // Read for each window: one that closed before it may have queued a run of the same task.
            const candidate = candidateOf(connection, specs, task);
            const change = close(candidate.due, toWindow(row));
            writeRuns(connection, candidate.owner, change, now, result);
            putWindows(connection, row.task_seq, row.key, change);
          } catch (error) {
            if (sqliteCode(error) !== null) throw error;
            pause(connection, row.task_seq, messageOf(error), now, result);
            putWindow(connection, row.task_seq, row.key, null);
          }
        }
        return result;
      });
    },

    nextWindowAt: () =>
      database.read(
        (connection) =>
          connection.sql('SELECT min(closes_at) FROM event_window').pluck().get() as number | null,
      ),

    listWindows: (taskId) =>
      database.read((connection) =>
        (
          connection
            .sql(`SELECT event_window.* FROM event_window JOIN task ON task.seq = event_window.task_seq
              WHERE task.id = ? ORDER BY closes_at, key`)
            .all(taskId) as WindowRow[]
        ).map(toWindow),
      ),
  };
}

/** What became of an event or a window: what is to be canceled, then the new runs. */
function writeRuns(
  connection: Connection,
  owner: RunOwner,
  { runs, cancelActive }: Pick<WindowChange, 'runs' | 'cancelActive'>,
  now: number,
  result: ScheduledResult,
): void {
  if (cancelActive === true) addCanceled(result, cancelAllOfTask(connection, owner.taskSeq, 'overlap', now));
  for (const run of runs) count(result, run, enqueue(connection, owner, run, now));
}

/** For the rate guard, which looks only at what runs have caused. */
function countRecent(connection: Connection, candidates: readonly Candidate[], now: number): void {
  for (const { due, owner } of candidates) {
    due.recentRuns ??= connection
      .sql(`SELECT count(*) FROM (SELECT status, created_at FROM run WHERE task_seq = ? ORDER BY seq DESC LIMIT 200)
        WHERE created_at > ? AND status <> 'skipped'`)
      .pluck()
      .get(owner.taskSeq, now - 60_000) as number;
  }
}

class Poisoned extends Error {}

function isDue(connection: Connection, now: number): boolean {
  return (
    connection.sql("SELECT 1 FROM task WHERE state = 'active' AND next_due_at <= ? LIMIT 1").get(now) !==
    undefined
  );
}

/** One task of a pass. What goes wrong with it alone pauses it alone. */
function scheduleTask(
  connection: Connection,
  specs: SpecCache,
  row: TaskRow,
  options: { now: number; decide: (due: DueTask) => DueDecision },
  poisoned: Map<number, string>,
  result: ScheduledResult,
): void {
  result.tasks += 1;
  const { now } = options;
  const reason = poisoned.get(row.seq);
  if (reason !== undefined) {
    pause(connection, row.seq, reason, now, result);
    return;
  }
  let candidate: Candidate;
  let decision: DueDecision;
  try {
    candidate = candidateOf(connection, specs, row);
    decision = options.decide(candidate.due);
  } catch (error) {
    if (sqliteCode(error) !== null) throw error;
    pause(connection, row.seq, messageOf(error), now, result);
    return;
  }
  try {
    applyDecision(connection, candidate, decision, now, result);
  } catch (error) {
    if (sqliteCode(error) !== null && !isConstraint(error)) throw error;
    poisoned.set(row.seq, messageOf(error));
  }
}

function applyDecision(
  connection: Connection,
  { owner }: Candidate,
  decision: DueDecision,
  now: number,
  result: ScheduledResult,
): void {
  writeRuns(connection, owner, decision, now, result);
  if (decision.window !== undefined)
    putWindow(connection, owner.taskSeq, decision.window.key, decision.window);
  connection.sql('UPDATE task SET next_due_at = ? WHERE seq = ?').run(decision.nextDueAt, owner.taskSeq);
  if (decision.state !== undefined) {
    connection
      .sql('UPDATE task SET state = ?, state_reason = ?, updated_at = ? WHERE seq = ?')
      .run(decision.state, decision.stateReason ?? null, now, owner.taskSeq);
  }
  if (decision.memory !== undefined) {
    connection.sql('UPDATE task SET memory = ? WHERE seq = ?').run(toJson(decision.memory), owner.taskSeq);
  }
  if (decision.snoozedUntil !== undefined) {
    connection
      .sql('UPDATE task SET snoozed_until = ? WHERE seq = ?')
      .run(decision.snoozedUntil, owner.taskSeq);
  }
}

function candidatesFor(
  connection: Connection,
  specs: SpecCache,
  topic: string,
  known: Map<number, Candidate | null>,
  now: number,
  result: ScheduledResult,
): Candidate[] {
  const found = connection
    .sql(`${SELECT_TASK} WHERE task.state = 'active' AND task.event_key IN (?, ?, ?)`)
    .all(...eventKeysFor(topic)) as TaskRow[];
  const candidates: Candidate[] = [];
  for (const row of found) {
    let candidate = known.get(row.seq);
    if (candidate === undefined) {
      try {
        candidate = candidateOf(connection, specs, row);
      } catch (error) {
        if (sqliteCode(error) !== null) throw error;
        pause(connection, row.seq, messageOf(error), now, result);
        candidate = null;
      }
      known.set(row.seq, candidate);
    }
    if (candidate === null) continue;
    const { schedule } = candidate.due.task.spec;
    if (schedule?.kind === 'event' && listensTo(schedule, topic)) candidates.push(candidate);
  }
  return candidates;
}

function candidateOf(connection: Connection, specs: SpecCache, row: TaskRow): Candidate {
  const parsed = specs.get(connection, row.seq, row.version);
  const active = countActive(connection, row.seq);
  const key = parsed.spec.dedupe?.key;
  return {
    owner: { taskSeq: row.seq, agentSeq: row.agent_seq, version: row.version, parsed },
    due: {
      task: toTask(row, parsed.spec),
      activeRuns: active.active,
      queuedRuns: active.queued,
      lastDedupeAt: key === undefined ? null : lastDedupeAt(connection, row.agent_seq, key),
    },
  };
}

function countActive(connection: Connection, taskSeq: number): { active: number; queued: number } {
  const any = connection.sql('SELECT 1 FROM due_work WHERE task_seq = ? LIMIT 1').get(taskSeq);
  if (any === undefined) return { active: 0, queued: 0 };
  return connection
    .sql(`SELECT count(*) AS active, coalesce(sum(state <> 1 AND waiting = 0), 0) AS queued
      FROM (SELECT state, waiting FROM due_work WHERE task_seq = ? LIMIT ${COUNT_LIMIT})`)
    .get(taskSeq) as { active: number; queued: number };
}

/** When the newest run that counts for a dedupe key of an agent was written; null when there is none. */
export function lastDedupeAt(connection: Connection, agentSeq: number, key: string): number | null {
  const at = connection
    .sql(`SELECT created_at FROM run WHERE agent_seq = ? AND dedupe_key = ?
      AND (status = 'active' OR status = 'succeeded' OR status = 'partial') ORDER BY seq DESC LIMIT 1`)
    .pluck()
    .get(agentSeq, key) as number | undefined;
  return at ?? null;
}

/** Pauses a task that can not be scheduled, and leaves word of it: in the audit log, and for those who tell people. */
function pause(
  connection: Connection,
  taskSeq: number,
  message: string,
  now: number,
  result: ScheduledResult,
): void {
  const reason = PAUSE_REASON.error(message);
  const task = connection
    .sql(`UPDATE task SET state = 'paused', state_reason = ?, updated_at = ? WHERE seq = ? AND state IN ('active', 'paused')
      RETURNING id, name`)
    .get(reason, now, taskSeq) as { id: string; name: string } | undefined;
  if (task === undefined) return;
  const { id, name } = task;
  result.paused.push({ id, name, reason });
  writeAudit(connection, {
    at: now,
    actor: 'system',
    action: 'task.paused',
    target: id,
    details: { name, reason },
  });
  putMeta(connection, BROKEN_PREFIX + id, String(now));
}

/** Leaves word that occurrences were missed, for those who tell people. */
function markMissed(connection: Connection, now: number): void {
  const before = connection.sql('SELECT value FROM meta WHERE key = ?').pluck().get(MISSED_KEY) as
    | string
    | undefined;
  putMeta(connection, MISSED_KEY, withMissed(before ?? null, now));
}

function putMeta(connection: Connection, key: string, value: string): void {
  connection
    .sql('INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value')
    .run(key, value);
}

function readable(connection: Connection, specs: SpecCache, row: TaskRow): Task[] {
  try {
    return [toTask(row, specs.get(connection, row.seq, row.version).spec)];
  } catch (error) {
    // One that can not be read is paused with its reason when it is due; here it would only hide the others.
    if (sqliteCode(error) !== null) throw error;
    return [];
  }
}

function count(result: ScheduledResult, run: NewRun, seq: number | null): void {
  if (seq === null) {
    result.duplicates += 1;
    return;
  }
  result[run.status] += 1;
  if (run.status === 'queued' && (result.earliestRunAt === null || run.runAt < result.earliestRunAt)) {
    result.earliestRunAt = run.runAt;
  }
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
