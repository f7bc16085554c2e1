import type { Base, StartedService } from './base.js';
import { loadTools } from './load-tools.js';

/** Starts what answers over HTTP, and beside it the watch over what people are to be told of. */
export async function startApi(base: Base): Promise<StartedService> {
  const { init, store, bus, clock, logger, redactor, observations, tracer } = base;
  const [{ createApi }, { LoadLimit }, { createMetrics }, { createHealth }, tools] = await Promise.all([
    import('../api/create-api.js'),
    import('../api/load-limit.js'),
    import('../telemetry/metrics.js'),
    import('../telemetry/health.js'),
    loadTools(base),
  ]);
  const { config } = init;
  const metrics = await createMetrics({
    store,
    bus,
    clock,
    logger,
    home: init.home,
    version: init.version,
    workersDesired: config.workers,
    own: observations,
  });
  const load = new LoadLimit({ lag: base.lag.start(), monotonic: () => clock.monotonic() });
  const health = createHealth({
    load: () => load.report(),
    store,
    bus,
    clock,
    config,
    metrics,
    home: init.home,
    version: init.version,
    startedAt: init.startedAt,
    fallbacks: init.fallbacks,
  });
  const { ServiceClock } = await import('../service-clock.js');
  const api = await createApi({
    load,
    store,
    bus,
    clock,
    logger,
    config,
    version: init.version,
    health,
    metrics,
    tracer,
    redactor,
    budgets: tools.budgets,
    builtinTools: tools.builtinTools,
    publishEvent: tools.publishEvent,
    callTool: (tool, input, context) => tools.callers.call(tool, input, context),
    secrets: tools.secrets,
    async dryRun(request) {
      const { dryRun } = await import('../dry-run/dry-run.js');
      return dryRun(request, {
        store,
        clock,
        redactor,
        secrets: tools.secrets,
        builtinTools: tools.builtinTools,
        callTool: (tool, input, context) => tools.callers.call(tool, input, context),
      });
    },
    importCatalog: tools.importCatalog,
    ...(clock instanceof ServiceClock ? { advanceClock: (ms: number) => clock.advance(ms, bus) } : {}),
  });
  const { url } = await api.listen({ host: config.host, port: config.port });
  const { startNotices } = await import('../notify/start-notices.js');
  const notices = startNotices({ store, bus, clock, logger, observer: observations, config });
  return {
    url,
    async stop() {
      await notices.stop();
      await api.close();
      await tools.callers.close();
      return {};
    },
  };
}
