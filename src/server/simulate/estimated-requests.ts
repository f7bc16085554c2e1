import { NANO_USD } from '../../domain/budget.js';
import { catalogFileSchema, type Tool } from '../../domain/tool.js';
import type { TaskSpec } from '../../domain/task.js';
import { builtinTools } from '../tools/builtin-tools.js';
import { estimateTask, type ModelRequest, modelSteps } from '../budget/estimate.js';
import { costOf, PriceTable } from '../budget/prices.js';
import type { SimulatedRequest } from './simulation.js';

/** What a request of a step was seen to use. */
export type Measured = ReadonlyMap<string, NonNullable<SimulatedRequest['measured']>>;

/** The estimate that creating a task shows, with what its past runs used. */
export const simulatedRequests = (
  requests: readonly ModelRequest[],
  measured: Measured,
): SimulatedRequest[] =>
  requests.map(
    ({ step, tool, model, items, input_tokens: inputTokens, output_tokens: outputTokens, price }) => ({
      step,
      tool,
      model,
      items,
      inputTokens,
      outputTokens,
      price,
      measured: measured.get(step) ?? null,
    }),
  );

/**
 * Estimates tasks of files where no server is asked.
 * @param catalog as `loadCatalog` gives it; null: none is known. @param prices path of the price table.
 */
export function offlineEstimates(catalog: unknown, prices: string) {
  const { tools = [] } = catalog === null ? {} : catalogFileSchema.parse(catalog);
  const byAddress = new Map<string, Tool>([...builtinTools, ...tools].map((tool) => [tool.address, tool]));
  const table = new PriceTable(prices);
  return {
    /** Why the price table can not be used; null when it can, or is not there. */
    problem: () => table.problem(),
    /** Tools of a task that nobody knows: they may ask a model. */
    unknownTools(spec: TaskSpec): string[] {
      const unknown = new Set<string>();
      modelSteps(spec, (address) => {
        const known = byAddress.get(address) ?? null;
        if (known === null && !address.startsWith('channel.')) unknown.add(address);
        return known;
      });
      return [...unknown];
    },
    async requestsOf(spec: TaskSpec, now: number): Promise<SimulatedRequest[]> {
      const steps = modelSteps(spec, (address) => byAddress.get(address) ?? null);
      const estimate = await estimateTask(spec, steps, table, now);
      return simulatedRequests(estimate?.requests ?? [], new Map());
    },
  };
}

/** What a run of a task uses; `usd` (US dollars) is null when a price is not known. */
export function perRun(requests: readonly SimulatedRequest[]): { tokens: number; usd: number | null } {
  let [tokens, nanoUsd]: [number, number | null] = [0, 0];
  for (const { items, inputTokens, outputTokens, measured, price } of requests) {
    const count = measured?.items ?? items;
    const [input, output] = [measured?.inputTokens ?? inputTokens, measured?.outputTokens ?? outputTokens];
    tokens += count * (input + output);
    nanoUsd = nanoUsd === null || price === null ? null : nanoUsd + count * costOf(price, input, output);
  }
  return { tokens, usd: nanoUsd === null ? null : nanoUsd / NANO_USD };
}
