import { NANO_USD, type BudgetLimits } from '../../domain/budget.js';
import { unitWords, usdWords } from '../../domain/budget-words.js';
import { localDayOf } from '../../domain/pipeline/instants.js';
import type { Recurrence } from '../../domain/recurrence/index.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import type { TaskSpec } from '../../domain/task.js';
import type { Tool } from '../../domain/tool.js';
import { type RequestTokens, requestTokens } from '../tools/llm-request.js';
import { CHECK_STEP_ID } from '../worker/plan.js';
import { costOf, type Price, type PriceSource } from './prices.js';

/** The most a pipeline can ask of models, in so far as it can be known before it runs. */
export interface Estimate {
  calls: number;
  tokens: number;
  /** Null when the price of a model is not known. */
  usd: number | null;
}

export interface TaskEstimate {
  per_run: Estimate;
  /** Of the busiest day to come; null when it runs on events, on conditions or when asked to. */
  per_day: (Estimate & { runs: number }) | null;
  /** What models are given is not all written in the task: their input may be larger. */
  open_input: boolean;
  /** Tokens that the smallest call sets aside. */
  smallest_call: number;
  unknown_prices: string[];
  /** What each step that asks a model sets aside for one request. */
  requests: ModelRequest[];
  words: string;
}

/** One step that asks a model, as it is estimated. */
export interface ModelRequest {
  step: string;
  tool: string;
  model: string;
  /** Items of a foreach, at most; 1 without one. */
  items: number;
  input_tokens: number;
  output_tokens: number;
  /** Null when nobody wrote it down. */
  price: Price | null;
}

/** A step that asks a model. */
export interface ModelStep extends RequestTokens {
  id: string;
  pointer: string;
  model: string;
  tool: Tool;
  open: boolean;
  /** Items of a foreach at most. */
  items: number;
  /** First requests at most: retries, each item of a foreach; each may have its repair. */
  attempts: number;
}

/** Occurrences looked at for the busiest day, and at least those of today and tomorrow. */
const MOST = 1500;

/** The steps of a task that ask models. */
export function modelSteps(
  spec: Pick<TaskSpec, 'pipeline'> & Partial<Pick<TaskSpec, 'retry' | 'schedule'>>,
  findTool: (address: string) => Tool | null,
): ModelStep[] {
  const found: ModelStep[] = [];
  const visit = (step: Record<string, unknown>, pointer: string) => {
    const children = step['parallel'];
    if (Array.isArray(children))
      children.forEach((child, index) =>
        visit(child as Record<string, unknown>, `${pointer}/parallel/${index}`),
      );
    const tool = typeof step['uses'] === 'string' ? findTool(step['uses']) : null;
    if (tool === null || tool.kind !== 'llm' || tool.llm === undefined) return;
    const input = (step['with'] ?? {}) as Record<string, unknown>;
    const retry = (step['retry'] ?? spec.retry) as { max?: number } | undefined;
    const foreach = step['foreach'] as { max_items?: number } | undefined;
    const items = foreach === undefined ? 1 : (foreach.max_items ?? 100);
    const model = input['model'];
    found.push({
      id: typeof step['id'] === 'string' ? step['id'] : CHECK_STEP_ID,
      pointer,
      tool,
      model: typeof model === 'string' && !model.includes('${') ? model : tool.llm.model,
      ...requestTokens(tool.llm, input),
      open: JSON.stringify(input).includes('${'),
      items,
      attempts: ((retry?.max ?? 0) + 1) * items,
    });
  };
  spec.pipeline.forEach((step, index) => visit(step as Record<string, unknown>, `/pipeline/${index}`));
  if (spec.schedule?.kind === 'condition') visit(spec.schedule.check, '/schedule/check');
  return found;
}

