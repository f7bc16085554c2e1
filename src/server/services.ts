import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../domain/clock.js';
import { parseDuration } from '../domain/duration.js';
import { LIMITS } from '../domain/observability/limits.js';
import { Redactor } from '../domain/redact.js';
import type { Bus } from './bus/bus.js';
import { secretSettings, storeSettings } from './config.js';
import { listRunsForCalls, publishFromCalls } from './calls-inside.js';
import { createEventPublisher } from './event-publisher.js';
import { openStore } from './store/open.js';
import type { Store } from './store/store.js';
import type { ServiceInit } from './supervisor/service-messages.js';
import { createLogger, type Logger } from './telemetry/logger.js';
import { LoopLag } from './telemetry/loop-lag.js';
import { measureStore } from './telemetry/measured-store.js';
import { ObservationBuffer } from './telemetry/observation-buffer.js';
import type { ServiceEndpoint } from './telemetry/service-endpoint.js';
import { createTracer, type Tracer } from './telemetry/tracing.js';

/** A service that runs, in a process of its own or beside others. */
export interface RunningService {
  url?: string;
  stop(graceMs: number): Promise<Record<string, number>>;
}

/** What all services of one process share. */
interface Base {
  init: ServiceInit;
  store: Store;
  bus: Bus;
  clock: Clock;
  logger: Logger;
  redactor: Redactor;
  /** What this process says about itself; it goes to the registry, wherever that is. */
  observations: ObservationBuffer;
  tracer: Tracer | null;
  /** How late the event loop is; a service that wants to know starts it. */
  lag: LoopLag;
  /** The longest call of the store since it was asked for the last time, milliseconds. */
  takeSlowestMs: () => number;
}

const HEARTBEAT_MS = 5000;
const CAUGHT_UP_WITHIN_MS = 10_000;

/**
 * Starts one service.
 * @param shared a store to use instead of opening one: `--in-process` and `:memory:` databases.
 */
export async function startService(
  init: ServiceInit,
  bus: Bus,
  clock: Clock,
  shared?: Store,
): Promise<RunningService> {
  const redactor = new Redactor();
  const observations = new ObservationBuffer((batch) => bus.publish('metrics', { observations: batch }), {
    from: init.slot,
  });
  const [logger, opened, tracer] = await Promise.all([
    createLogger({
      service: init.slot,
      level: init.config.log_level,
      redact(line) {
        const clean = redactor.redactText(line);
        if (clean !== line) observations.add('secret_redactions_total', { sink: 'log' });
        return clean;
      },
      onLine: (level) => observations.add('log_messages_total', { level }),
    }),
    shared ?? openStore({ url: init.databaseUrl, ...storeSettings(init.config) }),
    createTracer({
      service: init.slot,
      version: init.version,
      env: process.env,
      redactor,
      observer: observations,
    }),
  ]);
  let slowestMs = 0;
  const store = measureStore(
    opened,
    observations,
    () => clock.monotonic(),
    (ms) => {
      slowestMs = Math.max(slowestMs, ms);
    },
  );
  const takeSlowestMs = () => {
    const ms = slowestMs;
    slowestMs = 0;
    return ms;
  };
  const lag = new LoopLag(() => clock.monotonic());
  const base: Base = { init, store, bus, clock, logger, redactor, observations, tracer, lag, takeSlowestMs };
  const starters = { api: startApi, scheduler: startScheduler, worker: startWorker };
  const service = await starters[init.kind](base);
  const heart = startHeartbeat(base, service);
  let isStopping = false;
  const endpoint = await startEndpoint(base, service, () => isStopping);
  return {
    ...service,
    ...(endpoint === null ? {} : { url: endpoint.url }),
    async stop(graceMs) {
      isStopping = true;
      lag.stop();
      const summary = await service.stop(graceMs);
      await heart.stop();
      await endpoint?.close();
      observations.flush();
      await tracer?.close().catch((error: unknown) => logger.warn({ err: error }, 'spans could not be sent'));
      if (shared === undefined) await store.close();
      return summary;
    },
  };
}

interface StartedService extends RunningService {
  slots?: () => { total: number; busy: number };
  /** When it last looked at its work, monotonic milliseconds; left out by one that does not look again and again. */
  lastLook?: () => number;
}

