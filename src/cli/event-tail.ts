import type { EventObject } from '../client/api-objects.js';
import { type PaoClient, pages } from '../client/pao-client.js';

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
