import { resolve } from 'node:path';
import type { Bus } from '../bus/bus.js';
import { tellBudgetPause } from '../notify/tell-budget.js';
import type { Store } from '../store/store.js';
import type { ServiceInit } from '../supervisor/service-messages.js';
import type { Logger } from '../telemetry/logger.js';
import { Budgets, type BudgetsOptions } from './budgets.js';
import { PriceTable } from './prices.js';

/** The budgets of one service, as it is configured; people are told of tasks that a budget pauses. */
export function openBudgets(
  options: Pick<BudgetsOptions, 'clock' | 'observer'> & {
    init: ServiceInit;
    store: Store;
    bus: Bus;
    logger: Logger;
  },
): Budgets {
  const { init, bus, logger, ...shared } = options;
  const { config, home } = init;
  const { store, clock } = shared;
  return new Budgets({
    ...shared,
    prices: new PriceTable(resolve(home, config.prices ?? 'prices.yaml')),
    global: config.budget,
    timezone: config.timezone ?? 'UTC',
    onPaused: tellBudgetPause({ store, bus, logger, now: () => clock.now(), notify: config.notify }),
  });
}
