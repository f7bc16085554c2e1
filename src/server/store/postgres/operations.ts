import { type Clock, systemClock } from '../../../domain/clock.js';
import type { TaskState } from '../../../domain/task.js';
import type { Store, StoreStats, WorkerHeartbeat } from '../store.js';
import type { PostgresDatabase } from './database.js';

type OperationMethods = Pick<
  Store,
  | 'ping'
  | 'tendSpace'
  | 'space'
  | 'stats'
  | 'getMeta'
  | 'setMeta'
  | 'getAnswer'
  | 'keepAnswer'
  | 'swapMeta'
  | 'listMeta'
  | 'heartbeat'
  | 'listWorkers'
  | 'forgetWorker'
  | 'forgetWorkers'
>;

interface HeartbeatRow {
  id: string;
  kind: WorkerHeartbeat['kind'];
  slot: string;
  pid: number;
  host: string;
  version: string;
  tags: string[];
  started_at: number;
  last_seen_at: number;
  slots_total: number;
  slots_busy: number;
}

/** What a process says about itself need not be on the disk when it is said. */
const RELAXED = "relaxed AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))";

/** What keeps the store itself in order: health, figures, heartbeats. */
export function operationMethods(database: PostgresDatabase, clock: Clock = systemClock): OperationMethods {
  return {
    async ping() {
      const start = clock.monotonic();
      await database.rows('SELECT 1 FROM meta LIMIT 1');
      const durationMs = clock.monotonic() - start;
      const row = await database.row<{ bytes: number; clock: number }>(
        'SELECT pg_database_size(current_database()) AS bytes, clock_timestamp() AS clock',
      );
      // The write-ahead log belongs to the whole server, and not everyone may look at it.
      return {
        durationMs,
        sizeBytes: row?.bytes ?? 0,
        walBytes: 0,
        clock: row?.clock ?? clock.now(),
        pool: database.usage,
      };
    },

    space: async () => ({ full: database.isFull, freeBytes: null }),

    // Its disk is looked after elsewhere; that it is full is seen from writes that fail.
    tendSpace: async () => ({ full: database.isFull, freeBytes: null }),

    stats: (now) => readStats(database, now),

    async getMeta(key) {
      const [row] = await database.read<{ value: string }>('SELECT value FROM meta WHERE key = $1', [key]);
      return row?.value ?? null;
    },

    async setMeta(key, value) {
      await database.patiently(() =>
        database.run(
          'INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
          [key, value],
        ),
      );
    },

    async getAnswer(id) {
      const [row] = await database.read<{ answer: string; at: number }>(
        'SELECT answer, at FROM kept_answer WHERE id = $1',
        [id],
      );
      return row ?? null;
    },

    async keepAnswer(id, answer, at) {
      await database.run(
        `INSERT INTO kept_answer (id, answer, at) VALUES ($1, $2, pao_at($3))
          ON CONFLICT (id) DO UPDATE SET answer = excluded.answer, at = excluded.at`,
        [id, answer, at],
      );
    },

    async swapMeta(key, before, after) {
      if (before === null && after === null)
        return (await database.rows('SELECT 1 FROM meta WHERE key = $1', [key])).length === 0;
      const changed =
        before === null
          ? await database.run('INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING', [
              key,
              after,
            ])
          : after === null
            ? await database.run('DELETE FROM meta WHERE key = $1 AND value = $2', [key, before])
            : await database.run('UPDATE meta SET value = $3 WHERE key = $1 AND value = $2', [
                key,
                before,
                after,
              ]);
      return changed === 1;
    },

    listMeta: (prefix, limit) =>
      database.read(
        'SELECT key, value FROM meta WHERE starts_with(key, $1) AND key >= $1 ORDER BY key LIMIT $2',
        [prefix, limit],
      ),

    async heartbeat(worker) {
      await database.run(
        `WITH ${RELAXED}
          INSERT INTO worker_heartbeat (id, kind, slot, pid, host, version, tags, started_at, last_seen_at, slots_total,
            slots_busy)
          SELECT $1, $2, $3, $4::integer, $5, $6, $7::jsonb, pao_at($8), pao_at($9), $10::integer, $11::integer FROM relaxed
          ON CONFLICT (id) DO UPDATE SET slot = excluded.slot, pid = excluded.pid, tags = excluded.tags,
            last_seen_at = excluded.last_seen_at, slots_total = excluded.slots_total, slots_busy = excluded.slots_busy`,
        [
          worker.id,
          worker.kind,
          worker.slot,
          worker.pid,
          worker.host,
          worker.version,
          JSON.stringify(worker.tags),
          worker.startedAt,
          worker.lastSeenAt,
          worker.slotsTotal,
          worker.slotsBusy,
        ],
      );
    },

    async listWorkers() {
      const rows = await database.read<HeartbeatRow>(
        'SELECT * FROM worker_heartbeat ORDER BY kind, slot, id',
      );
      return rows.map(toHeartbeat);
    },

    async forgetWorker(id) {
      await database.run('DELETE FROM worker_heartbeat WHERE id = $1', [id]);
    },

    forgetWorkers: (before) =>
      database.run('DELETE FROM worker_heartbeat WHERE last_seen_at < pao_at($1)', [before]),
  };
}

