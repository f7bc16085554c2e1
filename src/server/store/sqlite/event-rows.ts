import type { PublishedEvent } from '../../../domain/event.js';
import type { EventStore } from '../store.js';
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
  cause_run_id: string | null;
  depth: number;
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
    causeRunId: row.cause_run_id,
    depth: row.depth,
  };
}

/** An event as it is to be written; what only some have is filled in. */
export function newEvent(event: Parameters<EventStore['publishEvent']>[0], sequence: number): PublishedEvent {
  const { dedupeMs: _window, payload = null, traceId = null, causeRunId = null, depth = 0, ...rest } = event;
  return { ...rest, payload, traceId, causeRunId, depth, sequence, dispatchedAt: null };
}
