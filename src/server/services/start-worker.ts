import { join } from 'node:path';
import { parseDuration } from '../../domain/duration.js';
import { storeSettings } from '../config.js';
import type { Base, StartedService } from './base.js';
import { loadTools } from './load-tools.js';

/** Starts what does the work: runs, their leases, and the messages they leave. */
export async function startWorker(base: Base): Promise<StartedService> {
  const { init, store, bus, clock, logger, redactor, observations, tracer } = base;
  const [
    { Worker },
    { startAdapting },
    { RunExecutor },
    { ToolCatalog },
    keeper,
    tools,
    { startDelivering },
    { QuestionDesk },
    { RUN_TOKEN_FORMS, RunTokens },
    { tellTrouble },
    { tellLeftOut },
    { TaskPings },
  ] = await Promise.all([
    import('../worker/worker.js'),
    import('../worker/adapt-concurrency.js'),
    import('../worker/run-executor.js'),
    import('../worker/tool-catalog.js'),
    import('../worker/lease-keeper.js'),
    loadTools(base),
    import('../deliver/start-delivering.js'),
    import('../deliver/questions/question-desk.js'),
    import('../tools/run-token.js'),
    import('../notify/tell-trouble.js'),
    import('../notify/tell-budget.js'),
    import('../worker/task-pings.js'),
  ]);
  const { config } = init;
  const leaseMs = parseDuration(config.lease);
  const catalog = new ToolCatalog({ store, builtin: tools.builtinTools, monotonic: () => clock.monotonic() });
  const messaging = { store, bus, clock, logger, observer: observations, owner: init.workerId };
  const desk = new QuestionDesk({
    ...messaging,
    channels: config.channels,
    timezone: config.timezone ?? 'UTC',
    openBot: (channel, agent) => tools.callers.openBot(channel, agent),
  });
  desk.start();
  const deliverer = startDelivering({
    ...messaging,
    onTrouble: tellTrouble({ store, bus, logger, now: () => clock.now(), notify: config.notify }),
    config,
    secrets: tools.secrets,
    expectAnswer: (delivery) => desk.expect(delivery),
    async findTool(address) {
      await catalog.refresh();
      return catalog.find(address) ?? catalog.findNew(address);
    },
    callTool: (tool, input, context) => tools.callers.call(tool, input, context),
  });
  const runTokens = new RunTokens(store);
  const mint = async (runId: string) => {
    redactor.registerForm(RUN_TOKEN_FORMS);
    return runTokens.mint(runId);
  };
  const executor = new RunExecutor({
    budgets: tools.budgets,
    store,
    clock,
    logger,
    onMessage: () => deliverer.wake(),
    onLeftOut: tellLeftOut({ store, bus, logger, now: () => clock.now(), notify: config.notify }),
    ask: { channel: config.notify.approvals, publicUrl: config.public_url },
    catalog,
    redactor,
    secrets: tools.secrets,
    random: Math.random,
    tracer,
    onRunStarted: () => bus.publish('work', { count: 1 }),
    callTool: (tool, input, context) =>
      tools.callers.call(tool, input, {
        ...context,
        ...(context.runId === undefined ? {} : { runToken: () => mint(context.runId as string) }),
      }),
  });
  const worker = new Worker({
    store,
    bus,
    clock,
    logger,
    executor,
    workerId: init.workerId,
    concurrency: config.worker_concurrency,
    leaseMs,
    tags: config.worker_tags,
    onLeased: (runIds) => leases.hold(runIds),
    observations,
    tracer,
    pings: new TaskPings({ get: (url) => tools.callers.fetchText(url, config.notify.grants, {}), logger }),
  });
  const common = {
    workerId: init.workerId,
    leaseMs,
    held: () => worker.held(),
    onCancel: (runIds: string[]) => worker.cancel(runIds),
    onRenewed: (count: number) => observations.add('lease_renewals_total', { outcome: 'ok' }, count),
    onError: (message: string) => logger.warn({ reason: message }, 'leases could not be renewed'),
  };
  const isMemory = init.databaseUrl.includes(':memory:');
  const leases = isMemory
    ? keeper.startInProcessKeeper({ ...common, store, now: () => clock.now() })
    : keeper.startLeaseKeeper({
        ...common,
        entry: leaseKeeperEntry(),
        databaseUrl: init.databaseUrl,
        postgres: { ...storeSettings(config).postgres, poolSize: 1 },
        stuckAfterMs: 120_000,
        clockOffsetMs: init.clockOffsetMs ?? 0,
      });
  bus.subscribe('clock', ({ offsetMs }) => leases.setClockOffset(offsetMs));
  worker.start();
  const stopAdapting = startAdapting({
    worker,
    max: config.worker_concurrency,
    lag: base.lag,
    takeSlowestMs: base.takeSlowestMs,
    clock,
    logger,
  });
  return {
    slots: () => ({ total: worker.concurrency, busy: worker.busy }),
    async stop(graceMs) {
      stopAdapting();
      const summary = await worker.stop(graceMs);
      await deliverer.stop(graceMs);
      await desk.stop();
      await leases.stop();
      await tools.callers.close();
      return { finished: summary.finished, handed_back: summary.handedBack };
    },
  };
}

/** The built file beside the service's own, or the source when run from source (tests). */
function leaseKeeperEntry(): string {
  const folder = typeof __dirname === 'string' ? __dirname : import.meta.dirname;
  return join(folder, 'lease-keeper.cjs');
}
