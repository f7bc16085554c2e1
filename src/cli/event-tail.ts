import type { EventObject } from '../client/api-objects.js';
import { type PaoClient, pages } from '../client/pao-client.js';
import type { Clock } from '../domain/clock.js';
import { tryParseDuration } from '../domain/duration.js';
import { EXIT, PaoError } from '../domain/errors.js';

export interface TailOptions {
  topic?: string | undefined;
  /** Epoch milliseconds: also what was published since then. */
  since?: number | undefined;
  signal: AbortSignal;
  onReconnect?: ((error: unknown, waitMs: number) => void) | undefined;
  onGap?: (() => void) | undefined;
}

/** Events as they are published, after those since an instant when one is given; ends without an error on the signal. */
export async function* tailEvents(client: PaoClient, options: TailOptions): AsyncGenerator<EventObject> {
  const { topic, since, signal, onReconnect, onGap } = options;
  let lastEventId: string | undefined;
  if (since !== undefined) {
    const earlier = await earlierEvents(client, { topic, since, signal });
    // What is published between this list and the stream comes with the stream: it goes on after the newest seen.
    lastEventId = String(earlier.newest);
    for (const event of earlier.events) yield event;
  }
  yield* client.streamEvents({ topic, lastEventId, signal, onReconnect, onGap });
}

/** Lists come newest first, so the pages end at the first event that is too old. */
async function earlierEvents(
  client: PaoClient,
  { topic, since, signal }: { topic: string | undefined; since: number; signal: AbortSignal },
): Promise<{ newest: number; events: EventObject[] }> {
  const events: EventObject[] = [];
  let newest = 0;
  const page = (cursor: string | undefined) => client.listEvents({ topic, limit: 100, cursor, signal });
  for await (const event of pages(page)) {
    newest = Math.max(newest, event.sequence);
    if (Date.parse(event.created_at) < since) break;
    events.push(event);
  }
  return { newest, events: events.reverse() };
}

/**
 * Reads `15m` (that long ago) or an RFC 3339 instant.
 * @returns epoch milliseconds.
 * @throws PaoError with exit code 2 when it is neither.
 */
export function parseSince(text: string, clock: Clock): number {
  const ago = tryParseDuration(text);
  if (ago !== null) return clock.now() - ago;
  const at = /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?$/i.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(at)) return at;
  throw new PaoError('PAO_USAGE', `--since "${text.slice(0, 40)}" is neither a duration nor an instant.`, {
    exitCode: EXIT.usage,
    hints: ['--since 15m', '--since 2026-11-24T06:30:00Z'],
  });
}