/** Signs of life, and a good-bye: what was stopped on purpose is not missed. */
function startHeartbeat(
  { init, store, clock, logger }: Base,
  service: StartedService,
): { stop(): Promise<void> } {
  const startedAt = clock.now();
  let written: Promise<void> = Promise.resolve();
  const beat = () => {
    written = store
      .heartbeat({
        id: init.workerId,
        kind: init.kind,
        slot: init.place ?? init.slot,
        pid: process.pid,
        host: hostname(),
        version: init.version,
        tags: init.config.worker_tags,
        startedAt,
        lastSeenAt: clock.now(),
        slotsTotal: service.slots?.().total ?? 0,
        slotsBusy: service.slots?.().busy ?? 0,
      })
      .catch((error: unknown) => logger.warn({ err: error }, 'the heartbeat could not be written'));
  };
  beat();
  const timer = setInterval(beat, HEARTBEAT_MS);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await written;
      // The last sign of the API tells when the system was last there.
      if (init.kind !== 'api')
        await store
          .forgetWorker(init.workerId)
          .catch((error: unknown) => logger.warn({ err: error }, 'the good-bye could not be written'));
    },
  };
}

/** What tells of a service that runs on its own; under a supervisor its metrics are in the API's. */
async function startEndpoint(
  base: Base,
  { lastLook }: StartedService,
  isStopping: () => boolean,
): Promise<ServiceEndpoint | null> {
  const { init, store, bus, clock, logger, observations } = base;
  if (init.endpoint === undefined || init.kind === 'api') return null;
  const [{ startServiceEndpoint }, { createMetrics }, { pingInTime }] = await Promise.all([
    import('./telemetry/service-endpoint.js'),
    import('./telemetry/metrics.js'),
    import('./telemetry/health.js'),
  ]);
  const { config, home, version } = init;
  const metrics = await createMetrics({ store, bus, clock, logger, home, version, own: observations });
  return startServiceEndpoint(init.endpoint, {
    store,
    clock,
    logger,
    config,
    metrics,
    async notReady() {
      if (isStopping()) return 'it is stopping';
      const silent = lastLook === undefined ? 0 : (clock.monotonic() - lastLook()) / 1000;
      if (silent > LIMITS.schedulerTickFailSeconds)
        return `no look at what is due for ${Math.round(silent)} s`;
      return (await pingInTime(store)) ? null : 'the database does not answer';
    },
  });
}

async function startScheduler(base: Base): Promise<StartedService> {
  const { init, store, bus, clock, logger, observations, tracer } = base;
  const [{ Scheduler }, { applyZoneDatabase }, { timeZoneDatabaseVersion }] = await Promise.all([
    import('./scheduler/scheduler.js'),
    import('./scheduler/zone-database.js'),
    import('../domain/recurrence/index.js'),
  ]);
  const { config } = init;
  const ping = await startSchedulerPing(base);
  let lookedAt = clock.monotonic();
  const scheduler = new Scheduler({
    store,
    bus,
    clock,
    logger,
    observations,
    tracer,
    onPass() {
      lookedAt = clock.monotonic();
      ping?.beat();
    },
    misfireAfterMs: parseDuration(config.misfire_after),
    staggerMs: 1000 / config.catchup_per_second,
  });
  await applyZoneDatabase({ store, clock, logger, version: timeZoneDatabaseVersion() });
  const { startRetention } = await import('./scheduler/retention.js');
  const retention = startRetention({ store, clock, logger, config });
  scheduler.start();
  // So that the start can say what it found; a store that is slow to answer does not hold up the start.
  await Promise.race([scheduler.caughtUp, pause(CAUGHT_UP_WITHIN_MS, undefined, { ref: false })]);
  return {
    lastLook: () => lookedAt,
    async stop() {
      retention.stop();
      await scheduler.stop();
      return {};
    },
  };
}

