import { unitWords, usdWords } from '../../domain/budget-words.js';
import type { Output } from '../output.js';
import { visible } from '../visible.js';
import { type Amount, SCOPES, type SimulationCosts } from './simulation-costs.js';

/** Costs and budgets for people; nothing where no model is asked and no budget holds. */
export function showCosts(costs: SimulationCosts, out: Output, limit: number): void {
  const { tasks, budgets, budget_hits: hits, paused, days, unknown_prices: unknown, timezone } = costs;
  if (hits.length + paused.length > 0) out.line();
  for (const { task, words } of hits) out.line(`${task}: ${words}.`);
  for (const { words } of paused) out.line(visible(words));
  if (tasks.length === 0 && budgets.length === 0) return;
  const money = ({ tokens, usd }: Amount) => (usd === null ? '?' : tokens === 0 ? '' : usdWords(usd));
  const count = (value: number) => value.toLocaleString('en-US');
  if (tasks.length > 0) {
    out.line();
    out.table(tasks, [
      { header: 'COSTS', value: ({ task }) => task },
      { header: 'RUNS', value: ({ runs }) => runs, align: 'right' },
      { header: 'TOKENS', value: ({ tokens }) => count(tokens), align: 'right' },
      { header: 'USD', value: money, align: 'right' },
      {
        header: 'A RUN',
        value: ({ per_run: one }) =>
          `${count(one.tokens)}${one.usd === null ? '' : `, ${usdWords(one.usd)}`}`,
        align: 'right',
      },
      { header: 'HOW IT IS KNOWN', value: ({ basis_words: words }) => words },
    ]);
    const total = costs.usd === null ? '' : `, ${usdWords(costs.usd)}`;
    out.line(`In all ${unitWords('tokens', costs.tokens)}${total}.`);
    if (unknown.length > 0)
      out.note(
        `Tokens only: the price of ${unknown.join(', ')} is not known (prices.yaml in the data directory; with --file also --prices).`,
      );
  }
  if (budgets.length > 0) {
    out.line();
    out.table(budgets, [
      {
        header: 'BUDGET A DAY',
        value: ({ scope, name }) => (name === null ? 'all agents' : `${SCOPES[scope][0]} ${name}`),
      },
      { header: 'BUSIEST', value: ({ busiest_day: day }) => day },
      { header: 'USED', value: ({ words }) => words },
    ]);
  }
  out.line();
  out.table(days.slice(0, limit), [
    { header: `DAY (${timezone})`, value: ({ day }) => day },
    { header: 'DUE', value: ({ due }) => due, align: 'right' },
    { header: 'RAN', value: ({ ran }) => ran, align: 'right' },
    { header: 'SKIPPED', value: ({ skipped }) => skipped, align: 'right' },
    { header: 'TOKENS', value: ({ tokens }) => count(tokens), align: 'right' },
    { header: 'USD', value: money, align: 'right' },
  ]);
  if (days.length > limit) out.line(`${days.length - limit} more days: --limit ${days.length}, or --json`);
}
