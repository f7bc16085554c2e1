import { type PublishedEvent, topicMatches } from '../../../domain/event.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import { type EventRow, newEvent, toEvent } from '../sqlite/event-rows.js';
import { toJson } from '../sqlite/json-column.js';
import type { EventStore } from '../store.js';
import { Batcher } from './batcher.js';
import type { PostgresDatabase, Sql } from './database.js';

type NewEvent = Parameters<EventStore['publishEvent']>[0];
type Published = { event: PublishedEvent; duplicate: boolean };

/** How long a dedupe key of an event counts unless it says so itself, milliseconds (24 hours). */
const DEDUPE_MS = 86_400_000;
/** Rows read in one go while looking for topics that fit a pattern. */
const SCAN_ROWS = 1000;

/** Events, in the order they were published. */
export function eventMethods(database: PostgresDatabase): EventStore {
  const publisher = new Batcher<NewEvent, Published>((events) =>
    database.transaction((sql) => publish(sql, events)),
  );
  return {
    publishEvent: (event) => publisher.add(event),

    async getEvent(id) {
      const [row] = await database.read<EventRow>('SELECT * FROM event WHERE id = $1', [id]);
      return row === undefined ? null : toEvent(row);
    },

    async listEventsOfRun(runId, limit) {
      const rows = await database.read<EventRow>(
        'SELECT * FROM event WHERE cause_run_id = $1 ORDER BY sequence LIMIT $2',
        [runId, limit],
      );
      return rows.map(toEvent);
    },

    async listEvents({ topic, after, limit, cursor }) {
      const ascending = after !== undefined;
      let place =
        cursor !== undefined ? decodeNumberCursor(cursor) : ascending ? after : Number.MAX_SAFE_INTEGER;
      const isPattern = topic !== undefined && /(^|\.)[*#](\.|$)/.test(topic);
      const items: PublishedEvent[] = [];
      for (;;) {
        const size = isPattern ? SCAN_ROWS : limit + 1;
        const rows = await readFrom(database, {
          topic: isPattern ? null : (topic ?? null),
          from: place,
          ascending,
          size,
        });
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

/** Numbers and writes events; the row of the counter is held until they are committed, so that all come in their order. */
async function publish(sql: Sql, events: readonly NewEvent[]): Promise<Published[]> {
  const counter = await sql.row<{ last: number }>('SELECT last FROM event_counter FOR UPDATE');
  let last = counter?.last ?? 0;
  const first = await findFirst(sql, events);
  const published: Published[] = [];
  const fresh: PublishedEvent[] = [];
  for (const event of events) {
    const key = event.dedupeKey === null ? null : keyOf(event);
    const before = key === null ? undefined : first.get(key)?.find((one) => isWithinWindow(one, event));
    if (before !== undefined) {
      published.push({ event: before, duplicate: true });
      continue;
    }
    last += 1;
    const written = newEvent(event, last);
    fresh.push(written);
    if (key !== null) first.set(key, [written, ...(first.get(key) ?? [])]);
    published.push({ event: written, duplicate: false });
  }
  if (fresh.length === 0) return published;
  await sql.run(
    `INSERT INTO event (sequence, id, topic, payload, dedupe_key, agent_id, created_at, trace_id, cause_run_id, depth)
      SELECT sequence, id, topic, payload, dedupe_key, agent_id, pao_at(created_at), trace_id, cause_run_id, depth
      FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[],
          $9::text[], $10::integer[])
        AS one(sequence, id, topic, payload, dedupe_key, agent_id, created_at, trace_id, cause_run_id, depth)`,
    [
      fresh.map(({ sequence }) => sequence),
      fresh.map(({ id }) => id),
      fresh.map(({ topic }) => topic),
      fresh.map(({ payload }) => toJson(payload)),
      fresh.map(({ dedupeKey }) => dedupeKey),
      fresh.map(({ agentId }) => agentId),
      fresh.map(({ createdAt }) => createdAt),
      fresh.map(({ traceId }) => traceId),
      fresh.map(({ causeRunId }) => causeRunId),
      fresh.map(({ depth }) => depth),
    ],
  );
  await sql.run('UPDATE event_counter SET last = $1', [last]);
  return published;
}

const keyOf = (event: NewEvent) => JSON.stringify([event.agentId, event.topic, event.dedupeKey]);

const isWithinWindow = (before: PublishedEvent, event: NewEvent) =>
  before.createdAt > event.createdAt - (event.dedupeMs ?? DEDUPE_MS);

/** The newest events that the dedupe keys of a batch were used for, by key. */
async function findFirst(sql: Sql, events: readonly NewEvent[]): Promise<Map<string, PublishedEvent[]>> {
  const keyed = events.filter(({ dedupeKey }) => dedupeKey !== null);
  if (keyed.length === 0) return new Map();
  const rows = await sql.rows<EventRow>(
    `SELECT DISTINCT ON (first.sequence) first.*
      FROM unnest($1::text[], $2::text[], $3::text[]) AS one(agent_id, topic, dedupe_key), LATERAL (
        SELECT * FROM event WHERE event.agent_id = one.agent_id AND event.topic = one.topic
          AND event.dedupe_key = one.dedupe_key ORDER BY created_at DESC LIMIT 1) AS first`,
    [
      keyed.map(({ agentId }) => agentId),
      keyed.map(({ topic }) => topic),
      keyed.map(({ dedupeKey }) => dedupeKey),
    ],
  );
  return new Map(rows.map(toEvent).map((event) => [keyOf(event), [event]]));
}

function readFrom(
  database: PostgresDatabase,
  { topic, from, ascending, size }: { topic: string | null; from: number; ascending: boolean; size: number },
): Promise<EventRow[]> {
  const order = ascending ? 'sequence > $1 ORDER BY sequence' : 'sequence < $1 ORDER BY sequence DESC';
  return topic === null
    ? database.read<EventRow>(`SELECT * FROM event WHERE ${order} LIMIT $2`, [from, size])
    : database.read<EventRow>(`SELECT * FROM event WHERE topic = $3 AND ${order} LIMIT $2`, [
        from,
        size,
        topic,
      ]);
}
