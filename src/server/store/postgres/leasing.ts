import type { AgentBudget } from '../../../domain/budget.js';
import type { Run, RunTrigger } from '../../../domain/run.js';
import { fromJson, fromJsonObject } from '../sqlite/json-column.js';
import type { RunNames } from '../sqlite/run-rows.js';
import type { LeasedRun, WorkStore } from '../store.js';
import type { PostgresDatabase, Sql } from './database.js';
import { storeError } from './enqueue.js';
import type { Leases } from './leases.js';
import { findRuns, readSteps } from './run-rows.js';
import type { SpecCache } from './spec-cache.js';

/** Rows looked at in one go once one was parked, so that a blocked prefix is not read one by one. */
const MIN_DEPTH = 64;
const MAX_DEPTH = 2000;
/** Lanes looked at for stranded work when a lease finds nothing. */
const STRANDED_LANES = 20;

interface LeaseOptions {
  workerId: string;
  now: number;
  limit: number;
  leaseMs: number;
  tags: string[];
}

/** A row that pao_lease returns; only `id` and `waits_for` of one that can not be leased. */
interface LeaseRow {
  waits_for: string | null;
  id: string;
  task_seq: number;
  task_version: number;
  fresh: 0 | 1;
  attempt: number;
  deaths: number;
  lease_token: number;
  cancel_requested: 0 | 1;
  priority: number;
  run_at: number;
  started_at: number;
  scheduled_for: number;
  created_at: number;
  trigger: RunTrigger;
  params: string;
  event_id: string | null;
  parent_run_id: string | null;
  dedupe_key: string | null;
  trace_id: string | null;
}

interface TaskFacts extends RunNames {
  seq: number;
  scopes: string;
  memory: string | null;
  agent_scopes: string;
  agent_budget: string | null;
  disabled_at: number | null;
}

/** Workers take work and keep it. */
export function leasingMethods(
  database: PostgresDatabase,
  specs: SpecCache,
  leases: Leases,
): Pick<WorkStore, 'lease' | 'renewLeases' | 'nextRunAt'> {
  let strandedAfter = '';
  /** How many connections had been lost when the leases were known to be in order. */
  let inOrder = 0;
  /** Leases under way: what they got is not lost. */
  let asking = 0;
  const leaseSome = async (options: LeaseOptions): Promise<LeasedRun[]> => {
    let depth = options.limit;
    for (;;) {
      const rows = await database.contending(() => leaseRows(database, options, depth));
      const blocked = rows.filter(({ waits_for }) => waits_for !== null);
      if (blocked.length > 0) await park(database, blocked);
      const runs = await toLeased(database, specs, leases, rows, options);
      if (runs.length > 0) return runs;
      if (rows.length > blocked.length || blocked.length > 0) {
        depth = Math.min(MAX_DEPTH, Math.max(MIN_DEPTH, depth * 4));
        continue;
      }
      const found = await findStranded(database, strandedAfter);
      strandedAfter = found.next;
      if (found.stranded.length === 0) return [];
      await database.rows('SELECT pao_wake($1)', [found.stranded]);
    }
  };
  return {
    async lease(options) {
      // A lease whose answer was lost with its connection would be renewed with the others, and its run never be done.
      if (database.breaks !== inOrder && asking === 0)
        inOrder = await giveBackUnheard(database, leases, options);
      asking += 1;
      try {
        return await leaseSome(options);
      } finally {
        asking -= 1;
      }
    },

    async renewLeases({ workerId, now, leaseMs, runIds }) {
      const [row] = await database.read<{ renewed: number; canceled: string[] | null }>(
        `WITH relaxed AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
          -- Who has a row locked at this moment is ending it, or lets go before the next renewal: waiting for many of
          -- them, in an order of its own, would be a deadlock.
          mine AS MATERIALIZED (
            SELECT run_id FROM due_work
            WHERE state = 1 AND lease_owner = $1 AND ($3::text[] IS NULL OR run_id = ANY ($3)) FOR NO KEY UPDATE SKIP LOCKED
          ), renewed AS (
            UPDATE due_work d SET lease_expires_at = pao_at($2) FROM relaxed, mine WHERE d.run_id = mine.run_id
            RETURNING d.run_id
          )
          SELECT (SELECT count(*) FROM renewed) AS renewed,
            (SELECT array_agg(run_id) FROM due_work WHERE state = 1 AND cancel_requested = 1 AND lease_owner = $1) AS canceled`,
        [workerId, now + leaseMs, runIds ?? null],
      );
      return { renewed: row?.renewed ?? 0, cancelRequested: row?.canceled ?? [] };
    },

    async nextRunAt(options = {}) {
      const [row] = await database.read<{ at: number | null }>(
        `WITH RECURSIVE sets AS (
            (SELECT tag_set FROM due_work WHERE state = 0 ORDER BY tag_set LIMIT 1)
            UNION ALL SELECT (SELECT d.tag_set FROM due_work d WHERE d.state = 0 AND d.tag_set > sets.tag_set
              ORDER BY d.tag_set LIMIT 1) FROM sets WHERE sets.tag_set IS NOT NULL
          ), fitting AS (
            SELECT tag_set FROM sets WHERE tag_set IS NOT NULL
              AND ($1::text[] IS NULL OR CASE WHEN tag_set = '' THEN true ELSE tag_set::jsonb <@ to_jsonb($1::text[]) END)
          )
          SELECT min(one.run_at) AS at FROM fitting, generate_series(1, 9) AS level(priority), LATERAL (
            SELECT run_at FROM due_work d WHERE d.state = 0 AND d.tag_set = fitting.tag_set
              AND d.priority = level.priority ORDER BY d.run_at LIMIT 1) AS one`,
        [options.tags ?? null],
      );
      return row?.at ?? null;
    },
  };
}

