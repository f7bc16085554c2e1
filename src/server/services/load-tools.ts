import {
  listDeliveriesForCalls,
  listRunsForCalls,
  listSpendForCalls,
  publishFromCalls,
} from '../calls-inside.js';
import { secretSettings } from '../config.js';
import { createEventPublisher } from '../event-publisher.js';
import type { Base } from './base.js';

/** What calls tools needs: catalog, callers, secrets, budgets. */
export async function loadTools({ init, store, bus, clock, logger, redactor, observations }: Base) {
  const [
    { createToolCallers },
    { builtinTools },
    { channelTools },
    { createSecretSource },
    { noteSecretUse },
    { importCatalog },
    budget,
  ] = await Promise.all([
    import('../tools/tool-callers.js'),
    import('../tools/builtin-tools.js'),
    import('../tools/channels/channel-tools.js'),
    import('../tools/secrets.js'),
    import('../tools/secret-use.js'),
    import('../tools/import.js'),
    import('../budget/open-budgets.js'),
  ]);
  const secrets = createSecretSource({
    home: init.home,
    environment: process.env,
    ...secretSettings(init.config),
    redactor,
    onUsed: noteSecretUse({ store, clock, logger }),
  });
  // Calls that need one say what is wrong; the others go on.
  await secrets
    .hideAll()
    .catch((error: Error) => logger.warn({ reason: error.message }, 'a source of secrets can not be read'));
  const publishEvent = createEventPublisher({ store, bus, clock, logger });
  const budgets = budget.openBudgets({ init, store, bus, clock, logger, observer: observations });
  const callers = createToolCallers({
    clock,
    secrets,
    redactor,
    version: init.version,
    channels: init.config.channels,
    observer: observations,
    publish: publishFromCalls(store, publishEvent),
    listRuns: listRunsForCalls(store),
    listSpend: listSpendForCalls(store, budgets),
    listDeliveries: listDeliveriesForCalls(store),
  });
  return {
    secrets,
    budgets,
    builtinTools: [...builtinTools, ...channelTools(init.config.channels)],
    callers,
    publishEvent,
    importCatalog: (document: unknown) => importCatalog(document, callers),
  };
}
