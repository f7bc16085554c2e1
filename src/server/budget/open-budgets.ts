import { resolve } from 'node:path';
import type { ServiceInit } from '../supervisor/service-messages.js';
import { Budgets, type BudgetsOptions } from './budgets.js';
import { PriceTable } from './prices.js';

/** The budgets of one service, as it is configured. */
export function openBudgets(
  options: Pick<BudgetsOptions, 'store' | 'clock' | 'observer'> & { init: ServiceInit },
): Budgets {
  const { init, ...shared } = options;
  const { config, home } = init;
  return new Budgets({
    ...shared,
    prices: new PriceTable(resolve(home, config.prices ?? 'prices.yaml')),
    global: config.budget,
    timezone: config.timezone ?? 'UTC',
  });
}
