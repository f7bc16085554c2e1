import { z } from 'zod';
import { eventInputSchema, topicPatternSchema } from '../../../domain/event.js';
import { notFound } from '../../../domain/errors.js';
import { SPAN, spanIdFor, storedTrace, type TraceContext } from '../../../domain/observability/trace.js';
import type { Run } from '../../../domain/run.js';
import { runOfRequest } from '../inside-run.js';
import { causesOfEvent, maySee, MOST_LINKS } from '../causes.js';
import { type ApiServices, type Caller, type Operation, operation } from '../operation.js';
import { pageQuery } from './list-query.js';
import { eventView } from '../views.js';
import { findRun } from './runs.js';

/** The run an event is published from: the one that is named, else the one the request comes from inside of. */
async function causeOf(
  runId: string | undefined,
  trace: TraceContext,
  services: ApiServices,
  caller: Caller,
): Promise<Run | null> {
  if (runId !== undefined) return findRun(runId, services, caller);
  return runOfRequest(caller, trace, services);
}

export const eventOperations: Operation[] = [
  operation({
    name: 'event_publish',
    method: 'POST',
    path: '/v1/events',
    summary: 'Publish an event',
    scope: 'events:write',
    status: 201,
    answer: 'PublishedEvent',
    otherAnswers: { 200: 'PublishedEvent' },
    body: eventInputSchema,
    maxBytes: 256 * 1024,
    async handle({ body, services, caller, trace, requestId }) {
      const { event, duplicate } = await services.publishEvent({
        topic: body.topic,
        payload: body.payload ?? null,
        dedupeKey: body.dedupe_key ?? null,
        agentId: caller.agent.id,
        run: await causeOf(body.run_id, trace, services, caller),
        traceId: storedTrace(trace),
        requestId,
      });
      // The scheduler names this request as the parent of what the event triggers.
      if (!duplicate) trace.spanId = spanIdFor(event.id, SPAN.request);
      return {
        status: duplicate ? 200 : 201,
        body: { ...eventView(event), duplicate },
        ...(duplicate ? {} : { location: `/v1/events/${event.id}` }),
      };
    },
  }),
  operation({
    name: 'event_get',
    method: 'GET',
    path: '/v1/events/:id',
    summary: 'Show an event with what led to it and what it led to',
    scope: 'events:read',
    status: 200,
    answer: 'WholeEvent',
    async handle({ params, services, caller }) {
      const event = await services.store.getEvent(params.id as string);
      if (event === null) throw notFound('event', params.id as string, ['pao event tail --since 1h']);
      const runs = await services.store.listRunsOfEvent(event.id, MOST_LINKS);
      return {
        body: {
          ...eventView(event),
          causes: await causesOfEvent(event, services, caller),
          runs: runs
            .filter((run) => maySee(run, caller))
            .map(({ id, taskName, status, reason }) => ({ id, task_name: taskName, status, reason })),
        },
      };
    },
  }),
  operation({
    name: 'event_list',
    method: 'GET',
    path: '/v1/events',
    summary: 'List events, newest first',
    scope: 'events:read',
    status: 200,
    answer: 'EventPage',
    query: z.strictObject({ ...pageQuery, topic: topicPatternSchema.optional() }),
    async handle({ query, services }) {
      const page = await services.store.listEvents(query);
      return { body: { items: page.items.map(eventView), next_cursor: page.nextCursor } };
    },
  }),
];
