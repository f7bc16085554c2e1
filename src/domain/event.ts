import { z } from 'zod';
import type { Run } from './run.js';

export const topicSchema = z
  .string()
  .max(200)
  .regex(/^[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*$/, 'is not a topic, such as mail.received');

/** A topic, or a pattern of topics: `*` is one word, `#` any number of words. */
export const topicPatternSchema = z
  .string()
  .max(200)
  .regex(
    /^(\*|#|[a-zA-Z0-9_-]+)(\.(\*|#|[a-zA-Z0-9_-]+))*$/,
    'is not a topic pattern, such as mail.received or mail.*',
  );

export const eventInputSchema = z.strictObject({
  topic: topicSchema,
  payload: z.unknown().optional(),
  /** The same key within 24 hours is the same event: it is not published again. */
  dedupe_key: z.string().min(1).max(200).optional(),
  /** The run it is published from: it becomes the event's cause. Such as \${run.id}. */
  run_id: z
    .string()
    .regex(/^run_[0-9a-f]{32}$/, 'is not the id of a run')
    .optional(),
});

/** An event on its way, from whichever surface it comes. */
export interface EventToPublish {
  topic: string;
  payload: unknown;
  dedupeKey: string | null;
  /** How long that key counts, milliseconds; 24 hours when left out. */
  dedupeMs?: number;
  /** In whose name. */
  agentId: string;
  /** The run it is published from. */
  run: Run | null;
  /** As it is stored: the id, and the state that came with it. */
  traceId: string | null;
  requestId?: string | null;
}

/** Publishes an event, and tells everybody who waits for one. `duplicate`: its dedupe key was used before. */
export type PublishEvent = (event: EventToPublish) => Promise<{ event: PublishedEvent; duplicate: boolean }>;

/** Something that was published. */
export interface PublishedEvent {
  id: string;
  /** Grows by one with each event; the cursor of the stream. */
  sequence: number;
  topic: string;
  payload: unknown;
  dedupeKey: string | null;
  agentId: string;
  createdAt: number;
  /** When its triggers had been worked off; null while they wait. */
  dispatchedAt: number | null;
  /** W3C trace id of the request that published it; what it triggers goes on in that trace. */
  traceId: string | null;
  /** The run it was published from; null when it came from outside. */
  causeRunId: string | null;
  /** How many runs there are before it in its chain of causes; 0 for one from outside. */
  depth: number;
}

/** Whether a topic fits a pattern: `*` is one word, `#` any number of words (also none). */
export function topicMatches(pattern: string, topic: string): boolean {
  return matchWords(pattern.split('.'), 0, topic.split('.'), 0);
}

function matchWords(pattern: string[], p: number, topic: string[], t: number): boolean {
  if (p === pattern.length) return t === topic.length;
  if (pattern[p] === '#') {
    for (let rest = t; rest <= topic.length; rest++) {
      if (matchWords(pattern, p + 1, topic, rest)) return true;
    }
    return false;
  }
  if (t === topic.length) return false;
  return (pattern[p] === '*' || pattern[p] === topic[t]) && matchWords(pattern, p + 1, topic, t + 1);
}

/** Whether an event on a topic may do something to a task with this schedule. */
export function listensTo(
  schedule: { topic: string; absent?: { topic: string } | undefined },
  topic: string,
): boolean {
  if (topicMatches(schedule.topic, topic)) return true;
  return schedule.absent !== undefined && topicMatches(schedule.absent.topic, topic);
}