async function readStats(database: PostgresDatabase, now: number): Promise<StoreStats> {
  const [row] = await database.read<
    Record<string, number | null> & { counts: Record<string, number> | null }
  >(
    `SELECT
      (SELECT jsonb_object_agg(state, total) FROM (
        SELECT state, sum(count) AS total FROM task_count GROUP BY state) AS states) AS counts,
      (SELECT count(*) FROM due_work WHERE state = 0) AS ready,
      (SELECT count(*) FROM due_work WHERE state = 0 AND run_at <= pao_at($1)) AS due,
      (SELECT count(*) FROM due_work WHERE state = 2) AS parked,
      (SELECT count(*) FROM due_work WHERE state = 1) AS leased,
      (SELECT count(*) FROM run_exception WHERE status = 'dead') AS dead,
      (SELECT min(run_at) FROM due_work WHERE state <> 1 AND run_at <= pao_at($1)) AS oldest_due,
      (SELECT min(started_at) FROM due_work WHERE state = 1) AS oldest_running,
      (SELECT count(*) FROM task WHERE state = 'active' AND timed AND next_due_at IS NULL) AS without_due,
      (SELECT min(next_due_at) FROM task WHERE state = 'active' AND next_due_at IS NOT NULL) AS next_due,
      (SELECT count(*) FROM event WHERE dispatched_at IS NULL) AS events,
      (SELECT count(*) FROM outbox WHERE due_at IS NOT NULL AND status = 'pending') AS pending,
      (SELECT count(*) FROM outbox WHERE due_at IS NOT NULL AND status = 'deferred') AS deferred,
      (SELECT count(*) FROM outbox WHERE lease_expires_at IS NOT NULL) AS sending,
      (SELECT count(*) FROM outbox WHERE status = 'unknown') AS unknown,
      (SELECT min(due_at) FROM outbox WHERE due_at <= pao_at($1)) AS oldest_delivery`,
    [now],
  );
  const count = (name: string) => Number(row?.[name] ?? 0);
  const tasks = { active: 0, paused: 0, canceled: 0, done: 0 } satisfies Record<TaskState, number>;
  return {
    tasks: { ...tasks, ...row?.counts },
    due: count('due') + count('parked'),
    scheduled: count('ready') - count('due'),
    leased: count('leased'),
    dead: count('dead'),
    oldestDueAt: row?.oldest_due ?? null,
    oldestRunningStartedAt: row?.oldest_running ?? null,
    activeWithoutDue: count('without_due'),
    nextDueAt: row?.next_due ?? null,
    undispatchedEvents: count('events'),
    deliveries: {
      pending: count('pending'),
      deferred: count('deferred'),
      sending: count('sending'),
      unknown: count('unknown'),
    },
    oldestDeliveryDueAt: row?.oldest_delivery ?? null,
  };
}

function toHeartbeat(row: HeartbeatRow): WorkerHeartbeat {
  return {
    id: row.id,
    kind: row.kind,
    slot: row.slot,
    pid: row.pid,
    host: row.host,
    version: row.version,
    tags: row.tags,
    startedAt: row.started_at,
    lastSeenAt: row.last_seen_at,
    slotsTotal: row.slots_total,
    slotsBusy: row.slots_busy,
  };
}
