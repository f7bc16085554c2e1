import { NOTHING_SPENT, type Spend } from '../../domain/budget.js';
import { silentObserver } from '../../domain/observability/observer.js';
import { Budgets, type BudgetsOptions, type PaidFrom } from '../budget/budgets.js';
import type { PriceSource } from '../budget/prices.js';
import type { Store } from '../store/store.js';
import type { CallBudget } from '../tools/caller.js';
import type {
  BudgetDay,
  BudgetHit,
  SimulatedRequest,
  SimulatedTask,
  SimulationOptions,
} from './simulation.js';

/** Keys asked for in one go. */
const BATCH = 500;

/** The books of a simulation: the real {@link Budgets}, with a note of each refusal and of each budget of a day. */
export class Spending {
  readonly hits: BudgetHit[] = [];
  readonly budgets: Budgets;
  readonly #days = new Map<string, PaidFrom>();

  constructor(
    private readonly store: Store,
    options: Pick<BudgetsOptions, 'clock'> & Pick<SimulationOptions, 'tasks' | 'budget' | 'timezone'>,
  ) {
    this.budgets = new Budgets({
      store: this.#watched(store),
      prices: pricesOf(options.tasks),
      clock: options.clock,
      observer: silentObserver,
      global: options.budget,
      timezone: options.timezone ?? 'UTC',
    });
  }

  #watched(store: Store): BudgetsOptions['store'] {
    return {
      settleBudget: (settlement) => store.settleBudget(settlement),
      getSpent: (keys) => store.getSpent(keys),
      getTask: (id) => store.getTask(id),
      updateTask: (task, version, by) => store.updateTask(task, version, by),
      appendAudit: (entry) => store.appendAudit(entry),
      reserveBudget: async (entry, accounts, options) => {
        for (const account of accounts as readonly PaidFrom[])
          if (account.day !== null && Object.keys(account.limits).length > 0)
            this.#days.set(account.key, account);
        const refusal = await store.reserveBudget(entry, accounts, options);
        if (refusal !== null && entry.runId !== null) {
          const { scope, day } = accounts.find(({ key }) => key === refusal.key) as PaidFrom;
          const { unit, limit } = refusal;
          this.hits.push({ runId: entry.runId, scope, unit, limit, day, at: entry.at });
        }
        return refusal;
      },
    };
  }

  /** What each run used; those that used nothing are left out. */
  async ofRuns(ids: readonly string[]): Promise<Map<string, Spend>> {
    const found = new Map<string, Spend>();
    for (let at = 0; at < ids.length; at += BATCH) {
      const keys = ids.slice(at, at + BATCH).map((id) => `run:${id}`);
      for (const [key, spend] of await this.store.getSpent(keys))
        if (spend.calls > 0 || spend.tokens > 0) found.set(key.slice('run:'.length), spend);
    }
    return found;
  }

  /** @param nameOf the name of a task or agent, by its id. */
  async ofDays(nameOf: (id: string) => string): Promise<BudgetDay[]> {
    const keys = [...this.#days.keys()];
    const used = new Map<string, Spend>();
    for (let at = 0; at < keys.length; at += BATCH)
      for (const [key, spend] of await this.store.getSpent(keys.slice(at, at + BATCH))) used.set(key, spend);
    return [...this.#days.values()].flatMap(({ key, scope, day, limits }) => {
      if (scope === 'run' || day === null) return [];
      const [, id] = key.split(':') as [string, string];
      const name = scope === 'global_day' ? null : nameOf(id);
      return [{ scope, name, day, limits, used: used.get(key) ?? NOTHING_SPENT }];
    });
  }
}

/** Pays for one request as a model would be paid for: what it may use is set aside, then what it used is settled. */
export async function payFor(request: SimulatedRequest, budget: CallBudget | undefined): Promise<void> {
  const { tool, model, inputTokens, outputTokens, measured } = request;
  const settle = await budget?.reserve({
    tool,
    model,
    inputTokens: Math.max(inputTokens, measured?.inputTokens ?? 0),
    outputTokens: Math.max(outputTokens, measured?.outputTokens ?? 0),
  });
  await settle?.(
    measured === null ? null : { input_tokens: measured.inputTokens, output_tokens: measured.outputTokens },
  );
}

/** The prices that came with the tasks. */
function pricesOf(tasks: readonly SimulatedTask[]): PriceSource {
  const known = new Map(
    tasks.flatMap(({ requests = [] }) =>
      requests.map(({ tool, model, price }) => [`${tool} ${model}`, price] as const),
    ),
  );
  return {
    path: 'prices.yaml',
    find: async (tool, model) => known.get(`${tool} ${model}`) ?? null,
    problem: async () => null,
  };
}