function leaseRows(database: PostgresDatabase, options: LeaseOptions, depth: number): Promise<LeaseRow[]> {
  const { workerId, now, limit, leaseMs, tags } = options;
  return database.rows<LeaseRow>('SELECT * FROM pao_lease($1, pao_at($2), pao_at($3), $4, $5, $6)', [
    workerId,
    now,
    now + leaseMs,
    limit,
    depth,
    tags,
  ]);
}

async function park(database: PostgresDatabase, blocked: readonly LeaseRow[]): Promise<void> {
  await database.contending(() =>
    database.rows('SELECT pao_park($1, $2)', [
      blocked.map(({ id }) => id),
      blocked.map(({ waits_for }) => waits_for),
    ]),
  );
}

async function giveBackUnheard(
  database: PostgresDatabase,
  leases: Leases,
  { workerId, now }: LeaseOptions,
): Promise<number> {
  const seen = database.breaks;
  await database.patiently(() =>
    database.transaction(async (sql) => {
      const unheard = await sql.rows<{ run_id: string; run_at: number; attempt: number; deaths: number }>(
        `SELECT run_id, run_at, attempt, deaths FROM due_work WHERE state = 1 AND lease_owner = $1 AND run_id <> ALL ($2)
          ORDER BY run_id FOR UPDATE`,
        [workerId, leases.of(workerId)],
      );
      if (unheard.length === 0) return;
      await sql.rows(
        `SELECT pao_give_back($1, array_fill(false, ARRAY[cardinality($1::text[])]),
          (SELECT array_agg(pao_at(at)) FROM unnest($2::bigint[]) AS one(at)), $3, $4)`,
        [
          unheard.map(({ run_id }) => run_id),
          unheard.map(({ run_at }) => Math.min(run_at, now)),
          unheard.map(({ attempt }) => Math.max(0, attempt - 1)),
          unheard.map(({ deaths }) => deaths),
        ],
      );
    }),
  );
  return seen;
}

/** What the worker gets. A run whose task can not be read fails here. */
async function toLeased(
  database: PostgresDatabase,
  specs: SpecCache,
  leases: Leases,
  rows: readonly LeaseRow[],
  options: LeaseOptions,
): Promise<LeasedRun[]> {
  const { workerId } = options;
  const taken = rows.filter(({ waits_for }) => waits_for === null);
  if (taken.length === 0) return [];
  for (const { id } of taken) leases.add(id, workerId);
  try {
    return await readLeased(database, specs, leases, taken, options);
  } catch (error) {
    // Nobody hears of these: they are given back, or run out.
    leases.end(taken.map(({ id }) => id));
    throw error;
  }
}

