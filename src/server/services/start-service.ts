import type { Clock } from '../../domain/clock.js';
import { Redactor } from '../../domain/redact.js';
import type { Bus } from '../bus/bus.js';
import { storeSettings } from '../config.js';
import { openStore } from '../store/open.js';
import type { Store } from '../store/store.js';
import type { ServiceInit } from '../supervisor/service-messages.js';
import { createLogger } from '../telemetry/logger.js';
import { LoopLag } from '../telemetry/loop-lag.js';
import { measureStore } from '../telemetry/measured-store.js';
import { ObservationBuffer } from '../telemetry/observation-buffer.js';
import { createTracer } from '../telemetry/tracing.js';
import type { Base, RunningService } from './base.js';
import { startHeartbeat } from './heartbeat.js';
import { startEndpoint } from './own-endpoint.js';
import { startApi } from './start-api.js';
import { startScheduler } from './start-scheduler.js';
import { startWorker } from './start-worker.js';

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
