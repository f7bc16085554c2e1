import { fromJson, toJson } from '../sqlite/json-column.js';
import type { Completion, HeldKey, StepWrite, WorkStore } from '../store.js';
import type { PostgresDatabase, Sql } from './database.js';
import { openWaits } from './approvals.js';
import { insertDeliveries } from './deliveries.js';
import { cancelIdle } from './end-run.js';
import { stepPlaces, storeError } from './enqueue.js';
import { isConnectionError } from './errors.js';
import type { Leases } from './leases.js';
import { latestSteps, stepColumns } from './step-columns.js';

type StepBatch = Parameters<WorkStore['recordSteps']>[0];
type Held = { runId: string; key: string; holder: HeldKey };

/** Workers write what they did, and lose what they lost. */
export function completingMethods(
  database: PostgresDatabase,
  leases: Leases,
  options: { durable: boolean },
): Pick<WorkStore, 'recordSteps' | 'complete' | 'reclaim'> {
  /** Runs whose end was asked for, and the connection lost before the answer. */
  const unsure = new Set<string>();
  return {
    async recordSteps(batch, now) {
      // Two writes of one run in a batch are written one after the other, as one statement can not write a row twice.
      const rest: StepBatch = [];
      const first = new Set<string>();
      const now1 = batch.filter((entry) => {
        if (first.has(entry.runId)) {
          rest.push(entry);
          return false;
        }
        first.add(entry.runId);
        return true;
      });
      const result = await recordOnce(database, leases, now1, now);
      if (rest.length === 0) return result;
      const more = await this.recordSteps(rest, now);
      return { fenced: [...result.fenced, ...more.fenced], held: [...result.held, ...more.held] };
    },

    async complete(batch, now) {
      const ends = new Map(batch.map((completion) => [completion.runId, completion]));
      const given = [...ends.values()];
      let fenced: string[];
      try {
        fenced = await completeBatch(database, leases, given, now, options.durable);
      } catch (error) {
        // With the connection went the answer: it may have been written.
        if (isConnectionError(error)) for (const { runId } of given) unsure.add(runId);
        throw error;
      }
      if (unsure.size > 0 && fenced.length > 0) {
        const refused = new Set(fenced);
        const asked = given.filter(({ runId }) => refused.has(runId) && unsure.has(runId));
        for (const id of await writtenBefore(database, leases, asked)) refused.delete(id);
        fenced = [...refused];
      }
      for (const { runId } of given) unsure.delete(runId);
      leases.end(given.map(({ runId }) => runId));
      return { fenced };
    },

    async reclaim({ now, workerId, limit, maxDeaths }) {
      const where =
        workerId === undefined
          ? { condition: 'state = 1 AND lease_expires_at <= pao_at($1)', value: now }
          : { condition: 'state = 1 AND lease_owner = $1', value: workerId };
      const result = { requeued: [] as string[], dead: [] as string[], canceled: [] as string[] };
      const any = await database.read(`SELECT 1 FROM due_work WHERE ${where.condition} LIMIT 1`, [
        where.value,
      ]);
      if (any.length === 0) return result;
      return database.transaction(async (sql) => {
        const rows = await sql.rows<LostRow>(
          `SELECT run_id, seq, scheduled_for, attempt, deaths, run_at, cancel_requested, cancel_reason FROM due_work
            WHERE ${where.condition} ORDER BY run_id LIMIT $2 FOR UPDATE SKIP LOCKED`,
          [where.value, limit],
        );
        return takeBack(sql, rows, now, maxDeaths);
      });
    },
  };
}

interface LostRow {
  run_id: string;
  seq: number;
  scheduled_for: number;
  attempt: number;
  deaths: number;
  run_at: number;
  cancel_requested: 0 | 1;
  cancel_reason: string | null;
}

const COMPLETE = `SELECT pao_complete($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, ${stepPlaces(15)}) AS refused`;

