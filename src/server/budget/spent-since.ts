import { type Agent, hasScope } from '../../domain/agent.js';
import { NOTHING_SPENT, type Spend } from '../../domain/budget.js';
import type { Store } from '../store/store.js';
import type { Budgets, Payer } from './budgets.js';

/** Agents and tasks that are looked at for one answer, at most. */
const MOST_PAYERS = 1000;

/**
 * What was used on the days since an instant: by each agent that one may see, by its tasks, and for an admin by all together.
 * @param since epoch milliseconds.
 * @returns `truncated`: there are more agents or tasks than are looked at.
 */
export async function spentSince(
  store: Store,
  budgets: Budgets,
  viewer: Agent,
  since: number,
): Promise<{
  all: Spend | null;
  agents: { id: string; name: string; spend: Spend }[];
  tasks: { name: string; agent: string; spend: Spend }[];
  truncated: boolean;
}> {
  const isAdmin = hasScope(viewer.scopes, 'admin');
  const [agentPage, taskPage] = await Promise.all([
    isAdmin ? store.listAgents({ limit: MOST_PAYERS }) : { items: [viewer], nextCursor: null },
    store.listTasks({ agentId: isAdmin ? undefined : viewer.id, limit: MOST_PAYERS }),
  ]);
  const agents = new Map(agentPage.items.map((agent) => [agent.id, agent]));
  const ofAgents = agentPage.items.map((agent): Payer => ({ runId: null, task: null, agent }));
  const ofTasks = taskPage.items.map(({ id, agentId, spec }): Payer => {
    const task = { id, zone: spec.schedule?.timezone ?? null, budget: spec.budget };
    return { runId: null, task, agent: agents.get(agentId) ?? { id: agentId, budget: null } };
  });
  const found = await budgets.spentSince([...ofAgents, ...ofTasks], since);
  const of = (payer: Payer | undefined, scope: 'agent_day' | 'task_day' | 'global_day'): Spend =>
    found.get(payer as Payer)?.get(scope) ?? NOTHING_SPENT;
  return {
    all: isAdmin ? of(ofAgents[0], 'global_day') : null,
    agents: agentPage.items.map(({ id, name }, index) => ({
      id,
      name,
      spend: of(ofAgents[index], 'agent_day'),
    })),
    tasks: taskPage.items.map(({ name, agentId }, index) => ({
      name,
      agent: agents.get(agentId)?.name ?? agentId,
      spend: of(ofTasks[index], 'task_day'),
    })),
    truncated: agentPage.nextCursor !== null || taskPage.nextCursor !== null,
  };
}
