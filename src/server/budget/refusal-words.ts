import type { BudgetRefusal, BudgetScope } from '../../domain/budget.js';
import { unitWords } from '../../domain/budget-words.js';

const WHO: Record<BudgetScope, string> = {
  run: 'this run',
  task_day: 'this task',
  agent_day: 'its agent',
  global_day: 'all agents together',
};

/** Why something was not paid for, for people. */
export function refusalWords(
  { scope, day }: { scope: BudgetScope; day: string | null },
  { unit, limit, used, wanted }: BudgetRefusal,
): string {
  const when = day === null ? '' : ` on ${day}`;
  const verb = scope === 'global_day' ? 'have' : 'has';
  const had = `${WHO[scope]} may use ${unitWords(unit, limit)}${when} and ${verb} used ${unitWords(unit, used)}`;
  if (unit === 'runs' || unit === 'calls') return `The budget is used up: ${had}.`;
  return `The budget does not reach: ${had}; this call may take up to ${unitWords(unit, wanted)}.`;
}

/** There is a budget in dollars, and nobody knows what the call would cost. */
export function unknownPriceWords(model: string, path: string, problem: string | null): string {
  const fault = problem === null ? '' : ` (${problem})`;
  return `The price of the model ${model} is not known, and there is a budget in USD: write it into ${path}${fault}.`;
}
