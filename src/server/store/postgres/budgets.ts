import { NOTHING_SPENT, refusalOf, type Spend } from '../../../domain/budget.js';
import { type AccountRow, differenceOf, type EntryRow, toEntry, toSpend } from '../sqlite/budgets.js';
import type { BudgetStore } from '../store.js';
import type { PostgresDatabase, Sql } from './database.js';

/** What is paid for, and how far that may go. */
export function budgetMethods(database: PostgresDatabase): BudgetStore {
  return {
    reserveBudget: (entry, accounts, options) =>
      database.transaction(async (sql) => {
        // The sums are held in the order of their keys, so that of two who want them one waits and none is stuck.
        const keys = accounts.map(({ key }) => key).sort();
        await sql.run(
          `INSERT INTO budget_account SELECT key, 0, 0, 0, 0, 0, pao_at($2) FROM unnest($1::text[]) AS key ORDER BY key
            ON CONFLICT DO NOTHING`,
          [keys, entry.at],
        );
        const rows = await sql.rows<AccountRow>(
          'SELECT * FROM budget_account WHERE key = ANY ($1) ORDER BY key FOR UPDATE',
          [keys],
        );
        if ((await sql.row('SELECT 1 FROM budget_entry WHERE id = $1', [entry.id])) !== undefined)
          return null;
        const used = new Map(rows.map((row) => [row.key, toSpend(row)]));
        const refusal = refusalOf(accounts, used, entry.amount);
        if (refusal !== null) return refusal;
        await addTo(sql, keys, entry.amount, entry.at);
        const amount = JSON.stringify(entry.amount);
        const isFinal = options?.settled === true;
        await sql.run(
          `INSERT INTO budget_entry (id, run_id, task_id, agent_id, step_id, tool, model, accounts, reserved, spent, state,
              estimated, at, settled_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, 0, pao_at($11), pao_at($12))`,
          [
            entry.id,
            entry.runId,
            entry.taskId,
            entry.agentId,
            entry.stepId,
            entry.tool,
            entry.model,
            JSON.stringify(accounts.map(({ key }) => key)),
            amount,
            isFinal ? 'settled' : 'reserved',
            entry.at,
            isFinal ? entry.at : null,
          ],
        );
        return null;
      }),

    settleBudget: ({ id, spent, inputTokens, outputTokens, estimated, now }) =>
      database.transaction(async (sql) => {
        const row = await sql.row<EntryRow>(
          "SELECT * FROM budget_entry WHERE id = $1 AND state = 'reserved' FOR UPDATE",
          [id],
        );
        if (row === undefined) return false;
        const keys = (JSON.parse(row.accounts) as string[]).sort();
        await sql.rows('SELECT 1 FROM budget_account WHERE key = ANY ($1) ORDER BY key FOR UPDATE', [keys]);
        await addTo(sql, keys, differenceOf(spent, JSON.parse(row.spent) as Spend), now);
        await sql.run(
          `UPDATE budget_entry SET state = 'settled', spent = $2, input_tokens = $3, output_tokens = $4, estimated = $5,
              settled_at = pao_at($6) WHERE id = $1`,
          [id, JSON.stringify(spent), inputTokens, outputTokens, estimated ? 1 : 0, now],
        );
        return true;
      }),

    async getSpent(keys) {
      const rows = await database.read<AccountRow>('SELECT * FROM budget_account WHERE key = ANY ($1)', [
        keys,
      ]);
      const found = new Map(rows.map((row) => [row.key, toSpend(row)]));
      return new Map(keys.map((key) => [key, found.get(key) ?? NOTHING_SPENT]));
    },

    listBudgetEntries: async ({ runId, limit }) =>
      (
        await database.read<EntryRow>('SELECT * FROM budget_entry WHERE run_id = $1 ORDER BY seq LIMIT $2', [
          runId,
          limit,
        ])
      ).map(toEntry),
  };
}

/** Forgets what was spent before an instant. @returns rows deleted. */
export async function pruneBudgets(sql: Sql, before: number, limit: number): Promise<number> {
  const entries = await sql.run(
    'DELETE FROM budget_entry WHERE seq = ANY (ARRAY(SELECT seq FROM budget_entry WHERE at < pao_at($1) ORDER BY at LIMIT $2))',
    [before, limit],
  );
  const accounts = await sql.run(
    `DELETE FROM budget_account WHERE key = ANY (ARRAY(
      SELECT key FROM budget_account WHERE updated_at < pao_at($1) ORDER BY updated_at LIMIT $2))`,
    [before, limit - entries],
  );
  return entries + accounts;
}

/** To sums that are held. */
function addTo(sql: Sql, keys: readonly string[], amount: Spend, now: number): Promise<number> {
  return sql.run(
    `UPDATE budget_account SET tokens = tokens + $2, nano_usd = nano_usd + $3, calls = calls + $4, runs = runs + $5,
        unpriced = unpriced + $6, updated_at = pao_at($7) WHERE key = ANY ($1)`,
    [keys, amount.tokens, amount.nanoUsd, amount.calls, amount.runs, amount.unpriced, now],
  );
}
