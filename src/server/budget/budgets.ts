import {
  type AgentBudget,
  type BudgetAccount,
  type BudgetLimits,
  type BudgetRefusal,
  type BudgetScope,
  NOTHING_SPENT,
  type Spend,
  type TaskBudget,
} from '../../domain/budget.js';
import type { Clock } from '../../domain/clock.js';
import { newId } from '../../domain/ids.js';
import type { Observer } from '../../domain/observability/observer.js';
import { PAUSE_REASON } from '../../domain/paused-by-pao.js';
import { localDayOf } from '../../domain/pipeline/instants.js';
import { ToolError } from '../../domain/tool-error.js';
import type { Task } from '../../domain/task.js';
import type { GlobalBudget } from '../config.js';
import { pauseTask } from '../pause-task.js';
import type { BudgetReservation, Store } from '../store/store.js';
import type { CallBudget, CallEstimate } from '../tools/caller.js';
import { costOf, type Price, type PriceSource } from './prices.js';
import { refusalWords, unknownPriceWords } from './refusal-words.js';

const HALF_DAY_MS = 43_200_000;

/** Whose money it is. */
export interface Payer {
  runId: string | null;
  /** Null for a call outside any task. */
  task: { id: string; zone: string | null; budget: TaskBudget | undefined } | null;
  agent: { id: string; budget: AgentBudget | null };
}

/** Asks the store, again where it is away for a moment. */
type Ask = <T>(ask: () => Promise<T>) => Promise<T>;
const once: Ask = (ask) => ask();

/** An account with what is to be done when it is used up. */
export interface PaidFrom extends BudgetAccount {
  scope: BudgetScope;
  /** The local day it is for, if it is for a day. */
  day: string | null;
  onExceed: 'skip' | 'pause';
}

export interface BudgetsOptions {
  store: Pick<
    Store,
    'reserveBudget' | 'settleBudget' | 'getSpent' | 'getTask' | 'updateTask' | 'appendAudit'
  >;
  prices: PriceSource;
  clock: Pick<Clock, 'now'>;
  observer: Observer;
  /** What all agents together may use. */
  global: GlobalBudget | undefined;
  /** Told that a budget paused a task: in words why, and the local day that is used up; null where it was the run's. */
  onPaused?:
    | ((task: Task, why: { words: string; day: string | null; runId: string | null }) => Promise<void>)
    | undefined;
  /** IANA zone of the days of agents without one, of tasks without one, and of all. */
  timezone: string;
}

/** Decides before anything is paid for whether it may be, and keeps the books (agents.md B.3). */
export class Budgets {
  constructor(private readonly options: BudgetsOptions) {}

  get prices(): PriceSource {
    return this.options.prices;
  }

  /** What all agents together may use of a day. */
  get forAll(): BudgetLimits | undefined {
    return this.options.global?.per_day;
  }

