import { z } from 'zod';
import { eventInputSchema, topicPatternSchema } from '../../../domain/event.js';
import { newId } from '../../../domain/ids.js';
import { SPAN, spanIdFor, storedTrace } from '../../../domain/observability/trace.js';
import { type Operation, operation } from '../operation.js';
import { pageQuery } from './list-query.js';
import { eventView } from '../views.js';

export const eventOperations: Operation[] = [
  operation({
    name: 'event_publish',
    method: 'POST',
    path: '/v1/events',
    summary: 'Publish an event',
    scope: 'events:write',
    status: 201,
    body: eventInputSchema,
    maxBytes: 256 * 1024,
    async handle({ body, services, caller, trace, requestId }) {
      const now = services.clock.now();
      const id = newId('evt', now);
      const { event, duplicate } = await services.store.publishEvent({
        id,
        topic: body.topic,
        payload: body.payload ?? null,
        dedupeKey: body.dedupe_key ?? null,
        agentId: caller.agent.id,
        createdAt: now,
        traceId: storedTrace(trace),
      });
      if (!duplicate) {
        // The scheduler names this request as the parent of what the event triggers.
        trace.spanId = spanIdFor(id, SPAN.request);
        services.logger.info(
          {
            request_id: requestId,
            trace_id: trace.traceId,
            agent_id: caller.agent.id,
            event_id: id,
            topic: event.topic,
          },
          'event published',
        );
        services.bus.publish('schedule', { reason: 'event' });
        services.bus.record?.([
          {
            type: `event.${event.topic}`,
            at: event.createdAt,
            subject: event.id,
            data: { sequence: event.sequence, payload: event.payload, by: caller.actor },
          },
        ]);
        services.bus.publish('event', { id: event.id, sequence: event.sequence, topic: event.topic });
      }
      return { status: duplicate ? 200 : 201, body: { ...eventView(event), duplicate } };
    },
  }),
  operation({
    name: 'event_list',
    method: 'GET',
    path: '/v1/events',
    summary: 'List events, newest first',
    scope: 'events:read',
    status: 200,
    query: z.strictObject({ ...pageQuery, topic: topicPatternSchema.optional() }),
    async handle({ query, services }) {
      const page = await services.store.listEvents(query);
      return { body: { items: page.items.map(eventView), next_cursor: page.nextCursor } };
    },
  }),
];
