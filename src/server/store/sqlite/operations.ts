import { type Clock, systemClock } from '../../../domain/clock.js';
import type { TaskState } from '../../../domain/task.js';
import type { Store, StoreStats, WorkerHeartbeat } from '../store.js';
import { pruneBudgets } from './budgets.js';
import type { Connection, SqliteDatabase } from './database.js';
import { fileSizes } from './open.js';

type OperationMethods = Pick<
  Store,
  | 'ping'
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
  | 'prune'
>;

interface HeartbeatRow {
  id: string;
  kind: WorkerHeartbeat['kind'];
  slot: string;
  pid: number;
  host: string;
  version: string;
  tags: string;
  started_at: number;
  last_seen_at: number;
  slots_total: number;
  slots_busy: number;
}

/** What keeps the store itself in order: health, figures, heartbeats, pruning. */
export function operationMethods(database: SqliteDatabase, clock: Clock = systemClock): OperationMethods {
  return {
    async ping() {
      const start = clock.monotonic();
      const pages = await database.read((connection) => {
        connection.sql('SELECT 1 FROM meta LIMIT 1').get();
        return connection
          .sql('SELECT page_count * page_size FROM pragma_page_count, pragma_page_size')
          .pluck()
          .get();
      });
      const durationMs = clock.monotonic() - start;
      if (database.location === ':memory:') return { durationMs, sizeBytes: Number(pages), walBytes: 0 };
      return { durationMs, ...fileSizes(database.location) };
    },

    stats: (now) => database.snapshot((connection) => readStats(connection, now)),

    getMeta: (key) =>
      database.read(
        (connection) =>
          (connection.sql('SELECT value FROM meta WHERE key = ?').pluck().get(key) as string | undefined) ??
          null,
      ),

    setMeta: (key, value) =>
      database.write((connection) => {
        connection
          .sql(
            'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
          )
          .run(key, value);
      }),

    getAnswer: (id) =>
      database.read(
        (connection) =>
          (connection.sql('SELECT answer, at FROM kept_answer WHERE id = ?').get(id) as
            | { answer: string; at: number }
            | undefined) ?? null,
      ),

    keepAnswer: (id, answer, at) =>
      database.write((connection) => {
        connection
          .sql(`INSERT INTO kept_answer (id, answer, at) VALUES (?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET answer = excluded.answer, at = excluded.at`)
          .run(id, answer, at);
      }),

    swapMeta: (key, before, after) =>
      database.write((connection) => {
        if (before === null && after === null)
          return connection.sql('SELECT 1 FROM meta WHERE key = ?').get(key) === undefined;
        const { changes } =
          before === null
            ? connection
                .sql('INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING')
                .run(key, after)
            : after === null
              ? connection.sql('DELETE FROM meta WHERE key = ? AND value = ?').run(key, before)
              : connection
                  .sql('UPDATE meta SET value = ? WHERE key = ? AND value = ?')
                  .run(after, key, before);
        return changes === 1;
      }),

    listMeta: (prefix, limit) =>
      database.read(
        (connection) =>
          connection
            .sql('SELECT key, value FROM meta WHERE key >= ? AND key < ? ORDER BY key LIMIT ?')
            .all(prefix, `${prefix}\uffff`, limit) as { key: string; value: string }[],
      ),

    heartbeat: (worker) =>
      database.writeRelaxed((connection) => {
        connection
          .sql(`INSERT INTO worker_heartbeat (id, kind, slot, pid, host, version, tags, started_at, last_seen_at,
              slots_total, slots_busy) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET slot = excluded.slot, pid = excluded.pid, tags = excluded.tags,
              last_seen_at = excluded.last_seen_at, slots_total = excluded.slots_total, slots_busy = excluded.slots_busy`)
          .run(
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
          );
      }),

    listWorkers: () =>
      database.read((connection) =>
        (
          connection.sql('SELECT * FROM worker_heartbeat ORDER BY kind, slot, id').all() as HeartbeatRow[]
        ).map(toHeartbeat),
      ),

    forgetWorker: (id) =>
      database.writeRelaxed((connection) => {
        connection.sql('DELETE FROM worker_heartbeat WHERE id = ?').run(id);
      }),

    forgetWorkers: (before) =>
      database.writeRelaxed(
        (connection) =>
          connection.sql('DELETE FROM worker_heartbeat WHERE last_seen_at < ?').run(before).changes,
      ),

    prune: ({ runsBefore, eventsBefore, answersBefore, tokensBefore, limit }) =>
      database.write((connection) => {
        const runs = prunableRuns(connection, runsBefore, limit);
        const remove = connection.sql('DELETE FROM run WHERE seq = ?');
        for (const seq of runs) remove.run(seq);
        const events = connection
          .sql(`DELETE FROM event WHERE sequence IN (
              SELECT sequence FROM event WHERE dispatched_at IS NOT NULL AND created_at < ? ORDER BY sequence LIMIT ?)`)
          .run(eventsBefore, limit - runs.length).changes;
        const answers = connection
          .sql(
            'DELETE FROM kept_answer WHERE id IN (SELECT id FROM kept_answer WHERE at < ? ORDER BY at LIMIT ?)',
          )
          .run(answersBefore, limit - runs.length - events).changes;
        const budgets = pruneBudgets(connection, runsBefore, limit - runs.length - events - answers);
        const deliveries = connection
          .sql(`DELETE FROM outbox WHERE seq IN (
              SELECT seq FROM outbox WHERE finished_at < ? AND status <> 'unknown' ORDER BY finished_at LIMIT ?)`)
          .run(runsBefore, Math.max(0, limit - runs.length - events - answers - budgets)).changes;
        const gone = runs.length + events + answers + budgets + deliveries;
        const tokens = connection
          .sql(`DELETE FROM agent_token WHERE seq IN (
              SELECT seq FROM agent_token WHERE COALESCE(revoked_at, expires_at) < ? ORDER BY seq LIMIT ?)`)
          .run(tokensBefore, Math.max(0, limit - gone)).changes;
        return gone + tokens;
      }),
  };
}

