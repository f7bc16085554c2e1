import { z } from 'zod';
import type { PublishedEvent } from '../../../domain/event.js';
import { instant, instantOrNull, instantSchema } from './instant.js';

export const eventObjectSchema = z.strictObject({
  id: z.string(),
  sequence: z.int(),
  topic: z.string(),
  payload: z.unknown(),
  dedupe_key: z.string().nullable(),
  agent_id: z.string(),
  created_at: instantSchema,
  dispatched_at: instantSchema.nullable().describe('When its triggers had been worked off'),
});

export function eventObject(event: PublishedEvent): z.input<typeof eventObjectSchema> {
  return {
    id: event.id,
    sequence: event.sequence,
    topic: event.topic,
    payload: event.payload ?? null,
    dedupe_key: event.dedupeKey,
    agent_id: event.agentId,
    created_at: instant(event.createdAt),
    dispatched_at: instantOrNull(event.dispatchedAt),
  };
}
