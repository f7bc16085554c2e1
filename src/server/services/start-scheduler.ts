import { setTimeout as pause } from 'node:timers/promises';
import { parseDuration } from '../../domain/duration.js';
import type { Base, StartedService } from './base.js';
import { loadTools } from './load-tools.js';

const CAUGHT_UP_WITHIN_MS = 10_000;

/** Starts what finds due work. */
export async function startScheduler(base: Base): Promise<StartedService> {
  const { init, store, bus, clock, logger, observations, tracer } = base;
  const [{ Scheduler }, { applyZoneDatabase }, { timeZoneDatabaseVersion }] = await Promise.all([
    import('../scheduler/scheduler.js'),
    import('../scheduler/zone-database.js'),
    import('../../domain/recurrence/index.js'),
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
  const { startRetention } = await import('../scheduler/retention.js');
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

/** A dead-man switch for the scheduler, when one is configured; only then does it load what calls tools. */
async function startSchedulerPing(base: Base) {
  const { scheduler_ping: settings } = base.init.config;
  if (settings === undefined) return null;
  const [{ DeadManPing }, { targetOf }, { callers }] = await Promise.all([
    import('../notify/dead-man-ping.js'),
    import('../tools/egress-guard.js'),
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
