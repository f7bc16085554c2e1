import { BUDGET_UNITS, type BudgetLimits, type BudgetUnit, perDaySchema } from '../domain/budget.js';
import { EXIT, PaoError } from '../domain/errors.js';
import { nearest } from '../domain/nearest.js';
import { Flags } from './flags.js';

/**
 * Reads `usd=2,tokens=100000`.
 * @throws PaoError (exit 2) that says what is wrong with which part.
 */
export function parseLimits(text: string): BudgetLimits {
  const limits: Partial<Record<BudgetUnit, number>> = {};
  for (const part of text.split(',').map((one) => one.trim())) {
    const [unit = '', amount = ''] = part.split('=').map((one) => one.trim());
    if (!(BUDGET_UNITS as readonly string[]).includes(unit)) {
      const near = nearest(unit, BUDGET_UNITS);
      throw wrong(
        `"${unit}" is none of ${BUDGET_UNITS.join(', ')}.`,
        near === null ? undefined : `${near}=…`,
      );
    }
    const value = amount.replace(/^\$/, '') === '' ? Number.NaN : Number(amount.replace(/^\$/, ''));
    const known = unit as BudgetUnit;
    if (!perDaySchema.safeParse({ [known]: value }).success)
      throw wrong(`"${part}" needs ${known === 'usd' ? 'an amount' : 'a whole number'}, 0 or more.`);
    limits[known] = value;
  }
  return limits;
}

const wrong = (message: string, near?: string): PaoError =>
  new PaoError('PAO_BUDGET_INVALID', message, {
    exitCode: EXIT.usage,
    hints: [
      near === undefined ? '--per-day usd=2,tokens=100000,calls=500,runs=50' : `Did you mean "${near}"?`,
    ],
  });

/** A flag that takes limits of a day. */
export const perDayFlag = Flags.custom<BudgetLimits>({
  summary: 'What it may use from midnight to midnight, such as usd=2,tokens=100000,calls=500,runs=50',
  helpValue: 'LIMITS',
  parse: async (text) => parseLimits(text),
});