async function completeBatch(
  database: PostgresDatabase,
  leases: Leases,
  given: readonly Completion[],
  now: number,
  durable: boolean,
): Promise<string[]> {
  if (given.length === 0) return [];
  const column = <T>(pick: (completion: Completion) => T): T[] => given.map(pick);
  const values = [
    now,
    durable,
    column(({ runId }) => runId),
    column(({ leaseToken }) => leaseToken),
    column(({ runId }) => leases.ownerOf(runId)),
    column(({ status }) => status),
    column(({ reason }) => reason),
    column(({ error }) => toJson(error)),
    column(({ output }) => toJson(output)),
    column(({ finishedAt }) => finishedAt),
    column(({ runAt }) => runAt ?? null),
    column(({ interrupted }) => interrupted === true),
    column(({ memory }) => memory !== undefined),
    column(({ memory }) => toJson(memory)),
    ...stepColumns(
      given.flatMap(({ steps }, at) => latestSteps(steps).map((step) => ({ owner: at + 1, step }))),
    ),
  ];
  const complete = async (sql: Sql) =>
    (await sql.row<{ refused: string[] }>(COMPLETE, values))?.refused ?? [];
  const waits = given.filter(
    ({ approvals, eventWaits, deliveries }) =>
      approvals !== undefined || eventWaits !== undefined || deliveries !== undefined,
  );
  const seen = given.filter(({ stepMemory }) => stepMemory !== undefined);
  if (waits.length === 0 && seen.length === 0) return database.contending(() => complete(database));
  return database.transaction(async (sql) => {
    const refused = await complete(sql);
    const taken = ({ runId }: Completion) => !refused.includes(runId);
    const written = waits.filter(taken);
    await openWaits(sql, written, now);
    await insertDeliveries(
      sql,
      written.flatMap(({ deliveries }) => deliveries ?? []),
    );
    await remember(sql, seen.filter(taken));
    return refused;
  });
}

/** What steps with `changed` saw; of several runs of a task, the last one of the batch counts. */
async function remember(sql: Sql, completions: readonly Completion[]): Promise<void> {
  for (const { runId, stepMemory = [], finishedAt } of completions) {
    await sql.run(
      `INSERT INTO step_memory (task_seq, step_id, hash, run_id, at)
        SELECT run.task_seq, one.step_id, one.hash, run.id, pao_at($4)
        FROM run, unnest($2::text[], $3::text[]) AS one(step_id, hash) WHERE run.id = $1
        ON CONFLICT (task_seq, step_id) DO UPDATE SET hash = excluded.hash, run_id = excluded.run_id, at = excluded.at`,
      [runId, stepMemory.map(({ stepId }) => stepId), stepMemory.map(({ hash }) => hash), finishedAt],
    );
  }
}

/** Ends that this worker wrote itself, though it never heard so. */
async function writtenBefore(
  database: PostgresDatabase,
  leases: Leases,
  asked: readonly Completion[],
): Promise<string[]> {
  if (asked.length === 0) return [];
  const rows = await database.read<{ id: string }>(
    `SELECT run.id FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS one(id, status, owner, ended)
      JOIN run ON run.id = one.id AND run.status = one.status AND run.worker_id = one.owner
        AND run.finished_at = pao_at(one.ended)`,
    [
      asked.map(({ runId }) => runId),
      asked.map(({ status }) => status),
      asked.map(({ runId }) => leases.ownerOf(runId)),
      asked.map(({ finishedAt }) => finishedAt),
    ],
  );
  return rows.map(({ id }) => id);
}

async function recordOnce(
  database: PostgresDatabase,
  leases: Leases,
  batch: StepBatch,
  now: number,
): Promise<{ fenced: string[]; held: Held[] }> {
  const write = async (sql: Sql, entries: StepBatch) => {
    if (entries.length === 0) return [];
    const row = await sql.row<{ refused: string[] }>(
      `SELECT pao_record($1, $2, $3, ${stepPlaces(4)}) AS refused`,
      [
        entries.map(({ runId }) => runId),
        entries.map(({ leaseToken }) => leaseToken),
        entries.map(({ runId }) => leases.ownerOf(runId)),
        ...stepColumns(
          entries.flatMap(({ steps }, at) =>
            latestSteps(steps as StepWrite[]).map((step) => ({ owner: at + 1, step })),
          ),
        ),
      ],
    );
    return row?.refused ?? [];
  };
  if (batch.every(({ reserve, deliveries }) => reserve === undefined && deliveries === undefined)) {
    return { fenced: await database.contending(() => write(database, batch)), held: [] };
  }
  return database.transaction(async (sql) => {
    // Locks all, writes nothing: who lost its lease must not take a key.
    const fenced = await write(
      sql,
      batch.map((entry) => ({ ...entry, steps: [] })),
    );
    const mine = batch.filter(({ runId }) => !fenced.includes(runId));
    const held: Held[] = [];
    for (const { runId, reserve } of mine) {
      const holder = reserve === undefined ? null : await takeKey(sql, runId, reserve, now);
      if (holder !== null) held.push({ runId, key: reserve?.key as string, holder });
    }
    const free = mine.filter(({ runId }) => !held.some((one) => one.runId === runId));
    await write(sql, free);
    await insertDeliveries(
      sql,
      free.flatMap(({ deliveries }) => deliveries ?? []),
    );
    return { fenced, held };
  });
}

