import { LIMITS } from '../../domain/observability/limits.js';
import type { ServiceEndpoint } from '../telemetry/service-endpoint.js';
import type { Base, StartedService } from './base.js';

/** What tells of a service that runs on its own; under a supervisor its metrics are in the API's. */
export async function startEndpoint(
  base: Base,
  { lastLook }: StartedService,
  isStopping: () => boolean,
): Promise<ServiceEndpoint | null> {
  const { init, store, bus, clock, logger, observations } = base;
  if (init.endpoint === undefined || init.kind === 'api') return null;
  const [{ startServiceEndpoint }, { createMetrics }, { pingInTime }] = await Promise.all([
    import('../telemetry/service-endpoint.js'),
    import('../telemetry/metrics.js'),
    import('../telemetry/health.js'),
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
