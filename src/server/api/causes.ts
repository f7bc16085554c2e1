import { hasScope } from '../../domain/agent.js';
import type { PublishedEvent } from '../../domain/event.js';
import type { Run } from '../../domain/run.js';
import type { ApiServices, Caller } from './operation.js';
import { instant } from './views.js';

/** Links of a chain that are shown; the scheduler ends a loop long before. */
export const MOST_LINKS = 50;

/** One link of a chain of causes. */
export type Cause =
  | { kind: 'event'; id: string; topic: string; at: string | null }
  | { kind: 'run'; id: string; task_name: string; status: string; trigger: string; at: string | null };

type Place = { run: Run } | { event: PublishedEvent } | null;

/** What led to a run, the nearest first: its event, the run that published it, and so on. */
export const causesOfRun = (run: Run, services: ApiServices, caller: Caller): Promise<Cause[]> =>
  chain({ run }, services, caller);

/** What led to an event, the nearest first. */
export const causesOfEvent = (
  event: PublishedEvent,
  services: ApiServices,
  caller: Caller,
): Promise<Cause[]> => chain({ event }, services, caller);

/** Another agent's run ends the chain: of it nothing is told. */
async function chain(from: Place, { store }: ApiServices, caller: Caller): Promise<Cause[]> {
  const causes: Cause[] = [];
  let at = from;
  while (causes.length < MOST_LINKS) {
    at = await causeOf(at, store);
    if (at === null || ('run' in at && !maySee(at.run, caller))) break;
    causes.push(linkOf(at));
  }
  return causes;
}

async function causeOf(place: Place, store: ApiServices['store']): Promise<Place> {
  if (place === null) return null;
  if ('run' in place) {
    const { eventId, parentRunId } = place.run;
    // A replay has the event of the run it repeats; that run is what led to it.
    if (parentRunId !== null) return runPlace(parentRunId, store);
    const event = eventId === null ? null : await store.getEvent(eventId);
    return event === null ? null : { event };
  }
  const { causeRunId } = place.event;
  return causeRunId === null ? null : runPlace(causeRunId, store);
}

async function runPlace(id: string, store: ApiServices['store']): Promise<Place> {
  const run = await store.getRun(id);
  return run === null ? null : { run };
}

function linkOf(place: NonNullable<Place>): Cause {
  if ('event' in place) {
    const { id, topic, createdAt } = place.event;
    return { kind: 'event', id, topic, at: instant(createdAt) };
  }
  const { id, taskName, status, trigger, scheduledFor } = place.run;
  return { kind: 'run', id, task_name: taskName, status, trigger, at: instant(scheduledFor) };
}

/** Whether the caller may see a run: its own, or all for an admin. */
export const maySee = (run: Run, caller: Caller): boolean =>
  run.agentId === caller.agent.id || hasScope(caller.scopes, 'admin');