/** Takes an idempotency key for a step of a locked run. @returns who has it already; null when it is this step. */
async function takeKey(
  sql: Sql,
  runId: string,
  wanted: { key: string; stepId: string },
  now: number,
): Promise<HeldKey | null> {
  const taken = await sql.run(
    `WITH taken AS (
        INSERT INTO step_key (agent_seq, key, run_seq, scheduled_for, step_id, reserved_at)
        SELECT agent_seq, $2, seq, scheduled_for, $3, pao_at($4) FROM due_work WHERE run_id = $1
        ON CONFLICT DO NOTHING RETURNING run_seq
      )
      UPDATE due_work SET has_keys = 1 WHERE run_id = $1 AND EXISTS (SELECT FROM taken)`,
    [runId, wanted.key, wanted.stepId, now],
  );
  if (taken === 1) return null;
  const holder = await sql.row<{
    id: string;
    step_id: string;
    status: HeldKey['status'] | null;
    output: string | null;
  }>(
    `SELECT run.id, step_key.step_id, step_run.status, step_run.output
      FROM due_work mine JOIN step_key ON step_key.agent_seq = mine.agent_seq AND step_key.key = $2
      JOIN run ON run.seq = step_key.run_seq AND run.scheduled_for = step_key.scheduled_for
      LEFT JOIN step_run ON step_run.run_seq = step_key.run_seq AND step_run.step_id = step_key.step_id
        AND step_run.scheduled_for = step_key.scheduled_for
      WHERE mine.run_id = $1`,
    [runId, wanted.key],
  );
  // It was given free at this very moment: take it then.
  if (holder === undefined) return takeKey(sql, runId, wanted, now);
  if (holder.id === runId && holder.step_id === wanted.stepId) return null;
  return {
    runId: holder.id,
    stepId: holder.step_id,
    status: holder.status ?? 'running',
    output: fromJson(holder.output),
  };
}

async function takeBack(
  sql: Sql,
  rows: readonly LostRow[],
  now: number,
  maxDeaths: number,
): Promise<{ requeued: string[]; dead: string[]; canceled: string[] }> {
  const dead = rows.filter(({ deaths }) => deaths + 1 >= maxDeaths);
  const living = rows.filter(({ deaths }) => deaths + 1 < maxDeaths);
  const canceled = living.filter(({ cancel_requested }) => cancel_requested === 1);
  const requeued = living.filter(({ cancel_requested }) => cancel_requested !== 1);
  const idsOf = (some: readonly LostRow[]) => some.map(({ run_id }) => run_id);
  const runs = (some: readonly LostRow[]) => [
    some.map(({ seq }) => seq),
    some.map(({ scheduled_for }) => scheduled_for),
  ];
  const ofRuns = `FROM unnest($1::bigint[], $2::bigint[]) AS one(seq, at)`;
  await sql.run('UPDATE due_work SET deaths = deaths + 1 WHERE run_id = ANY ($1)', [
    idsOf([...dead, ...canceled]),
  ]);
  if (dead.length > 0) {
    await sql.run(
      `UPDATE step_run SET status = 'unknown', reason = 'lease_lost' ${ofRuns}
        WHERE run_seq = one.seq AND scheduled_for = pao_at(one.at) AND status = 'running'`,
      runs(dead),
    );
    await sql.rows(
      `SELECT pao_end_runs($1::text[], array_fill('dead'::text, ARRAY[$2::integer]),
        array_fill('poison'::text, ARRAY[$2]), $3::text[], array_fill(NULL::text, ARRAY[$2]),
        array_fill(pao_at($4), ARRAY[$2]))`,
      [
        idsOf(dead),
        dead.length,
        dead.map(({ deaths }) =>
          storeError('poison', `${deaths + 1} workers died or were lost while they had this run.`),
        ),
        now,
      ],
    );
  }
  for (const one of canceled) await cancelIdle(sql, [one.run_id], one.cancel_reason as string, now);
  if (requeued.length > 0) {
    // They keep their run_at, and with it their place in front of what came later.
    await sql.rows(
      `SELECT pao_give_back($1::text[], array_fill(false, ARRAY[cardinality($1::text[])]),
        (SELECT array_agg(pao_at(at)) FROM unnest($2::bigint[]) AS one(at)), $3::integer[], $4::integer[])`,
      [
        idsOf(requeued),
        requeued.map(({ run_at }) => run_at),
        requeued.map(({ attempt }) => attempt),
        requeued.map(({ deaths }) => deaths + 1),
      ],
    );
    await sql.run(
      `UPDATE run SET reason = 'lease_lost' ${ofRuns} WHERE run.seq = one.seq AND run.scheduled_for = pao_at(one.at)`,
      runs(requeued),
    );
  }
  return { requeued: idsOf(requeued), dead: idsOf(dead), canceled: idsOf(canceled) };
}
