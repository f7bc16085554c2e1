import { type PublishedEvent, topicMatches } from '../../../domain/event.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import type { EventStore } from '../store.js';
import type { Connection, SqliteDatabase } from './database.js';
import { type EventRow, newEvent, toEvent } from './event-rows.js';
import { toJson } from './json-column.js';

/** How long a dedupe key of an event counts unless it says so itself, milliseconds (24 hours). */
const DEDUPE_MS = 86_400_000;
/** Rows read in one go while looking for topics that fit a pattern. */
const SCAN_ROWS = 1000;

/** Events, in the order they were published. */
export function eventMethods(database: SqliteDatabase): EventStore {
  return {
    publishEvent: (event) =>
      database.write((connection) => {
        const first =
          event.dedupeKey === null
            ? undefined
            : findFirst(connection, { ...event, dedupeKey: event.dedupeKey });
        if (first !== undefined) return { event: toEvent(first), duplicate: true };
        const fresh = newEvent(event, 0);
        const { lastInsertRowid } = connection
          .sql(
            `INSERT INTO event (id, topic, payload, dedupe_key, agent_id, created_at, trace_id, cause_run_id, depth)
              VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          )
          .run(
            fresh.id,
            fresh.topic,
            toJson(event.payload),
            fresh.dedupeKey,
            fresh.agentId,
            fresh.createdAt,
            fresh.traceId,
            fresh.causeRunId,
            fresh.depth,
          );
        return { event: { ...fresh, sequence: Number(lastInsertRowid) }, duplicate: false };
      }),

    getEvent: (id) =>
      database.read((connection) => {
        const row = connection.sql('SELECT * FROM event WHERE id = ?').get(id) as EventRow | undefined;
        return row === undefined ? null : toEvent(row);
      }),

    listEventsOfRun: (runId, limit) =>
      database.read((connection) =>
        (
          connection
            .sql('SELECT * FROM event WHERE cause_run_id = ? ORDER BY sequence LIMIT ?')
            .all(runId, limit) as EventRow[]
        ).map(toEvent),
      ),

    async listEvents({ topic, after, limit, cursor }) {
      const ascending = after !== undefined;
      let place =
        cursor !== undefined ? decodeNumberCursor(cursor) : ascending ? after : Number.MAX_SAFE_INTEGER;
      const isPattern = topic !== undefined && /(^|\.)[*#](\.|$)/.test(topic);
      const items: PublishedEvent[] = [];
      for (;;) {
        const from = place;
        const size = isPattern ? SCAN_ROWS : limit + 1;
        const rows = await database.read((connection) =>
          readFrom(connection, { topic: isPattern ? undefined : topic, from, ascending, size }),
        );
        for (const row of rows) {
          if (isPattern && !topicMatches(topic, row.topic)) continue;
          if (items.length === limit) {
            return { items, nextCursor: encodeCursor((items.at(-1) as PublishedEvent).sequence) };
          }
          items.push(toEvent(row));
        }
        if (rows.length < size) return { items, nextCursor: null };
        place = (rows.at(-1) as EventRow).sequence;
      }
    },
  };
}

function findFirst(
  connection: Connection,
  event: { agentId: string; topic: string; dedupeKey: string; createdAt: number; dedupeMs?: number },
): EventRow | undefined {
  return connection
    .sql(`SELECT * FROM event WHERE agent_id = ? AND topic = ? AND dedupe_key = ? AND created_at > ?
      ORDER BY created_at DESC LIMIT 1`)
    .get(event.agentId, event.topic, event.dedupeKey, event.createdAt - (event.dedupeMs ?? DEDUPE_MS)) as
    | EventRow
    | undefined;
}

function readFrom(
  connection: Connection,
  {
    topic,
    from,
    ascending,
    size,
  }: { topic: string | undefined; from: number; ascending: boolean; size: number },
): EventRow[] {
  const order = ascending ? 'sequence > ? ORDER BY sequence' : 'sequence < ? ORDER BY sequence DESC';
  return (
    topic === undefined
      ? connection.sql(`SELECT * FROM event WHERE ${order} LIMIT ?`).all(from, size)
      : connection.sql(`SELECT * FROM event WHERE topic = ? AND ${order} LIMIT ?`).all(topic, from, size)
  ) as EventRow[];
}
