import type { Problem } from '../../domain/errors.js';
import { unitWords } from '../../domain/budget-words.js';
import type { ScheduleWarning } from '../../domain/recurrence/index.js';
import type { TaskSpec } from '../../domain/task.js';
import type { Tool } from '../../domain/tool.js';
import { modelSteps } from '../budget/estimate.js';
import type { ApiServices } from './operation.js';

/**
 * What is wrong with a budget before anything was spent: dollars for a model whose price nobody wrote down are a problem,
 * a budget that the first call can not fit in is worth a warning.
 */
export async function checkBudget(
  spec: TaskSpec,
  tools: ReadonlyMap<string, Tool>,
  { budgets }: Pick<ApiServices, 'budgets'>,
): Promise<{ problems: Problem[]; warnings: ScheduleWarning[] }> {
  const problems: Problem[] = [];
  const warnings: ScheduleWarning[] = [];
  const { budget } = spec;
  if (budget === undefined) return { problems, warnings };
  const steps = modelSteps(spec, (address) => tools.get(address) ?? null);
  const fault = await budgets.prices.problem();
  for (const limits of ['per_run', 'per_day'] as const) {
    if (budget[limits]?.usd === undefined) continue;
    for (const model of new Set(await unpriced(steps, budgets))) {
      problems.push({
        pointer: `/budget/${limits}/usd`,
        message: `the price of the model ${model} is not known${fault === null ? '' : ` (${fault})`}`,
        hint: `Write it into ${budgets.prices.path}, in US dollars for a million tokens: models: { ${model}: { input: …, output: … } }`,
      });
    }
  }
  for (const limits of ['per_run', 'per_day'] as const) {
    const most = budget[limits]?.tokens;
    const smallest = Math.min(...steps.map((step) => step.inputTokens + step.outputTokens));
    if (most === undefined || steps.length === 0 || smallest <= most) continue;
    warnings.push({
      code: 'budget_too_small',
      message: `No model is ever asked: one call sets aside ${unitWords('tokens', smallest)} or more, and the budget is ${unitWords('tokens', most)} ${limits === 'per_run' ? 'a run' : 'a day'}.`,
    });
  }
  return { problems, warnings };
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
