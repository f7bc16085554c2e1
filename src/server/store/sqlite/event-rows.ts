import type { PublishedEvent } from '../../../domain/event.js';
import { fromJson } from './json-column.js';

/** A row of `event` as it is stored. */
export interface EventRow {
  sequence: number;
  id: string;
  topic: string;
  payload: string | null;
  dedupe_key: string | null;
  agent_id: string;
  created_at: number;
  dispatched_at: number | null;
  trace_id: string | null;
}

/** The event that a row describes. */
export function toEvent(row: EventRow): PublishedEvent {
  return {
    id: row.id,
    sequence: row.sequence,
    topic: row.topic,
    payload: fromJson(row.payload),
    dedupeKey: row.dedupe_key,
    agentId: row.agent_id,
    createdAt: row.created_at,
    dispatchedAt: row.dispatched_at,
    traceId: row.trace_id,
  };
}
