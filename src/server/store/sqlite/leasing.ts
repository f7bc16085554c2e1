import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AgentBudget } from '../../../domain/budget.js';
import type { Run, RunTrigger } from '../../../domain/run.js';
import type { LeasedRun, WorkStore } from '../store.js';
import type { Connection, SqliteDatabase } from './database.js';
import { closeEventWaits } from './event-waits.js';
import { endRun } from './end-run.js';
import { storeError } from './enqueue.js';
import { sqliteCode } from './errors.js';
import { fromJson, fromJsonObject } from './json-column.js';
import { findStranded, hasSerialHolder, heldInLane, keyLane, park, taskLane, wakeLanes } from './lanes.js';
import { type DueRow, findRun, type RunNames, readSteps } from './run-rows.js';
import type { SpecCache } from './spec-cache.js';

/** Rows parked in one transaction at most; a longer blocked prefix is worked off over several turns. */
const MAX_PARKED = 2000;
/** Rows looked at in one go once one was parked, so that a blocked prefix is not read one by one. */
const MIN_FETCH = 64;
/** Lanes looked at for stranded work when a lease finds nothing. */
const STRANDED_LANES = 20;
const PRIORITIES = [1, 2, 3, 4, 5, 6, 7, 8, 9];

interface LeaseOptions {
  workerId: string;
  now: number;
  limit: number;
  leaseMs: number;
  tags: string[];
}

interface TaskFacts extends RunNames {
  scopes: string[];
  agentScopes: string[];
  agentBudget: AgentBudget | null;
  agentDisabled: boolean;
  memory: Record<string, unknown> | null;
}

/** Workers take work and keep it. */
export function leasingMethods(
  database: SqliteDatabase,
  specs: SpecCache,
): Pick<WorkStore, 'lease' | 'renewLeases' | 'nextRunAt'> {
  let strandedAfter = '';
  return {
    async lease(options) {
      for (;;) {
        // An idle worker that polls must not take the write lock from one that has work.
        const found = await database.read((connection) => whatIsThere(connection, options));
        if (found === 'parked') {
          const { next, stranded } = await database.read((connection) =>
            findStranded(connection, strandedAfter, STRANDED_LANES),
          );
          strandedAfter = next;
          if (stranded.length === 0) return [];
          await database.writeRelaxed((connection) => wakeLanes(connection, stranded));
        } else if (found === 'nothing') return [];
        const { runs, more } = await database.writeRelaxed((connection) =>
          leaseBatch(connection, specs, options),
        );
        if (runs.length > 0 || !more) return runs;
        await nextTurn();
      }
    },

    renewLeases: ({ workerId, now, leaseMs, runIds }) =>
      database.writeRelaxed((connection) => {
        const cancelRequested = connection
          .sql(`SELECT run.id FROM due_work JOIN run ON run.seq = due_work.seq
            WHERE due_work.state = 1 AND due_work.cancel_requested = 1 AND due_work.lease_owner = ?`)
          .pluck()
          .all(workerId) as string[];
        const renewed =
          runIds === undefined
            ? connection
                .sql('UPDATE due_work SET lease_expires_at = ? WHERE state = 1 AND lease_owner = ?')
                .run(now + leaseMs, workerId).changes
            : connection
                .sql(`UPDATE due_work SET lease_expires_at = ? WHERE state = 1 AND lease_owner = ?
                  AND seq IN (SELECT run.seq FROM json_each(?) AS held JOIN run ON run.id = held.value)`)
                .run(now + leaseMs, workerId, JSON.stringify(runIds)).changes;
        return { renewed, cancelRequested };
      }),

    nextRunAt: (options = {}) =>
      database.snapshot((connection) => {
        let earliest: number | null = null;
        for (const tagSet of tagSets(connection)) {
          if (options.tags !== undefined && !fits(tagSet, options.tags)) continue;
          for (const priority of PRIORITIES) {
            const at = connection
              .sql(
                'SELECT run_at FROM due_work WHERE state = 0 AND tag_set = ? AND priority = ? ORDER BY run_at LIMIT 1',
              )
              .pluck()
              .get(tagSet, priority) as number | undefined;
            if (at !== undefined && (earliest === null || at < earliest)) earliest = at;
          }
        }
        return earliest;
      }),
  };
}

