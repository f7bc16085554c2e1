import { amountOf, BUDGET_UNITS, type BudgetLimits, type BudgetUnit, type Spend } from './budget.js';
import { NANO_USD } from './money.js';

/** An amount of one unit: `1,234 tokens`, `$0.05`, `1 call`. */
export function unitWords(unit: BudgetUnit, amount: number): string {
  if (unit === 'usd') return usdWords(amount);
  return `${amount.toLocaleString('en-US')} ${amount === 1 ? unit.slice(0, -1) : unit}`;
}

/** Dollars with as many digits as they need: `$0.05`, `$0.000123`, `$12.50`. */
export function usdWords(usd: number): string {
  if (usd === 0) return '$0';
  if (usd < 1 / NANO_USD) return '< $0.000000001';
  const digits = usd >= 1 ? 2 : Math.min(9, Math.max(2, 2 - Math.floor(Math.log10(usd))));
  const text = usd.toFixed(digits);
  // Cents stay two digits; what follows them goes when it is nothing.
  return `$${text.includes('.') ? text.replace(/(\.\d\d\d*?)0+$/, '$1') : text}`;
}

/** What was spent: `576 tokens, $0.0012, 1 call`; what was not is left out. */
export function spendWords(spend: Spend): string {
  const parts = [
    ...(spend.tokens === 0 ? [] : [unitWords('tokens', spend.tokens)]),
    ...(spend.nanoUsd === 0 ? [] : [usdWords(spend.nanoUsd / NANO_USD)]),
    ...(spend.calls === 0 ? [] : [unitWords('calls', spend.calls)]),
    ...(spend.runs === 0 ? [] : [unitWords('runs', spend.runs)]),
    ...(spend.unpriced === 0 ? [] : [`${unitWords('calls', spend.unpriced)} of unknown price`]),
  ];
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}

/** What was used of each limit: `$0.05 of $0.10, 3 runs of 24 runs`; without limits, what was used. */
export function usedWords(limits: BudgetLimits, used: Spend): string {
  const bounds = BUDGET_UNITS.flatMap((unit) => {
    const limit = limits[unit];
    return limit === undefined
      ? []
      : [`${unitWords(unit, amountOf(used, unit))} of ${unitWords(unit, limit)}`];
  });
  return bounds.length === 0 ? spendWords(used) : bounds.join(', ');
}
