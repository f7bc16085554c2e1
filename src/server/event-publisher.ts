import type { Clock } from '../domain/clock.js';
import type { PublishEvent } from '../domain/event.js';
import { newId } from '../domain/ids.js';
import type { Run } from '../domain/run.js';
import type { Bus } from './bus/bus.js';
import type { Store } from './store/store.js';
import type { Logger } from './telemetry/logger.js';

/** Runs that are looked at on the way from a run to the event that began it. */
const MAX_PARENTS = 100;

/** The one way in for events: from the API, from hooks, and from steps of runs. */
export function createEventPublisher(services: {
  store: Store;
  bus: Bus;
  clock: Clock;
  logger: Logger;
}): PublishEvent {
  const { store, bus, clock, logger } = services;
  return async ({ topic, payload, dedupeKey, dedupeMs, agentId, run, traceId, requestId }) => {
    const now = clock.now();
    const published = await store.publishEvent({
      id: newId('evt', now),
      topic,
      payload: payload ?? null,
      dedupeKey,
      ...(dedupeMs === undefined ? {} : { dedupeMs }),
      agentId,
      createdAt: now,
      traceId,
      ...(run === null ? {} : { causeRunId: run.id, depth: (await depthOf(run, store)) + 1 }),
    });
    const { event, duplicate } = published;
    if (duplicate) return published;
    logger.info(
      {
        ...(requestId == null ? {} : { request_id: requestId }),
        trace_id: traceId?.slice(0, 32) ?? null,
        agent_id: agentId,
        event_id: event.id,
        topic,
        ...(run === null ? {} : { run_id: run.id, depth: event.depth }),
      },
      'event published',
    );
    bus.publish('schedule', { reason: 'event' });
    bus.record?.([
      {
        type: `event.${topic}`,
        at: event.createdAt,
        subject: event.id,
        data: { sequence: event.sequence, payload: event.payload, by: `agent:${agentId}` },
      },
    ]);
    bus.publish('event', { id: event.id, sequence: event.sequence, topic });
    return published;
  };
}

/** How many runs there are before a run in its chain of causes: that of its event, or of the run that called it. */
async function depthOf(run: Run, store: Store): Promise<number> {
  let at: Run | null = run;
  for (let seen = 0; at !== null && seen < MAX_PARENTS; seen += 1) {
    if (at.eventId !== null) return (await store.getEvent(at.eventId))?.depth ?? 0;
    at = at.parentRunId === null ? null : await store.getRun(at.parentRunId);
  }
  return 0;
}
