import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { topicMatches, topicPatternSchema } from '../../domain/event.js';
import type { ApiServices } from './operation.js';
import { checkInput } from './operation-runner.js';
import { eventView } from './views.js';

const querySchema = z.strictObject({
  topic: topicPatternSchema.optional(),
  after: z.string().regex(/^\d+$/, 'must be the sequence of an event').optional(),
});

/**
 * Server-sent events (WHATWG HTML 9.2) of what is published: resumable by `Last-Event-ID` or `?after=`, woken by the bus,
 * with a look every 15 s underneath. Ends when the client goes away or the server stops.
 */
export async function streamEvents(
  request: FastifyRequest,
  reply: FastifyReply,
  services: ApiServices,
  closing: AbortSignal,
): Promise<void> {
  const query = checkInput(querySchema, request.query, 'query') as z.infer<typeof querySchema>;
  const from = request.headers['last-event-id'] ?? query.after;
  const newest = await services.store.listEvents({ limit: 1 });
  let after = from === undefined ? (newest.items[0]?.sequence ?? 0) : Number(from) || 0;
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  raw.write(': welcome\n\n');
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
    raw.write(': still here\n\n');
    push();
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
