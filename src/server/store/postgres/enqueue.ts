import type { ParsedSpec } from '../parsed-specs.js';
import { toJson } from '../sqlite/json-column.js';
import type { NewRun } from '../store.js';
import type { Sql } from './database.js';
import { MissingPartitions, type Partitions } from './partitions.js';
import { stepColumns } from './step-columns.js';

/** The task a new run belongs to. */
export interface RunOwner {
  taskSeq: number;
  agentSeq: number;
  version: number;
  parsed: ParsedSpec;
}

const GIVEN = `given AS MATERIALIZED (
    SELECT * FROM unnest($2::text[], $3::bigint[], $4::integer[], $5::bigint[], $6::text[], $7::text[], $8::text[],
      $9::bigint[], $10::bigint[], $11::smallint[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
      $17::text[], $18::text[], $19::integer[], $20::smallint[], $21::smallint[])
    AS one(id, task_seq, task_version, agent_seq, status, reason, trigger, scheduled_for, run_at, priority, params, event_id,
      parent_run_id, dedupe_key, trace_id, tag_set, lane, lane_limit, serial, fresh)
  )`;

const WRITTEN = (from: string) => `, written AS (
    INSERT INTO run (id, task_seq, task_version, agent_seq, status, reason, trigger, scheduled_for, created_at, run_at,
      finished_at, priority, params, event_id, parent_run_id, dedupe_key, dedupes, trace_id)
    SELECT given.id, given.task_seq, task_version, given.agent_seq, status, reason, trigger, pao_at(scheduled_for),
      pao_at($1), pao_at(run_at), CASE WHEN status <> 'active' THEN pao_at($1) END, priority, params, event_id,
      parent_run_id, dedupe_key, dedupe_key IS NOT NULL AND status = 'active', trace_id
    FROM ${from}
    ON CONFLICT DO NOTHING RETURNING run.id, run.seq, run.scheduled_for, run.status
  ), due AS (
    INSERT INTO due_work (run_id, seq, scheduled_for, task_seq, agent_seq, fresh, was_fresh, priority, run_at, tag_set, lane,
      lane_limit, serial)
    SELECT given.id, written.seq, written.scheduled_for, task_seq, agent_seq, fresh, fresh, priority, pao_at(run_at), tag_set,
      lane, lane_limit, serial
    FROM given JOIN written USING (id) WHERE written.status = 'active'
  ), exceptions AS (
    INSERT INTO run_exception SELECT seq, scheduled_for, status FROM written WHERE status <> 'active'
  )
  SELECT id, seq FROM written`;

const ENQUEUE = `WITH ${GIVEN} ${WRITTEN('given')}`;
/** Only for a task that still has the version and is not canceled, held in that state until this is committed. */
const ENQUEUE_GUARDED = `WITH ${GIVEN}, owner AS (
    SELECT seq FROM task WHERE (seq, version) IN (SELECT task_seq, given.task_version FROM given) AND state <> 'canceled'
    FOR SHARE
  ) ${WRITTEN('given JOIN owner ON owner.seq = given.task_seq')}`;

/**
 * Writes runs, and the due work of those that are queued.
 * @param options `guarded`: nothing is written for a task that changed or is canceled.
 * @returns their places in the order of creation, by id; those whose occurrence (or event's run) was there already are
 * not in it.
 * @throws MissingPartitions inside a transaction of {@link Partitions.with}, which makes them and runs it again.
 */
export async function enqueue(
  sql: Sql,
  partitions: Partitions,
  given: readonly { owner: RunOwner; run: NewRun }[],
  now: number,
  options: { guarded?: boolean } = {},
): Promise<Map<string, number>> {
  const missing = partitions.missing(
    given.map(({ run }) => run.scheduledFor),
    now,
  );
  if (missing.length > 0) throw new MissingPartitions(missing);
  const column = <T>(pick: (run: NewRun, owner: RunOwner) => T): T[] =>
    given.map(({ run, owner }) => pick(run, owner));
  const rows = await sql.rows<{ id: string; seq: number }>(
    options.guarded === true ? ENQUEUE_GUARDED : ENQUEUE,
    [
      now,
      column((run) => run.id),
      column((_, owner) => owner.taskSeq),
      column((_, owner) => owner.version),
      column((_, owner) => owner.agentSeq),
      column((run) => (run.status === 'queued' ? 'active' : run.status)),
      column((run) => run.reason),
      column((run) => run.trigger),
      column((run) => run.scheduledFor),
      column((run) => run.runAt),
      column((_, owner) => owner.parsed.spec.priority),
      column((run) => JSON.stringify(run.params)),
      column((run) => run.eventId),
      column((run) => run.parentRunId),
      column((run) => run.dedupeKey),
      column((run) => run.traceId),
      column((_, owner) => owner.parsed.tagSet),
      column((_, owner) => laneOf(owner)),
      column((_, owner) => owner.parsed.spec.concurrency?.limit ?? null),
      column((run) => (run.serial ? 1 : 0)),
      column((run) => ((run.carriedSteps?.length ?? 0) === 0 ? 1 : 0)),
    ],
  );
  const written = new Map(rows.map(({ id, seq }) => [id, seq]));
  const together = given.filter(({ run }) => run.events !== undefined && written.has(run.id));
  if (together.length > 0) {
    await sql.run(
      `UPDATE run SET events = one.events FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS one(seq, at, events)
        WHERE run.seq = one.seq AND run.scheduled_for = pao_at(one.at)`,
      [
        together.map(({ run }) => written.get(run.id)),
        together.map(({ run }) => run.scheduledFor),
        together.map(({ run }) => JSON.stringify(run.events)),
      ],
    );
  }
  for (const { run } of given) {
    const seq = written.get(run.id);
    if (seq === undefined || run.carriedSteps === undefined || run.carriedSteps.length === 0) continue;
    await sql.rows(`SELECT pao_write_steps(ARRAY[$1::bigint], ARRAY[pao_at($2)], ${stepPlaces(3)})`, [
      seq,
      run.scheduledFor,
      ...stepColumns(run.carriedSteps.map((step) => ({ owner: 1, step }))),
    ]);
  }
  return written;
}

/** `$n, …` for the 14 columns of {@link stepColumns}. */
export function stepPlaces(from: number): string {
  return Array.from({ length: 14 }, (_, at) => `$${from + at}`).join(', ');
}

function laneOf({ parsed, agentSeq }: RunOwner): string | null {
  const { concurrency } = parsed.spec;
  return concurrency === undefined ? null : `${agentSeq}:${concurrency.key}`;
}

/** Error column of a run that ended in the store, not in a worker. */
export const storeError = (kind: string, message: string): string => toJson({ kind, message }) as string;
