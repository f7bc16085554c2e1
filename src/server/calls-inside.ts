import { type Agent, hasScope } from '../domain/agent.js';
import { NOTHING_SPENT } from '../domain/budget.js';
import type { Delivery, DeliveryStatus } from '../domain/delivery.js';
import { PaoError } from '../domain/errors.js';
import type { PublishEvent } from '../domain/event.js';
import { traceIdOf } from '../domain/observability/trace.js';
import type { RunStatus } from '../domain/run.js';
import type { Store } from './store/store.js';
import type { Budgets } from './budget/budgets.js';
import { spentSince } from './budget/spent-since.js';
import type { ToolCallContext } from './tools/caller.js';
import type {
  ListDeliveriesForCall,
  ListRunsForCall,
  ListSpendForCall,
  PublishFromCall,
} from './tools/connector.js';

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
  return async ({ statuses, ...query }, context) => {
    const agent = await agentOf(store, context);
    const page = await store.listRuns({
      ...query,
      agentId: hasScope(agent.scopes, 'admin') ? undefined : agent.id,
      statuses: statuses as RunStatus[] | undefined,
    });
    return { runs: page.items, more: page.nextCursor !== null };
  };
}

/** What steps learn with of what was spent: by their agent and its tasks, by everybody for an admin. */
export function listSpendForCalls(store: Store, budgets: Budgets): ListSpendForCall {
  return async (since, context) => {
    const agent = await agentOf(store, context);
    const { agents, tasks, all, truncated } = await spentSince(store, budgets, agent, since);
    return {
      total: all ?? agents.find(({ id }) => id === agent.id)?.spend ?? NOTHING_SPENT,
      agents: agents.map(({ name, spend }) => ({ name, spend })),
      tasks: tasks.map(({ name, agent: owner, spend }) => ({ name, agent: owner, spend })),
      truncated,
    };
  };
}

/** Messages that are looked through for one answer, at most. */
const MOST_MESSAGES = 2000;

/** What steps list messages with: those of their agent, all of them for an admin. */
export function listDeliveriesForCalls(store: Store): ListDeliveriesForCall {
  return async ({ since, statuses, channel, limit }, context) => {
    const agent = await agentOf(store, context);
    const agentId = hasScope(agent.scopes, 'admin') ? undefined : agent.id;
    const found: Delivery[] = [];
    let cursor: string | undefined;
    let seen = 0;
    // One that was put off for long may have come to its end only now: they are in the order in which they were written.
    do {
      const page = await store.listDeliveries({
        agentId,
        statuses: statuses as DeliveryStatus[] | undefined,
        channel,
        limit: 200,
        cursor,
      });
      found.push(...page.items.filter((one) => (one.finishedAt ?? one.createdAt) >= since));
      seen += page.items.length;
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined && found.length <= limit && seen < MOST_MESSAGES);
    const names = new Map<string, string | null>();
    const nameOf = async (taskId: string): Promise<string | null> => {
      if (!names.has(taskId)) names.set(taskId, (await store.getTask(taskId))?.name ?? null);
      return names.get(taskId) ?? null;
    };
    const deliveries: Awaited<ReturnType<ListDeliveriesForCall>>['deliveries'] = [];
    for (const one of found.slice(0, limit))
      deliveries.push({ ...one, taskName: one.taskId === null ? null : await nameOf(one.taskId) });
    return { deliveries, more: found.length > limit || cursor !== undefined };
  };
}

/** For whom a call lists: the agent of its run, or who calls. @throws PaoError when nobody is known. */
async function agentOf(store: Store, { runId, agent: name }: ToolCallContext): Promise<Agent> {
  const run = runId === undefined ? null : await store.getRun(runId);
  const agent =
    run !== null
      ? await store.getAgent(run.agentId)
      : name === undefined
        ? null
        : await store.findAgentByName(name);
  if (agent === null) throw new PaoError('PAO_NO_AGENT', 'It is not known for whom this is listed.');
  return agent;
}
