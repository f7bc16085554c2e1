import type { AgentBudgetObject, AgentObject, TokenObject } from '../../client/api-objects.js';
import { BUDGET_UNITS } from '../../domain/budget.js';
import { unitWords } from '../../domain/budget-words.js';
import type { Output } from '../output.js';
import type { Column } from '../table.js';
import { visible } from '../visible.js';
import { machineTime } from './task-time.js';

/** Columns of a list of agents. */
export const AGENT_COLUMNS: readonly Column<AgentObject>[] = [
  { header: 'NAME', value: (agent) => agent.name },
  { header: 'ID', value: (agent) => agent.id },
  { header: 'SCOPES', value: (agent) => agent.scopes.join(' '), shrink: true },
  { header: 'CREATED', value: (agent) => machineTime(agent.created_at), drop: true },
];

/** Columns of a list that has revoked agents too. */
export const ALL_AGENT_COLUMNS: readonly Column<AgentObject>[] = [
  ...AGENT_COLUMNS.slice(0, 2),
  { header: 'STATE', value: (agent) => (agent.disabled_at === null ? 'active' : 'revoked') },
  ...AGENT_COLUMNS.slice(2),
];

const TOKEN_COLUMNS: readonly Column<TokenObject>[] = [
  { header: 'TOKEN', value: (token) => token.id },
  { header: 'BEGINS WITH', value: (token) => token.prefix },
  { header: 'LABEL', value: (token) => token.label, shrink: true },
  { header: 'LAST USED', value: (token) => machineTime(token.last_used_at) },
  {
    header: 'EXPIRES',
    value: (token) => (token.expires_at === null ? 'never' : machineTime(token.expires_at)),
  },
  { header: 'REVOKED', value: (token) => machineTime(token.revoked_at) },
];

function budgetPairs({ budget = null, spent_today: spent }: AgentObject): (readonly [string, string])[] {
  if (budget === null && (spent === undefined || spent.words === 'nothing')) return [];
  const zone = budget?.timezone === undefined ? '' : ` (${visible(budget.timezone)})`;
  return [
    [
      'Budget',
      budget === null ? 'none' : `${limitWords(budget.per_day)} a day${zone}, then ${budget.on_exceed}`,
    ],
    ...(spent === undefined ? [] : [['Spent today', visible(spent.words)] as const]),
  ];
}

const limitWords = (limits: AgentBudgetObject['per_day']): string =>
  BUDGET_UNITS.flatMap((unit) => (limits[unit] === undefined ? [] : [unitWords(unit, limits[unit])])).join(
    ', ',
  ) || 'nothing bounded';

/** Shows what an agent may use, and what it has. */
export function showAgentBudget(out: Output, agent: AgentObject): void {
  const pairs = budgetPairs(agent);
  out.pairs(pairs.length === 0 ? [['Budget', 'none']] : pairs);
}

/** When the messages of an agent wait, in words. */
export function quietPairs({
  quiet_hours: hours = [],
  vacation = [],
}: AgentObject): (readonly [string, string])[] {
  const windows = hours.map(({ from, to, timezone, days, digest }) => {
    const on = days === undefined ? '' : ` on ${days.join(', ')}`;
    return `${from} to ${to} ${timezone}${on}${digest === true ? ', then one message' : ''}`;
  });
  return [
    ...windows.map((words) => ['Quiet', words] as const),
    ...vacation.map(({ from, to, timezone }) => ['Vacation', `${from} to ${to} ${timezone}`] as const),
  ];
}

/** Shows one agent and what is known of its tokens. */
export function showAgent(out: Output, agent: AgentObject): void {
  out.pairs([
    ['Name', agent.name],
    ['Id', agent.id],
    ...(agent.title === null ? [] : [['Title', visible(agent.title)] as const]),
    ['Scopes', agent.scopes.join(' ') || 'none'],
    ...budgetPairs(agent),
    ...quietPairs(agent),
    ['Created', machineTime(agent.created_at)],
    ...(agent.disabled_at === null ? [] : [['Revoked', machineTime(agent.disabled_at)] as const]),
  ]);
  out.line();
  out.table(agent.tokens ?? [], TOKEN_COLUMNS, 'It has no token.');
}