async function startWorker(base: Base): Promise<StartedService> {
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
    { RunTokens },
    { tellTrouble },
  ] = await Promise.all([
    import('./worker/worker.js'),
    import('./worker/adapt-concurrency.js'),
    import('./worker/run-executor.js'),
    import('./worker/tool-catalog.js'),
    import('./worker/lease-keeper.js'),
    loadTools(base),
    import('./deliver/start-delivering.js'),
    import('./deliver/questions/question-desk.js'),
    import('./tools/run-token.js'),
    import('./notify/tell-trouble.js'),
  ]);
  const { config } = init;
  const leaseMs = parseDuration(config.lease);
  const catalog = new ToolCatalog({ store, builtin: tools.builtinTools, monotonic: () => clock.monotonic() });
  const desk = new QuestionDesk({
    store,
    bus,
    clock,
    logger,
    observer: observations,
    owner: init.workerId,
    channels: config.channels,
    timezone: config.timezone ?? 'UTC',
    openBot: (channel, agent) => tools.callers.openBot(channel, agent),
  });
  desk.start();
  const deliverer = startDelivering({
    store,
    bus,
    clock,
    logger,
    observer: observations,
    owner: init.workerId,
    onTrouble: tellTrouble({ store, bus, now: () => clock.now(), notify: config.notify }),
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
    const token = await runTokens.mint(runId);
    redactor.register(token);
    return token;
  };
  const executor = new RunExecutor({
    budgets: tools.budgets,
    store,
    clock,
    logger,
    onMessage: () => deliverer.wake(),
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
    ping: (url) =>
      void tools.callers
        .fetchText(url, config.notify.grants, {})
        .catch((error: unknown) => logger.warn({ err: error }, 'the dead-man ping of a task did not arrive')),
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

async function startApi(base: Base): Promise<StartedService> {
  const { init, store, bus, clock, logger, redactor, observations, tracer } = base;
  const [{ createApi }, { LoadLimit }, { createMetrics }, { createHealth }, tools] = await Promise.all([
    import('./api/create-api.js'),
    import('./api/load-limit.js'),
    import('./telemetry/metrics.js'),
    import('./telemetry/health.js'),
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
  const { ServiceClock } = await import('./service-clock.js');
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
      const { dryRun } = await import('./dry-run/dry-run.js');
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
  const { startFailureWatch } = await import('./notify/start-failure-watch.js');
  const watch = startFailureWatch({
    store,
    bus,
    clock,
    logger,
    observer: observations,
    notify: config.notify,
  });
  return {
    url,
    async stop() {
      await watch.stop();
      await api.close();
      await tools.callers.close();
      return {};
    },
  };
}

/** A dead-man switch for the scheduler, when one is configured; only then does it load what calls tools. */
async function startSchedulerPing(base: Base) {
  const { scheduler_ping: settings } = base.init.config;
  if (settings === undefined) return null;
  const [{ DeadManPing }, { targetOf }, { callers }] = await Promise.all([
    import('./notify/dead-man-ping.js'),
    import('./tools/egress-guard.js'),
    loadTools(base),
  ]);
  const { clock, logger } = base;
  return new DeadManPing({
    url: settings.url,
    everyMs: parseDuration(settings.every),
    monotonic: () => clock.monotonic(),
    logger,
    ping: async (url) => void (await callers.fetchText(url, [targetOf(new URL(url))], {})),
  });
}

async function loadTools({ init, store, bus, clock, logger, redactor, observations }: Base) {
  const [
    { createToolCallers },
    { builtinTools },
    { channelTools },
    { createSecretSource },
    { noteSecretUse },
    { importCatalog },
    budget,
  ] = await Promise.all([
    import('./tools/tool-callers.js'),
    import('./tools/builtin-tools.js'),
    import('./tools/channels/channel-tools.js'),
    import('./tools/secrets.js'),
    import('./tools/secret-use.js'),
    import('./tools/import.js'),
    import('./budget/open-budgets.js'),
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
  const callers = createToolCallers({
    clock,
    secrets,
    redactor,
    version: init.version,
    channels: init.config.channels,
    observer: observations,
    publish: publishFromCalls(store, publishEvent),
    listRuns: listRunsForCalls(store),
  });
  return {
    secrets,
    budgets: budget.openBudgets({ init, store, bus, clock, logger, observer: observations }),
    builtinTools: [...builtinTools, ...channelTools(init.config.channels)],
    callers,
    publishEvent,
    importCatalog: (document: unknown) => importCatalog(document, callers),
  };
}

/** The built file beside the service's own, or the source when run from source (tests). */
function leaseKeeperEntry(): string {
  const folder = typeof __dirname === 'string' ? __dirname : import.meta.dirname;
  return join(folder, 'lease-keeper.cjs');
}