/** What a task may cost; null when it asks no model. */
export async function estimateTask(
  spec: TaskSpec,
  steps: readonly ModelStep[],
  prices: PriceSource,
  now: number,
): Promise<TaskEstimate | null> {
  if (steps.length === 0) return null;
  const unknown = new Set<string>();
  const run = { calls: 0, tokens: 0, nanoUsd: 0 };
  const requests: ModelRequest[] = [];
  for (const step of steps) {
    const { id, tool, model, attempts, items, inputTokens, repairInputTokens, outputTokens } = step;
    const price = await prices.find(tool.address, model);
    requests.push({
      step: id,
      tool: tool.address,
      model,
      items,
      input_tokens: inputTokens,
      output_tokens: outputTokens,
      price,
    });
    if (price === null) unknown.add(model);
    for (const input of [inputTokens, ...(repairInputTokens === null ? [] : [repairInputTokens])]) {
      if (price !== null) run.nanoUsd += attempts * costOf(price, input, outputTokens);
      run.calls += attempts;
      run.tokens += attempts * (input + outputTokens);
    }
  }
  const usd = unknown.size > 0 ? null : run.nanoUsd / NANO_USD;
  const perRun = { calls: run.calls, tokens: run.tokens, usd };
  const { schedule } = spec;
  const runs = isTimed(schedule) ? busiestDay(recurrenceOf(schedule), schedule.timezone, now) : null;
  const perDay = runs === null ? null : { runs, ...times(perRun, runs) };
  const open = steps.some((step) => step.open);
  return {
    per_run: perRun,
    per_day: perDay,
    open_input: open,
    smallest_call: Math.min(...steps.map(leastTokens)),
    unknown_prices: [...unknown].sort(),
    requests,
    words: wordsOf(spec, perRun, perDay, open, [...unknown].sort()),
  };
}

/** What the step's smallest request sets aside, before data is put into it. */
export const leastTokens = ({ leastInputTokens, outputTokens }: RequestTokens): number =>
  leastInputTokens + outputTokens;

const times = ({ calls, tokens, usd }: Estimate, runs: number): Estimate => ({
  calls: calls * runs,
  tokens: tokens * runs,
  usd: usd === null ? null : usd * runs,
});

/** The most occurrences on one local day, as budgets have days: that of the task's zone, be it 23 or 25 hours long. */
function busiestDay(recurrence: Recurrence, zone: string, now: number): number {
  const days = new Map<string, number>();
  // What comes every few seconds is counted for a whole day as well.
  const tomorrowEnds = localDayOf(localDayOf(now, zone).endAt, zone).endAt;
  let at = recurrence.next(now);
  for (let seen = 0; at !== null && (seen < MOST || at < tomorrowEnds); seen += 1) {
    const { date } = localDayOf(at, zone);
    days.set(date, (days.get(date) ?? 0) + 1);
    at = recurrence.next(at);
  }
  return Math.max(0, ...days.values());
}

function wordsOf(
  { budget }: TaskSpec,
  perRun: Estimate,
  perDay: (Estimate & { runs: number }) | null,
  open: boolean,
  unknown: string[],
): string {
  const amounts = ({ calls, tokens, usd }: Estimate) =>
    [unitWords('calls', calls), unitWords('tokens', tokens), ...(usd === null ? [] : [usdWords(usd)])].join(
      ', ',
    );
  const limits = [limitWords(budget?.per_run, 'a run'), limitWords(budget?.per_day, 'a day')].filter(
    (part) => part !== null,
  );
  const parts = [
    `at most ${amounts(perRun)} a run${open ? ' and what its data adds' : ''}`,
    ...(perDay === null ? [] : [dayWords(perDay.runs, amounts(perDay))]),
    ...(unknown.length === 0 ? [] : [`the price of ${unknown.join(', ')} is not known`]),
    ...(limits.length === 0 ? [] : [`the budget ends it at ${limits.join(', ')}`]),
  ];
  return parts.join('; ');
}

const dayWords = (runs: number, amounts: string): string =>
  runs === 1 ? '1 run a day' : `${unitWords('runs', runs)} a day: ${amounts}`;

function limitWords(limits: BudgetLimits | undefined, per: string): string | null {
  if (limits === undefined) return null;
  const words = (['tokens', 'usd', 'calls', 'runs'] as const).flatMap((unit) =>
    limits[unit] === undefined ? [] : [unitWords(unit, limits[unit])],
  );
  return words.length === 0 ? null : `${words.join(' or ')} ${per}`;
}
