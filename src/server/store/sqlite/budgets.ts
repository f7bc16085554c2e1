import { addSpend, type BudgetEntry, NOTHING_SPENT, refusalOf, type Spend } from '../../../domain/budget.js';
import type { BudgetStore } from '../store.js';
import type { Connection, SqliteDatabase } from './database.js';

/** A row of `budget_account`. */
export interface AccountRow {
  key: string;
  tokens: number;
  nano_usd: number;
  calls: number;
  runs: number;
  unpriced: number;
}

/** A row of `budget_entry`. */
export interface EntryRow {
  id: string;
  run_id: string | null;
  task_id: string | null;
  agent_id: string | null;
  step_id: string | null;
  tool: string | null;
  model: string | null;
  accounts: string;
  reserved: string;
  spent: string;
  input_tokens: number | null;
  output_tokens: number | null;
  state: BudgetEntry['state'];
  estimated: number;
  at: number;
  settled_at: number | null;
}

/** What is paid for, and how far that may go. */
export function budgetMethods(database: SqliteDatabase): BudgetStore {
  return {
    reserveBudget: (entry, accounts, options) =>
      database.write((connection) => {
        if (connection.sql('SELECT 1 FROM budget_entry WHERE id = ?').get(entry.id) !== undefined)
          return null;
        const used = new Map(accounts.map(({ key }) => [key, spentOf(connection, key)]));
        const refusal = refusalOf(accounts, used, entry.amount);
        if (refusal !== null) return refusal;
        for (const { key } of accounts) addTo(connection, key, entry.amount, entry.at);
        const amount = JSON.stringify(entry.amount);
        const isFinal = options?.settled === true;
        connection
          .sql(`INSERT INTO budget_entry (id, run_id, task_id, agent_id, step_id, tool, model, accounts, reserved, spent,
              state, estimated, at, settled_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)`)
          .run(
            entry.id,
            entry.runId,
            entry.taskId,
            entry.agentId,
            entry.stepId,
            entry.tool,
            entry.model,
            JSON.stringify(accounts.map(({ key }) => key)),
            amount,
            amount,
            isFinal ? 'settled' : 'reserved',
            entry.at,
            isFinal ? entry.at : null,
          );
        return null;
      }),

    settleBudget: ({ id, spent, inputTokens, outputTokens, estimated, now }) =>
      database.write((connection) => {
        const row = connection
          .sql("SELECT * FROM budget_entry WHERE id = ? AND state = 'reserved'")
          .get(id) as EntryRow | undefined;
        if (row === undefined) return false;
        const change = differenceOf(spent, JSON.parse(row.spent) as Spend);
        for (const key of JSON.parse(row.accounts) as string[]) addTo(connection, key, change, now);
        connection
          .sql(`UPDATE budget_entry SET state = 'settled', spent = ?, input_tokens = ?, output_tokens = ?, estimated = ?,
              settled_at = ? WHERE id = ?`)
          .run(JSON.stringify(spent), inputTokens, outputTokens, estimated ? 1 : 0, now, id);
        return true;
      }),

    getSpent: (keys) =>
      database.snapshot((connection) => new Map(keys.map((key) => [key, spentOf(connection, key)]))),

    listBudgetEntries: ({ runId, limit }) =>
      database.read((connection) =>
        (
          connection
            .sql('SELECT * FROM budget_entry WHERE run_id = ? ORDER BY seq LIMIT ?')
            .all(runId, limit) as EntryRow[]
        ).map(toEntry),
      ),
  };
}

/** Forgets what was spent before an instant. @returns rows deleted. */
export function pruneBudgets(connection: Connection, before: number, limit: number): number {
  const entries = connection
    .sql(
      'DELETE FROM budget_entry WHERE seq IN (SELECT seq FROM budget_entry WHERE at < ? ORDER BY at LIMIT ?)',
    )
    .run(before, limit).changes;
  const accounts = connection
    .sql(`DELETE FROM budget_account WHERE key IN (
        SELECT key FROM budget_account WHERE updated_at < ? ORDER BY updated_at LIMIT ?)`)
    .run(before, limit - entries).changes;
  return entries + accounts;
}

function spentOf(connection: Connection, key: string): Spend {
  const row = connection.sql('SELECT * FROM budget_account WHERE key = ?').get(key) as AccountRow | undefined;
  return row === undefined ? NOTHING_SPENT : toSpend(row);
}

function addTo(connection: Connection, key: string, amount: Spend, now: number): void {
  connection
    .sql(`INSERT INTO budget_account (key, tokens, nano_usd, calls, runs, unpriced, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET tokens = tokens + excluded.tokens, nano_usd = nano_usd + excluded.nano_usd,
        calls = calls + excluded.calls, runs = runs + excluded.runs, unpriced = unpriced + excluded.unpriced,
        updated_at = excluded.updated_at`)
    .run(key, amount.tokens, amount.nanoUsd, amount.calls, amount.runs, amount.unpriced, now);
}

/** What is to be added to a sum so that it has `spent` instead of `before`. */
export const differenceOf = (spent: Spend, before: Spend): Spend =>
  addSpend(spent, {
    tokens: -before.tokens,
    nanoUsd: -before.nanoUsd,
    calls: -before.calls,
    runs: -before.runs,
    unpriced: -before.unpriced,
  });

/** The sum that a row describes. */
export const toSpend = (row: AccountRow): Spend => ({
  tokens: row.tokens,
  nanoUsd: row.nano_usd,
  calls: row.calls,
  runs: row.runs,
  unpriced: row.unpriced,
});

/** The entry that a row describes. */
export const toEntry = (row: EntryRow): BudgetEntry => ({
  id: row.id,
  runId: row.run_id,
  taskId: row.task_id,
  agentId: row.agent_id,
  stepId: row.step_id,
  tool: row.tool,
  model: row.model,
  accounts: JSON.parse(row.accounts) as string[],
  reserved: JSON.parse(row.reserved) as Spend,
  spent: JSON.parse(row.spent) as Spend,
  inputTokens: row.input_tokens,
  outputTokens: row.output_tokens,
  state: row.state,
  estimated: row.estimated === 1,
  at: row.at,
  settledAt: row.settled_at,
});
