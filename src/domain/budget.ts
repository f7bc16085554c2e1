import { z } from 'zod';
import { NANO_USD } from './money.js';

// By itself, so that what only writes amounts needs no schema.
export { NANO_USD };

/** Fewest bytes one token was seen to stand for (dense JSON, agents.md B.3); an estimate must not be too low. */
export const BYTES_PER_TOKEN = 2.3;

/** What a budget can bound. `calls` are requests to tools outside; `runs` are runs that began. */
export const BUDGET_UNITS = ['tokens', 'usd', 'calls', 'runs'] as const;
export type BudgetUnit = (typeof BUDGET_UNITS)[number];

/** Whose budget it is, and for how long. */
export const BUDGET_SCOPES = ['run', 'task_day', 'agent_day', 'global_day'] as const;
export type BudgetScope = (typeof BUDGET_SCOPES)[number];

const whole = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const perCall = {
  tokens: whole.optional(),
  usd: z.number().min(0).max(1_000_000).optional(),
  calls: whole.optional(),
};

/** What may be used from midnight to midnight. */
export const perDaySchema = z.strictObject({ ...perCall, runs: whole.optional() });
const onExceed = z.enum(['skip', 'pause']).default('skip');

/** What one run may use, over all its attempts. */
const perRunSchema = z.strictObject(perCall);

/** The budget of a task; its day is that of the task's zone. */
export const taskBudgetSchema = z.strictObject({
  per_run: perRunSchema.optional(),
  per_day: perDaySchema.optional(),
  /** `skip`: what would go above it is not done; `pause`: nor is anything later, until a person resumes the task. */
  on_exceed: onExceed,
});

/** The budget of all tasks of an agent; without a zone its day is that of the system. */
export const agentBudgetSchema = z.strictObject({
  per_day: perDaySchema,
  timezone: z.string().min(1).max(100).optional(),
  on_exceed: onExceed,
});

export type BudgetLimits = z.infer<typeof perDaySchema>;
export type TaskBudget = z.infer<typeof taskBudgetSchema>;
export type AgentBudget = z.infer<typeof agentBudgetSchema>;

/** What was used, or is about to be. */
export interface Spend {
  tokens: number;
  nanoUsd: number;
  calls: number;
  runs: number;
  /** Of the calls, those whose price is not known: their money is not in `nanoUsd`. */
  unpriced: number;
}

export const NOTHING_SPENT: Spend = { tokens: 0, nanoUsd: 0, calls: 0, runs: 0, unpriced: 0 };

/** One sum that is kept, and how far it may go. */
export interface BudgetAccount {
  /** `run:<id>`, `task:<id>:<day>`, `agent:<id>:<day>`, `all:<day>`. */
  key: string;
  limits: BudgetLimits;
}

/** Why something is not done: which sum would go above its limit. */
export interface BudgetRefusal {
  key: string;
  unit: BudgetUnit;
  limit: number;
  used: number;
  wanted: number;
}

/** One thing that was paid for, or is being paid for: a request to a model, above all. */
export interface BudgetEntry {
  id: string;
  runId: string | null;
  taskId: string | null;
  agentId: string | null;
  stepId: string | null;
  tool: string | null;
  model: string | null;
  /** Keys of the sums it is part of. */
  accounts: string[];
  reserved: Spend;
  /** The same as reserved until it is settled. */
  spent: Spend;
  inputTokens: number | null;
  outputTokens: number | null;
  /** `reserved`: under way, or cut off by a crash; it counts in full. */
  state: 'reserved' | 'settled';
  /** Nobody said what was used, and the reserve stands. */
  estimated: boolean;
  at: number;
  settledAt: number | null;
}

/** How much a sum has of one unit; money in US dollars. */
export const amountOf = (spend: Spend, unit: BudgetUnit): number =>
  unit === 'usd' ? spend.nanoUsd / NANO_USD : spend[unit];

/**
 * The first limit that an amount would break.
 * @param used what each account has, by its key; nothing when it is missing.
 */
export function refusalOf(
  accounts: readonly BudgetAccount[],
  used: ReadonlyMap<string, Spend>,
  wanted: Spend,
): BudgetRefusal | null {
  for (const { key, limits } of accounts) {
    const had = used.get(key) ?? NOTHING_SPENT;
    for (const unit of BUDGET_UNITS) {
      const limit = limits[unit];
      if (limit === undefined) continue;
      // Money is compared in whole units: a sum of fractions would be above its limit by rounding alone.
      const [before, more, most] =
        unit === 'usd'
          ? [had.nanoUsd, wanted.nanoUsd, Math.round(limit * NANO_USD)]
          : [had[unit], wanted[unit], limit];
      if (more > 0 && before + more > most) {
        return { key, unit, limit, used: amountOf(had, unit), wanted: amountOf(wanted, unit) };
      }
    }
  }
  return null;
}

export const addSpend = (one: Spend, other: Spend): Spend => ({
  tokens: one.tokens + other.tokens,
  nanoUsd: one.nanoUsd + other.nanoUsd,
  calls: one.calls + other.calls,
  runs: one.runs + other.runs,
  unpriced: one.unpriced + other.unpriced,
});