function leaseBatch(
  connection: Connection,
  specs: SpecCache,
  options: LeaseOptions,
): { runs: LeasedRun[]; more: boolean } {
  const { now, limit, workerId, tags } = options;
  const sets = tagSets(connection).filter((tagSet) => fits(tagSet, tags));
  const leaseExpiresAt = now + options.leaseMs;
  const heldInLanes = new Map<string, number>();
  const facts = new Map<number, TaskFacts>();
  const runs: LeasedRun[] = [];
  let parked = 0;
  for (const priority of PRIORITIES) {
    for (;;) {
      const wanted = parked === 0 ? limit - runs.length : Math.max(limit - runs.length, MIN_FETCH);
      const rows = candidates(connection, sets, priority, now, wanted);
      for (const row of rows) {
        const suspect = row.deaths > 0;
        if (suspect && runs.length > 0) return { runs, more: true };
        if (row.serial === 1 && row.serial_holder === null && hasSerialHolder(connection, row.task_seq)) {
          park(connection, row.seq, taskLane(row.task_seq));
          parked += 1;
          continue;
        }
        if (row.lane !== null) {
          const held = heldInLanes.get(row.lane) ?? heldInLane(connection, row.lane);
          if (held >= (row.lane_limit ?? 1)) {
            heldInLanes.set(row.lane, held);
            park(connection, row.seq, keyLane(row.lane));
            parked += 1;
            continue;
          }
          heldInLanes.set(row.lane, held + 1);
        }
        const leased = take(connection, specs, row, { now, workerId, leaseExpiresAt }, facts);
        if (leased === null) {
          heldInLanes.clear();
          continue;
        }
        runs.push(leased);
        if (runs.length === limit || suspect) return { runs, more: true };
      }
      if (rows.length < wanted) break;
      if (parked >= MAX_PARKED) return { runs, more: true };
    }
  }
  return { runs, more: false };
}

/** Marks one run as leased. @returns null when its task can not be read; the run has failed then. */
function take(
  connection: Connection,
  specs: SpecCache,
  due: CandidateRow,
  lease: { now: number; workerId: string; leaseExpiresAt: number },
  facts: Map<number, TaskFacts>,
): LeasedRun | null {
  const { now, workerId, leaseExpiresAt } = lease;
  // Coming back from a wait is the same attempt.
  const attempt = due.attempt + (due.waiting === 1 ? 0 : 1);
  const startedAt = due.started_at ?? now;
  if (due.waiting === 1) closeEventWaits(connection, due.seq);
  connection
    .sql(`UPDATE due_work SET state = 1, waiting = 0, fresh = 0, lease_owner = ?, lease_token = lease_token + 1,
      lease_expires_at = ?, serial_holder = ?, attempt = ?, started_at = ? WHERE seq = ?`)
    .run(workerId, leaseExpiresAt, due.serial === 1 ? due.task_seq : null, attempt, startedAt, due.seq);
  try {
    let fact = facts.get(due.task_seq);
    if (fact === undefined) {
      fact = readFacts(connection, due.task_seq);
      facts.set(due.task_seq, fact);
    }
    const run =
      due.fresh === 1
        ? freshRun(due, fact, { startedAt, workerId })
        : (findRun(connection, due.run_id) as Run);
    return {
      run,
      leaseToken: due.lease_token + 1,
      leaseExpiresAt,
      spec: specs.get(connection, due.task_seq, due.task_version).spec,
      taskScopes: fact.scopes,
      agentScopes: fact.agentScopes,
      agentBudget: fact.agentBudget,
      agentDisabled: fact.agentDisabled,
      steps: due.fresh === 1 ? [] : readSteps(connection, due.seq, run.id),
      cancelRequested: due.cancel_requested === 1,
      memory: fact.memory,
    };
  } catch (error) {
    if (sqliteCode(error) !== null) throw error;
    const message = `The stored task or run can not be read: ${error instanceof Error ? error.message : String(error)}`;
    endRun(
      connection,
      { ...due, state: 1, attempt, started_at: startedAt, lease_owner: workerId },
      {
        status: 'failed',
        reason: 'invalid_task',
        error: storeError('invalid_task', message),
        output: null,
        finishedAt: now,
      },
    );
    return null;
  }
}

function readFacts(connection: Connection, taskSeq: number): TaskFacts {
  const row = connection
    .sql(`SELECT task.id AS task_id, task.name AS task_name, agent.id AS agent_id, task.scopes, task.memory,
        agent.scopes AS agent_scopes, agent.budget AS agent_budget, agent.disabled_at
      FROM task JOIN agent ON agent.seq = task.agent_seq WHERE task.seq = ?`)
    .get(taskSeq) as RunNames & {
    scopes: string;
    memory: string | null;
    agent_scopes: string;
    agent_budget: string | null;
    disabled_at: number | null;
  };
  return {
    task_id: row.task_id,
    task_name: row.task_name,
    agent_id: row.agent_id,
    scopes: fromJson<string[]>(row.scopes) ?? [],
    agentScopes: fromJson<string[]>(row.agent_scopes) ?? [],
    agentBudget: fromJson<AgentBudget>(row.agent_budget),
    agentDisabled: row.disabled_at !== null,
    memory: fromJson(row.memory),
  };
}

/** A run that was never begun, without reading its row again. */
function freshRun(due: CandidateRow, fact: TaskFacts, begun: { startedAt: number; workerId: string }): Run {
  return {
    id: due.run_id,
    taskId: fact.task_id,
    taskName: fact.task_name,
    taskVersion: due.task_version,
    agentId: fact.agent_id,
    status: 'running',
    reason: null,
    trigger: due.trigger,
    scheduledFor: due.scheduled_for,
    createdAt: due.created_at,
    runAt: due.run_at,
    startedAt: begun.startedAt,
    finishedAt: null,
    attempt: 1,
    deaths: 0,
    priority: due.priority,
    params: fromJsonObject(due.params),
    eventId: due.event_id,
    parentRunId: due.parent_run_id,
    dedupeKey: due.dedupe_key,
    output: null,
    error: null,
    traceId: due.trace_id,
    workerId: begun.workerId,
  };
}

