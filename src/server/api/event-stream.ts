import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { invalidInput, PaoError } from '../../domain/errors.js';
import { topicMatches, topicPatternSchema } from '../../domain/event.js';
import type { ApiServices } from './operation.js';
import { checkInput } from './operation-runner.js';
import { eventView } from './views.js';

/** The one message of a stream that is no event: no topic may have this name. */
const GAP_EVENT = 'pao:gap';

const querySchema = z.strictObject({
  topic: topicPatternSchema.optional(),
  after: z.string().regex(/^\d+$/, 'must be the sequence of an event').optional(),
});

/** @throws PaoError 422 when it is not the id of a message of this stream. */
function placeOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw invalidInput('There is no such place in the stream.', [
    {
      pointer: '',
      message: `Last-Event-ID "${text.slice(0, 40)}" is not the id of a message of this stream`,
    },
  ]);
}

/**
 * What of the events after a place is there no more, since history is kept for a while only; null when all of it is. A
 * place that is not reached yet is one of another database: it is a gap as well, and the stream goes on with what comes.
 */
async function gapAfter(
  after: number,
  newest: number,
  { store }: ApiServices,
): Promise<{ after: number; oldest: number | null } | null> {
  if (after > newest) return { after, oldest: null };
  if (after === newest) return null;
  const oldest = (await store.listEvents({ after: 0, limit: 1 })).items[0]?.sequence ?? null;
  return oldest !== null && oldest > after + 1 ? { after, oldest } : null;
}

/**
 * Server-sent events (WHATWG HTML 9.2) of what is published: resumable by `Last-Event-ID` or `?after=`, woken by the bus,
 * with a look every 15 s underneath. What is asked for and no longer kept is told by one `pao:gap`. Ends when the client
 * goes away, its token is not good any more, or the server stops.
 * @param check asked again at each beat; throws when this caller may listen no more.
 */
export async function streamEvents(
  request: FastifyRequest,
  reply: FastifyReply,
  services: ApiServices,
  closing: AbortSignal,
  check: () => Promise<void>,
): Promise<void> {
  const query = checkInput(querySchema, request.query, 'query') as z.infer<typeof querySchema>;
  const from = request.headers['last-event-id'] ?? query.after;
  const newest = await services.store.listEvents({ limit: 1 });
  let after = from === undefined ? (newest.items[0]?.sequence ?? 0) : placeOf(String(from));
  const gap = await gapAfter(after, newest.items[0]?.sequence ?? 0, services);
  if (gap?.oldest === null) after = newest.items[0]?.sequence ?? 0;
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  raw.write(': welcome\n\n');
  if (gap !== null) raw.write(`event: ${GAP_EVENT}\ndata: ${JSON.stringify(gap)}\n\n`);
  let busy = false;
  let again = false;
  const send = async () => {
    again = true;
    if (busy) return;
    busy = true;
    try {
      while (again && !raw.destroyed) {
        again = false;
        const page = await services.store.listEvents({ after, limit: 100 });
        for (const event of page.items) {
          after = Math.max(after, event.sequence);
          if (query.topic !== undefined && !topicMatches(query.topic, event.topic)) continue;
          raw.write(
            `id: ${event.sequence}\nevent: ${event.topic}\ndata: ${JSON.stringify(eventView(event))}\n\n`,
          );
        }
        if (page.items.length === 100) again = true;
      }
    } finally {
      busy = false;
    }
  };
  const push = () =>
    void send().catch((error: unknown) => {
      services.logger.warn({ err: error, request_id: request.id }, 'events could not be streamed');
      raw.destroy();
    });
  const unsubscribe = services.bus.subscribe('event', push);
  const beat = setInterval(() => {
    check().then(
      () => {
        raw.write(': still here\n\n');
        push();
      },
      (error: unknown) => {
        // Refused, and not that the database could not be asked. The client comes again and is told why.
        if (error instanceof PaoError && (error.status === 401 || error.status === 403)) end();
      },
    );
  }, 15_000);
  const end = () => {
    clearInterval(beat);
    unsubscribe();
    closing.removeEventListener('abort', end);
    raw.end();
  };
  raw.once('close', end);
  closing.addEventListener('abort', end);
  push();
}
