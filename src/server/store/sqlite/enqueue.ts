import type { NewRun } from '../store.js';
import type { Connection } from './database.js';
import { toJson } from './json-column.js';
import { writeStep } from './run-rows.js';
import type { ParsedSpec } from '../parsed-specs.js';

/** The task a new run belongs to. */
export interface RunOwner {
  taskSeq: number;
  agentSeq: number;
  version: number;
  parsed: ParsedSpec;
}

const ONCE = `ON CONFLICT (task_seq, scheduled_for) WHERE trigger IN ('schedule', 'catchup') DO NOTHING
  ON CONFLICT (task_seq, event_id) WHERE trigger = 'event' DO NOTHING`;

/**
 * Writes a run, and its due work when it is queued.
 * @returns its place in the order of creation; null when the occurrence (or the event's run) was there already.
 */
export function enqueue(connection: Connection, owner: RunOwner, run: NewRun, now: number): number | null {
  const { spec, tagSet } = owner.parsed;
  const status = run.status === 'queued' ? 'active' : run.status;
  const written = isPlain(run)
    ? connection
        .sql(`INSERT INTO run (id, task_seq, task_version, agent_seq, status, trigger, scheduled_for, created_at, run_at,
            priority, params) VALUES (?, ?, ?, ?, 'active', ?, ?, ?, ?, ?, '{}') ${ONCE}`)
        .run(
          run.id,
          owner.taskSeq,
          owner.version,
          owner.agentSeq,
          run.trigger,
          run.scheduledFor,
          now,
          run.runAt,
          spec.priority,
        )
    : connection
        .sql(`INSERT INTO run (id, task_seq, task_version, agent_seq, status, reason, trigger, scheduled_for, created_at,
            run_at, finished_at, priority, params, event_id, parent_run_id, dedupe_key, trace_id)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ${ONCE}`)
        .run(
          run.id,
          owner.taskSeq,
          owner.version,
          owner.agentSeq,
          status,
          run.reason,
          run.trigger,
          run.scheduledFor,
          now,
          run.runAt,
          status === 'active' ? null : now,
          spec.priority,
          JSON.stringify(run.params),
          run.eventId,
          run.parentRunId,
          run.dedupeKey,
          run.traceId,
        );
  if (written.changes === 0) return null;
  const seq = Number(written.lastInsertRowid);
  if (run.events !== undefined)
    connection.sql('UPDATE run SET events = ? WHERE seq = ?').run(JSON.stringify(run.events), seq);
  const carried = run.carriedSteps ?? [];
  for (const step of carried) writeStep(connection, seq, step);
  if (run.status !== 'queued') return seq;
  const { concurrency } = spec;
  connection
    .sql(`INSERT INTO due_work (seq, task_seq, fresh, priority, run_at, tag_set, lane, lane_limit, serial)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
    .run(
      seq,
      owner.taskSeq,
      carried.length === 0 ? 1 : 0,
      spec.priority,
      run.runAt,
      tagSet,
      concurrency === undefined ? null : `${owner.agentSeq}:${concurrency.key}`,
      concurrency === undefined ? null : concurrency.limit,
      run.serial ? 1 : 0,
    );
  return seq;
}

/** Most runs of a schedule: half of the columns need not be bound, which is a good part of what a row costs. */
function isPlain(run: NewRun): boolean {
  if (run.status !== 'queued' || run.reason !== null || run.eventId !== null || run.parentRunId !== null)
    return false;
  if (run.dedupeKey !== null || run.traceId !== null) return false;
  for (const _ in run.params) return false;
  return true;
}

/** Error column of a run that ended in the store, not in a worker. */
export const storeError = (kind: string, message: string): string => toJson({ kind, message }) as string;