/** Due work with the columns of its run that a worker needs. */
type CandidateRow = DueRow & {
  run_id: string;
  task_version: number;
  trigger: RunTrigger;
  scheduled_for: number;
  created_at: number;
  params: string;
  event_id: string | null;
  parent_run_id: string | null;
  dedupe_key: string | null;
  trace_id: string | null;
};

/** Due rows of one priority, earliest first, over all the tag sets this worker may take. */
function candidates(
  connection: Connection,
  sets: string[],
  priority: number,
  now: number,
  limit: number,
): CandidateRow[] {
  const rows: CandidateRow[] = [];
  for (const tagSet of sets) {
    const found = connection
      .sql(`SELECT due_work.seq, due_work.task_seq, waiting, fresh, has_keys, due_work.attempt, due_work.deaths,
          due_work.started_at, due_work.run_at, lane, lane_limit, serial, serial_holder, lease_token, cancel_requested,
          run.id, run.task_version, run.trigger, run.scheduled_for, run.created_at, run.params, run.event_id,
          run.parent_run_id, run.dedupe_key, run.trace_id
        FROM due_work JOIN run ON run.seq = due_work.seq
        WHERE due_work.state = 0 AND tag_set = ? AND due_work.priority = ? AND due_work.run_at <= ?
        ORDER BY due_work.run_at, due_work.seq LIMIT ?`)
      // Arrays cost half of what objects cost, and this is the hottest read there is.
      .raw()
      .all(tagSet, priority, now, limit) as RawCandidate[];
    for (const raw of found) rows.push(toCandidate(raw, tagSet, priority));
  }
  if (sets.length === 1) return rows;
  return rows.sort((a, b) => a.run_at - b.run_at || a.seq - b.seq).slice(0, limit);
}

type RawCandidate = [
  ...[
    number,
    number,
    0 | 1,
    0 | 1,
    0 | 1,
    number,
    number,
    number | null,
    number,
    string | null,
    number | null,
  ],
  ...[0 | 1, number | null, number, 0 | 1, string, number, RunTrigger, number, number, string, string | null],
  ...[string | null, string | null, string | null],
];

function toCandidate(raw: RawCandidate, tagSet: string, priority: number): CandidateRow {
  return {
    seq: raw[0],
    task_seq: raw[1],
    state: 0,
    waiting: raw[2],
    fresh: raw[3],
    has_keys: raw[4],
    attempt: raw[5],
    deaths: raw[6],
    started_at: raw[7],
    priority,
    run_at: raw[8],
    tag_set: tagSet,
    lane: raw[9],
    lane_limit: raw[10],
    serial: raw[11],
    serial_holder: raw[12],
    parked_on: null,
    lease_owner: null,
    lease_token: raw[13],
    lease_expires_at: null,
    cancel_requested: raw[14],
    cancel_reason: null,
    run_id: raw[15],
    task_version: raw[16],
    trigger: raw[17],
    scheduled_for: raw[18],
    created_at: raw[19],
    params: raw[20],
    event_id: raw[21],
    parent_run_id: raw[22],
    dedupe_key: raw[23],
    trace_id: raw[24],
  };
}

function whatIsThere(connection: Connection, { now, tags }: LeaseOptions): 'ready' | 'parked' | 'nothing' {
  for (const tagSet of tagSets(connection)) {
    if (!fits(tagSet, tags)) continue;
    for (const priority of PRIORITIES) {
      const due = connection
        .sql(
          'SELECT 1 FROM due_work WHERE state = 0 AND tag_set = ? AND priority = ? AND run_at <= ? LIMIT 1',
        )
        .get(tagSet, priority, now);
      if (due !== undefined) return 'ready';
    }
  }
  return connection.sql('SELECT 1 FROM due_work WHERE state = 2 LIMIT 1').get() === undefined
    ? 'nothing'
    : 'parked';
}

/** The different sets of tags that ready work asks for: one step in the index for each, however much work there is. */
function tagSets(connection: Connection): string[] {
  const found: string[] = [];
  const next = connection
    .sql('SELECT tag_set FROM due_work WHERE state = 0 AND tag_set > ? ORDER BY tag_set LIMIT 1')
    .pluck();
  let tagSet = connection
    .sql('SELECT tag_set FROM due_work WHERE state = 0 ORDER BY tag_set LIMIT 1')
    .pluck()
    .get() as string | undefined;
  while (tagSet !== undefined) {
    found.push(tagSet);
    tagSet = next.get(tagSet) as string | undefined;
  }
  return found;
}

function fits(tagSet: string, tags: string[]): boolean {
  return tagSet === '' || (JSON.parse(tagSet) as string[]).every((tag) => tags.includes(tag));
}
