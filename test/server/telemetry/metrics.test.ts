import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/domain/clock.js';
import { MemoryBus } from '../../../src/server/bus/memory-bus.js';
import { openStore } from '../../../src/server/store/open.js';
import type { Store } from '../../../src/server/store/store.js';
import { silentLogger } from '../../../src/server/telemetry/logger.js';
import { createMetrics } from '../../../src/server/telemetry/metrics.js';

let store: Store;
beforeAll(async () => {
  store = await openStore({ url: 'sqlite::memory:', durability: 'normal' });
  await store.migrate(Date.now());
});
afterAll(() => store.close());

describe('an observation that does not fit the catalogue', () => {
  it('is dropped alone, counted, and complained of once', async () => {
    const warnings: object[] = [];
    const metrics = await createMetrics({
      store,
      bus: new MemoryBus(),
      clock: systemClock,
      logger: { ...silentLogger, warn: (fields) => warnings.push(fields) },
      version: '0',
      workersDesired: 1,
    });
    const wrongLabel = { name: 'lease_expirations_total', labels: { colour: 'red' }, values: [1] };
    metrics.record([
      wrongLabel,
      wrongLabel,
      { name: 'no_such_metric', labels: {}, values: [1] },
      { name: 'lease_expirations_total', labels: {}, values: [3] },
    ]);
    const { body } = await metrics.render();
    expect(body).toContain('orchestrator_lease_expirations_total 3');
    expect(body).toContain('orchestrator_metrics_collect_errors_total{source="bus"} 3');
    expect(warnings).toMatchObject([
      { metric: 'lease_expirations_total', labels: { colour: 'red' } },
      { metric: 'no_such_metric' },
    ]);
  });
});
