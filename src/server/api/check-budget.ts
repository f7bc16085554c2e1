import type { Problem } from '../../domain/errors.js';
import { type BudgetLimits, NANO_USD } from '../../domain/budget.js';
import { unitWords } from '../../domain/budget-words.js';
import type { ScheduleWarning } from '../../domain/recurrence/index.js';
import type { TaskSpec } from '../../domain/task.js';
import type { Tool } from '../../domain/tool.js';
import { costOf } from '../budget/prices.js';
import { leastTokens, type ModelStep, modelSteps } from '../budget/estimate.js';
import type { ApiServices } from './operation.js';

/**
 * What is wrong with a budget before anything was spent: dollars for a model whose price nobody wrote down are a problem,
 * a budget that a step's request can never fit in is worth a warning, be it that of the task, of its agent or of all.
 */
export async function checkBudget(
  spec: TaskSpec,
  tools: ReadonlyMap<string, Tool>,
  { budgets, store }: Pick<ApiServices, 'budgets' | 'store'>,
  agentId: string | undefined,
): Promise<{ problems: Problem[]; warnings: ScheduleWarning[] }> {
  const problems: Problem[] = [];
  const warnings: ScheduleWarning[] = [];
  const { budget } = spec;
  const steps = modelSteps(spec, (address) => tools.get(address) ?? null);
  if (steps.length === 0) return { problems, warnings };
  const fault = budget === undefined ? null : await budgets.prices.problem();
  for (const limits of ['per_run', 'per_day'] as const) {
    if (budget?.[limits]?.usd === undefined) continue;
    for (const model of new Set(await unpriced(steps, budgets))) {
      problems.push({
        pointer: `/budget/${limits}/usd`,
        message: `the price of the model ${model} is not known${fault === null ? '' : ` (${fault})`}`,
        hint: `Write it into ${budgets.prices.path}, in US dollars for a million tokens: models: { ${model}: { input: …, output: … } }`,
      });
    }
  }
  const agent = agentId === undefined ? null : await store.getAgent(agentId);
  const bounds: [string, string, BudgetLimits | undefined][] = [
    ['the budget', 'a run', budget?.per_run],
    ['the budget', 'a day', budget?.per_day],
    ['the budget of its agent', 'a day', agent?.budget?.per_day],
    ['the budget of all agents', 'a day', budgets.forAll],
  ];
  for (const [whose, per, limits] of bounds)
    for (const unit of ['tokens', 'usd'] as const) {
      const most = limits?.[unit];
      if (most === undefined) continue;
      const wanted = await leastOf(steps, unit, budgets);
      const beyond = wanted.filter(({ amount }) => amount > most);
      if (beyond.length === 0) continue;
      const least = Math.min(...beyond.map(({ amount }) => amount));
      const who =
        beyond.length === steps.length
          ? 'No model is ever asked'
          : `${beyond.map(({ id }) => id).join(', ')} can never ask a model`;
      warnings.push({
        code: 'budget_too_small',
        message: `${who}: one call sets aside ${unitWords(unit, least)} or more, and ${whose} is ${unitWords(unit, most)} ${per}.`,
      });
    }
  return { problems, warnings };
}

/** What the smallest request of each step sets aside; steps whose price is not known have no amount in dollars. */
async function leastOf(
  steps: readonly ModelStep[],
  unit: 'tokens' | 'usd',
  { prices }: ApiServices['budgets'],
): Promise<{ id: string; amount: number }[]> {
  const found: { id: string; amount: number }[] = [];
  for (const step of steps) {
    const { id, tool, model, leastInputTokens, outputTokens } = step;
    if (unit === 'tokens') found.push({ id, amount: leastTokens(step) });
    else {
      const price = await prices.find(tool.address, model);
      if (price !== null)
        found.push({ id, amount: costOf(price, leastInputTokens, outputTokens) / NANO_USD });
    }
  }
  return found;
}

async function unpriced(
  steps: ReturnType<typeof modelSteps>,
  { prices }: ApiServices['budgets'],
): Promise<string[]> {
  const unknown: string[] = [];
  for (const { tool, model } of steps) {
    if ((await prices.find(tool.address, model)) === null) unknown.push(model);
  }
  return unknown;
}