/** Runs that ended before an instant, oldest first. */
function prunableRuns(connection: Connection, before: number, limit: number): number[] {
  const found: number[] = [];
  let place = -1;
  while (found.length < limit) {
    const rows = connection
      .sql('SELECT seq, created_at, finished_at FROM run WHERE seq > ? ORDER BY seq LIMIT 500')
      .all(place) as { seq: number; created_at: number; finished_at: number | null }[];
    for (const row of rows) {
      // No run ends before it is written, and rows are in the order they were written.
      if (row.created_at >= before) return found;
      if (row.finished_at !== null && row.finished_at < before && found.length < limit) found.push(row.seq);
      place = row.seq;
    }
    if (rows.length < 500) return found;
  }
  return found;
}

function readStats(connection: Connection, now: number): StoreStats {
  const number = (sql: string, ...values: number[]) =>
    connection
      .sql(sql)
      .pluck()
      .get(...values) as number;
  const numberOrNull = (sql: string, ...values: number[]) =>
    connection
      .sql(sql)
      .pluck()
      .get(...values) as number | null;
  const counts = connection.sql('SELECT state, count FROM task_count').all() as {
    state: TaskState;
    count: number;
  }[];
  const tasks = Object.fromEntries(counts.map(({ state, count }) => [state, count])) as Record<
    TaskState,
    number
  >;
  const ready = number('SELECT count(*) FROM due_work WHERE state = 0 AND run_at <= ?', now);
  return {
    tasks,
    due: ready + number('SELECT count(*) FROM due_work WHERE state = 2'),
    scheduled: number('SELECT count(*) FROM due_work WHERE state = 0') - ready,
    leased: number('SELECT count(*) FROM due_work WHERE state = 1'),
    dead: number("SELECT count(*) FROM run WHERE status = 'dead'"),
    oldestDueAt: numberOrNull('SELECT min(run_at) FROM due_work WHERE state <> 1 AND run_at <= ?', now),
    oldestRunningStartedAt: numberOrNull('SELECT min(started_at) FROM due_work WHERE state = 1'),
    activeWithoutDue: number(
      "SELECT count(*) FROM task WHERE state = 'active' AND timed = 1 AND next_due_at IS NULL",
    ),
    nextDueAt: numberOrNull(
      "SELECT min(next_due_at) FROM task WHERE state = 'active' AND next_due_at IS NOT NULL",
    ),
    undispatchedEvents: number('SELECT count(*) FROM event WHERE dispatched_at IS NULL'),
    deliveries: {
      pending: number("SELECT count(*) FROM outbox WHERE due_at IS NOT NULL AND status = 'pending'"),
      deferred: number("SELECT count(*) FROM outbox WHERE due_at IS NOT NULL AND status = 'deferred'"),
      sending: number('SELECT count(*) FROM outbox WHERE lease_expires_at IS NOT NULL'),
      unknown: number("SELECT count(*) FROM outbox WHERE status = 'unknown'"),
    },
    oldestDeliveryDueAt: numberOrNull('SELECT min(due_at) FROM outbox WHERE due_at <= ?', now),
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
    tags: JSON.parse(row.tags) as string[],
    startedAt: row.started_at,
    lastSeenAt: row.last_seen_at,
    slotsTotal: row.slots_total,
    slotsBusy: row.slots_busy,
  };
}