  /** Every sum that what a payer pays for now is part of. */
  accountsOf(payer: Payer): PaidFrom[] {
    const { runId, task } = payer;
    const now = this.options.clock.now();
    const ofDays = this.#daySums(payer).map(({ scope, name, zone, budget }): PaidFrom => {
      const day = localDayOf(now, zone).date;
      const onExceed = budget?.on_exceed ?? 'skip';
      return { scope, key: `${name}:${day}`, limits: budget?.per_day ?? {}, onExceed, day };
    });
    if (runId === null) return ofDays;
    const limits = task?.budget?.per_run ?? {};
    const onExceed = task?.budget?.on_exceed ?? 'skip';
    return [{ scope: 'run', key: `run:${runId}`, limits, onExceed, day: null }, ...ofDays];
  }

  /** The sums of a payer that begin anew each day of their zone; the key of one is `NAME:DAY`. */
  #daySums({ task, agent }: Payer) {
    const { global, timezone } = this.options;
    const zone = agent.budget?.timezone ?? timezone;
    const sum = (
      scope: BudgetScope,
      name: string,
      itsZone: string,
      budget: TaskBudget | AgentBudget | GlobalBudget | null | undefined,
    ) => ({ scope, name, zone: itsZone, budget });
    return [
      ...(task === null ? [] : [sum('task_day', `task:${task.id}`, task.zone ?? zone, task.budget)]),
      sum('agent_day', `agent:${agent.id}`, zone, agent.budget),
      sum('global_day', 'all', timezone, global),
    ];
  }

  /**
   * Whether any budget bounds runs or calls: where none does, as for most, a run costs no look at the zones of days.
   * A run has no bound on runs.
   */
  #isBounded({ runId, task, agent }: Payer, unit: 'runs' | 'calls'): boolean {
    const perDay = [task?.budget?.per_day, agent.budget?.per_day, this.options.global?.per_day];
    if (perDay.some((limits) => limits?.[unit] !== undefined)) return true;
    return unit === 'calls' && runId !== null && task?.budget?.per_run?.calls !== undefined;
  }

  /** What the accounts of a payer have now, in their order. */
  async spent(payer: Payer): Promise<(PaidFrom & { used: Spend })[]> {
    return (await this.spentByEach([payer])).get(payer) ?? [];
  }

  /** As {@link spent} for many, with one look into the store. */
  async spentByEach(payers: readonly Payer[]): Promise<Map<Payer, (PaidFrom & { used: Spend })[]>> {
    const accounts = new Map(payers.map((payer) => [payer, this.accountsOf(payer)]));
    const keys = new Set([...accounts.values()].flat().map(({ key }) => key));
    const used = await this.options.store.getSpent([...keys]);
    const withUsed = (account: PaidFrom) => ({ ...account, used: used.get(account.key) ?? NOTHING_SPENT });
    return new Map([...accounts].map(([payer, its]) => [payer, its.map(withUsed)]));
  }

  /**
   * What each payer has used on the days from one instant to now, both days in it, by the scopes of its accounts.
   * @param since epoch milliseconds.
   */
  async spentSince(payers: readonly Payer[], since: number): Promise<Map<Payer, Map<BudgetScope, Spend>>> {
    const now = this.options.clock.now();
    const instants = [now];
    // Half a day at a time: the shortest day has 23 hours.
    for (let at = since; at < now; at += HALF_DAY_MS) instants.push(at);
    // Payers are many, zones few: each zone's days are told once, and what payers share is summed up once.
    const daysIn = new Map<string, Set<string>>();
    const keys = new Map<string, string[]>();
    const idOf = ({ name, zone }: { name: string; zone: string }) => `${name} ${zone}`;
    const found = payers.map((payer) => ({ payer, its: this.#daySums(payer) }));
    for (const one of found.flatMap(({ its }) => its)) {
      if (keys.has(idOf(one))) continue;
      const days = daysIn.get(one.zone) ?? new Set(instants.map((at) => localDayOf(at, one.zone).date));
      daysIn.set(one.zone, days);
      keys.set(
        idOf(one),
        [...days].map((day) => `${one.name}:${day}`),
      );
    }
    const used = await this.options.store.getSpent([...new Set([...keys.values()].flat())]);
    const sums = new Map(
      [...keys].map(([id, its]) => [
        id,
        its.reduce((sum, key) => plus(sum, used.get(key) ?? NOTHING_SPENT), NOTHING_SPENT),
      ]),
    );
    return new Map(
      found.map(({ payer, its }) => [
        payer,
        new Map(its.map((one) => [one.scope, sums.get(idOf(one)) as Spend])),
      ]),
    );
  }

  /**
   * Counts a run that begins; once for all its attempts.
   * @throws ToolError `budget` when there have been as many as there may be.
   */
  async beginRun(payer: Payer & { runId: string }, ask: Ask): Promise<void> {
    if (!this.#isBounded(payer, 'runs')) return;
    const entry = { ...this.#entry(payer, null, null, null), id: `start/${payer.runId}` };
    const amount = { ...NOTHING_SPENT, runs: 1 };
    await this.#reserve(payer, { ...entry, amount }, this.accountsOf(payer), ask, true);
  }

  /** The budget of the calls of one payer. @param stepId the step that makes them. */
  forCalls(payer: Payer, stepId: string | null, ask: Ask = once): CallBudget {
    return {
      count: async (tool) => {
        if (!this.#isBounded(payer, 'calls')) return;
        const entry = this.#entry(payer, stepId, tool, null);
        const amount = { ...NOTHING_SPENT, calls: 1 };
        await this.#reserve(payer, { ...entry, amount }, this.accountsOf(payer), ask, true);
      },
      reserve: (estimate) => this.#reserveTokens(payer, stepId, estimate, ask),
    };
  }

  async #reserveTokens(payer: Payer, stepId: string | null, estimate: CallEstimate, ask: Ask) {
    const { tool, model } = estimate;
    const accounts = this.accountsOf(payer);
    const price = await this.prices.find(tool, model);
    const inUsd = accounts.find(({ limits }) => limits.usd !== undefined);
    if (price === null && inUsd !== undefined) {
      const words = unknownPriceWords(model, this.prices.path, await this.prices.problem());
      await this.#refuse(payer, inUsd, words);
    }
    const amount = amountFor(price, estimate.inputTokens, estimate.outputTokens);
    const entry = { ...this.#entry(payer, stepId, tool, model), amount };
    await this.#reserve(payer, entry, accounts, ask, false);
    return async (used: { input_tokens: number; output_tokens: number } | null): Promise<void> => {
      const input = used?.input_tokens ?? estimate.inputTokens;
      const output = used?.output_tokens ?? estimate.outputTokens;
      const spent = amountFor(price, input, output);
      const { store, clock, observer } = this.options;
      await ask(() =>
        store.settleBudget({
          id: entry.id,
          spent,
          inputTokens: input,
          outputTokens: output,
          estimated: used === null,
          now: clock.now(),
        }),
      );
      observer.add('model_tokens_total', { direction: 'input' }, input);
      observer.add('model_tokens_total', { direction: 'output' }, output);
      observer.add('model_cost_usd_total', {}, spent.nanoUsd / 1e9);
    };
  }

  #entry(payer: Payer, stepId: string | null, tool: string | null, model: string | null) {
    const at = this.options.clock.now();
    const { runId, task, agent } = payer;
    return {
      id: newId('bud', at),
      runId,
      taskId: task?.id ?? null,
      agentId: agent.id,
      stepId,
      tool,
      model,
      at,
    };
  }

  async #reserve(
    payer: Payer,
    entry: BudgetReservation,
    accounts: readonly PaidFrom[],
    ask: Ask,
    settled: boolean,
  ): Promise<void> {
    const refusal = await ask(() => this.options.store.reserveBudget(entry, accounts, { settled }));
    if (refusal === null) return;
    const account = accounts.find(({ key }) => key === refusal.key) as PaidFrom;
    await this.#refuse(payer, account, refusalWords(account, refusal), refusal);
  }

  /** @throws ToolError always. */
  async #refuse(payer: Payer, account: PaidFrom, words: string, refusal?: BudgetRefusal): Promise<never> {
    const { observer, store, clock } = this.options;
    observer.add('budget_refusals_total', { scope: account.scope });
    if (account.onExceed === 'pause' && payer.task !== null) {
      const task = await store.getTask(payer.task.id);
      const details = { run_id: payer.runId, budget: account.scope };
      const isPaused =
        task !== null && (await pauseTask(store, task, PAUSE_REASON.budget(words), details, clock.now()));
      if (isPaused) {
        observer.add('tasks_budget_paused_total');
        await this.options.onPaused?.(task, { words, day: account.day, runId: payer.runId });
      }
    }
    throw new ToolError('budget', words, {
      details: {
        scope: account.scope,
        on_exceed: account.onExceed,
        ...(refusal === undefined ? {} : { unit: refusal.unit, limit: refusal.limit, used: refusal.used }),
      },
    });
  }
}

const plus = (a: Spend, b: Spend): Spend => ({
  tokens: a.tokens + b.tokens,
  nanoUsd: a.nanoUsd + b.nanoUsd,
  calls: a.calls + b.calls,
  runs: a.runs + b.runs,
  unpriced: a.unpriced + b.unpriced,
});

const amountFor = (price: Price | null, input: number, output: number): Spend => ({
  tokens: input + output,
  nanoUsd: price === null ? 0 : costOf(price, input, output),
  calls: 1,
  runs: 0,
  unpriced: price === null ? 1 : 0,
});