async function readLeased(
  database: PostgresDatabase,
  specs: SpecCache,
  leases: Leases,
  taken: readonly LeaseRow[],
  { workerId, now, leaseMs }: LeaseOptions,
): Promise<LeasedRun[]> {
  const again = taken.filter(({ fresh }) => fresh === 0).map(({ id }) => id);
  const [facts, parsed, runs, steps] = await Promise.all([
    readFacts(database, [...new Set(taken.map(({ task_seq }) => task_seq))]),
    specs.load(
      database,
      taken.map(({ task_seq, task_version }) => ({ taskSeq: task_seq, version: task_version })),
    ),
    again.length === 0 ? [] : findRuns(database, again),
    again.length === 0 ? new Map<string, never>() : readSteps(database, again),
  ]);
  const known = new Map(runs.map((run) => [run.id, run]));
  const leased: LeasedRun[] = [];
  const unreadable: { row: LeaseRow; because: string }[] = [];
  for (const [at, row] of taken.entries()) {
    const spec = parsed[at] as Exclude<(typeof parsed)[number], Error>;
    const fact = facts.get(row.task_seq);
    if (parsed[at] instanceof Error || fact === undefined) {
      unreadable.push({
        row,
        because: parsed[at] instanceof Error ? parsed[at].message : 'its task is missing',
      });
      continue;
    }
    leased.push({
      run: known.get(row.id) ?? freshRun(row, fact, workerId),
      leaseToken: row.lease_token,
      leaseExpiresAt: now + leaseMs,
      spec: spec.spec,
      taskScopes: fromJson<string[]>(fact.scopes) ?? [],
      agentScopes: fromJson<string[]>(fact.agent_scopes) ?? [],
      agentBudget: fromJson<AgentBudget>(fact.agent_budget),
      agentDisabled: fact.disabled_at !== null,
      steps: steps.get(row.id) ?? [],
      cancelRequested: row.cancel_requested === 1,
      memory: fromJson(fact.memory),
    });
  }
  if (unreadable.length > 0) await failUnreadable(database, unreadable, now);
  leases.end(unreadable.map(({ row }) => row.id));
  return leased;
}

async function failUnreadable(
  database: PostgresDatabase,
  given: readonly { row: LeaseRow; because: string }[],
  now: number,
): Promise<void> {
  await database.rows(
    `SELECT pao_end_runs($1::text[], array_fill('failed'::text, ARRAY[$2::integer]),
      array_fill('invalid_task'::text, ARRAY[$2]), $3::text[], array_fill(NULL::text, ARRAY[$2]),
      array_fill(pao_at($4), ARRAY[$2]))`,
    [
      given.map(({ row }) => row.id),
      given.length,
      given.map(({ because }) =>
        storeError('invalid_task', `The stored task or run can not be read: ${because}`),
      ),
      now,
    ],
  );
}

async function readFacts(sql: Sql, taskSeqs: readonly number[]): Promise<Map<number, TaskFacts>> {
  const rows = await sql.rows<TaskFacts>(
    `SELECT task.seq, task.id AS task_id, task.name AS task_name, agent.id AS agent_id, task.scopes, task.memory,
        agent.scopes AS agent_scopes, agent.budget AS agent_budget, agent.disabled_at
      FROM task JOIN agent ON agent.seq = task.agent_seq WHERE task.seq = ANY ($1)`,
    [taskSeqs],
  );
  return new Map(rows.map((row) => [row.seq, row]));
}

/** A run that was never begun, without reading its row again. */
function freshRun(row: LeaseRow, fact: RunNames, workerId: string): Run {
  return {
    id: row.id,
    taskId: fact.task_id,
    taskName: fact.task_name,
    taskVersion: row.task_version,
    agentId: fact.agent_id,
    status: 'running',
    reason: null,
    trigger: row.trigger,
    scheduledFor: row.scheduled_for,
    createdAt: row.created_at,
    runAt: row.run_at,
    startedAt: row.started_at,
    finishedAt: null,
    attempt: row.attempt,
    deaths: row.deaths,
    priority: row.priority,
    params: fromJsonObject(row.params),
    eventId: row.event_id,
    parentRunId: row.parent_run_id,
    dedupeKey: row.dedupe_key,
    output: null,
    error: null,
    traceId: row.trace_id,
    workerId,
  };
}

/**
 * Looks at lanes in turn for runs that are parked though nothing of the lane is leased or waiting: that can only last
 * after a fault, or when the database was changed by hand.
 */
async function findStranded(
  database: PostgresDatabase,
  after: string,
): Promise<{ next: string; stranded: string[] }> {
  const lanes = await database.read<{ name: string; held: boolean }>(
    `WITH RECURSIVE lanes AS (
        (SELECT parked_on AS name, 1 AS n FROM due_work WHERE state = 2 AND parked_on > $1 ORDER BY parked_on LIMIT 1)
        UNION ALL SELECT (SELECT d.parked_on FROM due_work d WHERE d.state = 2 AND d.parked_on > lanes.name
          ORDER BY d.parked_on LIMIT 1), n + 1 FROM lanes WHERE lanes.name IS NOT NULL AND n < $2
      )
      SELECT name, CASE WHEN name LIKE 'task:%'
        THEN EXISTS (SELECT FROM due_work h WHERE h.serial_holder = substr(name, 6)::bigint)
        ELSE EXISTS (SELECT FROM due_work h WHERE h.lane = substr(name, 5) AND h.lane_slot IS NOT NULL) END AS held
      FROM lanes WHERE name IS NOT NULL`,
    [after, STRANDED_LANES],
  );
  const last = lanes.length < STRANDED_LANES ? '' : (lanes.at(-1)?.name ?? '');
  return { next: last, stranded: lanes.filter(({ held }) => !held).map(({ name }) => name) };
}
