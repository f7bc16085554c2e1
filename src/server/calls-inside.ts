import { hasScope } from '../domain/agent.js';
import { PaoError } from '../domain/errors.js';
import type { PublishEvent } from '../domain/event.js';
import { traceIdOf } from '../domain/observability/trace.js';
import type { RunStatus } from '../domain/run.js';
import type { Store } from './store/store.js';
import type { ListRunsForCall, PublishFromCall } from './tools/connector.js';

/** What steps publish with: the run of the step is the cause, and its agent the publisher. */
export function publishFromCalls(store: Store, publish: PublishEvent): PublishFromCall {
  return async (event, { runId, agent }) => {
    const run = runId === undefined ? null : await store.getRun(runId);
    const agentId = run?.agentId ?? (agent === undefined ? null : (await store.findAgentByName(agent))?.id);
    if (agentId == null)
      throw new PaoError('PAO_NO_PUBLISHER', 'It is not known in whose name the event is published.');
    return publish({
      ...event,
      agentId,
      run,
      traceId: run === null ? null : (run.traceId ?? traceIdOf(run)),
    });
  };
}

/** What steps list runs with: those of their agent, all of them for an admin. */
export function listRunsForCalls(store: Store): ListRunsForCall {
  return async ({ since, statuses, limit }, { runId, agent: name }) => {
    const run = runId === undefined ? null : await store.getRun(runId);
    const agent =
      run !== null
        ? await store.getAgent(run.agentId)
        : name === undefined
          ? null
          : await store.findAgentByName(name);
    if (agent === null) throw new PaoError('PAO_NO_AGENT', 'It is not known for whom the runs are listed.');
    const page = await store.listRuns({
      agentId: hasScope(agent.scopes, 'admin') ? undefined : agent.id,
      statuses: statuses as RunStatus[] | undefined,
      since,
      limit,
    });
    return { runs: page.items, more: page.nextCursor !== null };
  };
}
