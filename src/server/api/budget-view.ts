import type { Agent } from '../../domain/agent.js';
import { whyBroken, zoneOf } from '../../domain/broken-schedule.js';
import { amountOf, type BudgetEntry, type Spend } from '../../domain/budget.js';
import { spendWords, usedWords } from '../../domain/budget-words.js';
import type { Task } from '../../domain/task.js';
import type { PaidFrom, Payer } from '../budget/budgets.js';
import { estimateTask, modelSteps } from '../budget/estimate.js';
import { hasScope } from '../../domain/agent.js';
import type { ApiServices, Caller } from './operation.js';
import { instant } from './views.js';

const spendView = (spend: Spend) => ({
  tokens: spend.tokens,
  usd: amountOf(spend, 'usd'),
  calls: spend.calls,
  runs: spend.runs,
  calls_of_unknown_price: spend.unpriced,
});

/** What was used of a budget, and what there is. */
function accountView({ day, limits, used }: PaidFrom & { used: Spend }) {
  return {
    ...(day === null ? {} : { day }),
    ...spendView(used),
    limits,
    words: usedWords(limits, used),
  };
}

/** What a task may cost, and what it and its agent have used of today. */
export async function taskBudgetView(task: Task, services: ApiServices): Promise<Record<string, unknown>> {
  const { store, budgets, clock } = services;
  const steps = await modelStepsOf(task.spec, services);
  const agent = await store.getAgent(task.agentId);
  const isBroken = whyBroken(task.spec.schedule) !== null;
  const payer: Payer = {
    runId: null,
    task: { id: task.id, zone: zoneIn(task.spec), budget: task.spec.budget },
    agent: { id: task.agentId, budget: agent?.budget ?? null },
  };
  const found = await budgets.spent(payer);
  return {
    // What can not be scheduled is not due on any day.
    estimate: await estimateTask(
      isBroken ? { ...task.spec, schedule: undefined } : task.spec,
      steps,
      budgets.prices,
      clock.now(),
    ),
    spent_today: accountView(found.find(({ scope }) => scope === 'task_day') as (typeof found)[number]),
  };
}

/** The zone of the days of a task; null without a schedule. */
const zoneIn = ({ schedule }: Task['spec']): string | null =>
  schedule === undefined ? null : zoneOf(schedule);

/** The steps that ask models; of the catalog only the tools of the task are read. */
async function modelStepsOf(spec: Task['spec'], { store, builtinTools }: ApiServices) {
  const addresses = new Set<string>();
  modelSteps(spec, (address) => {
    addresses.add(address);
    return null;
  });
  const tools = new Map(builtinTools.map((tool) => [tool.address, tool]));
  for (const address of addresses) {
    const stored = tools.has(address) ? null : await store.getTool(address);
    if (stored !== null) tools.set(address, stored.tool);
  }
  return modelSteps(spec, (address) => tools.get(address) ?? null);
}

/** What an agent has used of today. */
export async function agentBudgetView(
  agent: Agent,
  { budgets }: ApiServices,
): Promise<Record<string, unknown>> {
  const found = await budgets.spent({ runId: null, task: null, agent });
  return {
    spent_today: accountView(found.find(({ scope }) => scope === 'agent_day') as (typeof found)[number]),
  };
}

/** Agents and tasks that are looked at for one answer, at most. */
const MOST_PAYERS = 1000;

/**
 * What was used today: of each agent the caller may see, of its tasks that have a budget or used something, and for an admin
 * of all together. `truncated`: there are more agents or tasks than are looked at.
 */
export async function spentTodayView({ store, budgets }: ApiServices, caller: Caller) {
  const isAdmin = hasScope(caller.scopes, 'admin');
  const [agentPage, taskPage] = await Promise.all([
    isAdmin ? store.listAgents({ limit: MOST_PAYERS }) : { items: [caller.agent], nextCursor: null },
    store.listTasks({
      agentId: isAdmin ? undefined : caller.agent.id,
      states: ['active', 'paused'],
      limit: MOST_PAYERS,
    }),
  ]);
  const agents = new Map(agentPage.items.map((agent) => [agent.id, agent]));
  const payers: Payer[] = [...agents.values()].map((agent) => ({ runId: null, task: null, agent }));
  for (const { id, agentId, spec } of taskPage.items) {
    const task = { id, zone: zoneIn(spec), budget: spec.budget };
    payers.push({ runId: null, task, agent: agents.get(agentId) ?? { id: agentId, budget: null } });
  }
  const found = await budgets.spentByEach(payers);
  const of = (payer: Payer | undefined, scope: PaidFrom['scope']) =>
    accountView(found.get(payer as Payer)?.find((one) => one.scope === scope) as PaidFrom & { used: Spend });
  return {
    all: isAdmin ? of(payers[0], 'global_day') : null,
    agents: agentPage.items.flatMap(({ id, name, disabledAt }, index) =>
      disabledAt === null ? [{ agent_id: id, name, spent_today: of(payers[index], 'agent_day') }] : [],
    ),
    tasks: taskPage.items
      .map(({ id, name, agentId }, index) => ({
        task_id: id,
        name,
        agent_id: agentId,
        spent_today: of(payers[agents.size + index], 'task_day'),
      }))
      .filter(
        ({ spent_today: { limits, tokens, calls, runs } }) =>
          Object.keys(limits).length > 0 || tokens + calls + runs > 0,
      ),
    truncated: agentPage.nextCursor !== null || taskPage.nextCursor !== null,
  };
}

/** What a run paid for, request by request. */
export async function runBudgetView(runId: string, { store }: ApiServices): Promise<Record<string, unknown>> {
  const key = `run:${runId}`;
  const [entries, spent] = await Promise.all([
    store.listBudgetEntries({ runId, limit: 1000 }),
    store.getSpent([key]),
  ]);
  const total = spent.get(key) as Spend;
  const paid = entries.filter(({ model }) => model !== null);
  return {
    spent: {
      ...spendView(total),
      estimated: paid.some(({ estimated, state }) => estimated || state === 'reserved'),
      words: spendWords(total),
      requests: paid.map(entryView),
    },
  };
}

const entryView = (entry: BudgetEntry) => ({
  id: entry.id,
  step: entry.stepId,
  tool: entry.tool,
  model: entry.model,
  state: entry.state,
  reserved_tokens: entry.reserved.tokens,
  input_tokens: entry.inputTokens,
  output_tokens: entry.outputTokens,
  tokens: entry.spent.tokens,
  usd: entry.spent.unpriced > 0 ? null : amountOf(entry.spent, 'usd'),
  estimated: entry.estimated || entry.state === 'reserved',
  at: instant(entry.at),
});
