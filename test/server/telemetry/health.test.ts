import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/domain/clock.js';
import { MemoryBus } from '../../../src/server/bus/memory-bus.js';
import { configSchema } from '../../../src/server/config.js';
import { openStore } from '../../../src/server/store/open.js';
import type { Store } from '../../../src/server/store/store.js';
import { createHealth } from '../../../src/server/telemetry/health.js';
import { silentLogger } from '../../../src/server/telemetry/logger.js';
import { createMetrics } from '../../../src/server/telemetry/metrics.js';

let store: Store;
let home: string;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'pao-health-'));
  store = await openStore({ url: 'sqlite::memory:', durability: 'normal' });
  await store.migrate(Date.now());
});
afterAll(async () => {
  await store.close();
  rmSync(home, { recursive: true });
});

async function create() {
  const clock = new VirtualClock('2026-11-26T08:00:00Z');
  const shared = { store, bus: new MemoryBus(), clock, logger: silentLogger, version: '0' };
  const metrics = await createMetrics({ ...shared, workersDesired: 0 });
  const health = createHealth({
    ...shared,
    metrics,
    config: configSchema.parse({ port: 0 }),
    home,
    startedAt: clock.now(),
    fallbacks: [],
  });
  return {
    metrics,
    async look(name: string, afterMs = 2000) {
      clock.advance(afterMs);
      const { checks } = await health.report();
      return checks.find((check) => check.name === name);
    },
    clock,
  };
}

it('tells for a minute of a disk that failed a write of any process, also when nobody looked at that moment', async () => {
  const { metrics, look } = await create();
  expect(await look('store')).toMatchObject({ status: 'pass' });
  metrics.record([
    { name: 'database_errors_total', labels: { operation: 'heartbeat', error_type: 'io' }, values: [1] },
  ]);
  expect(await look('store', 10_000)).toMatchObject({
    status: 'fail',
    message: 'the disk failed a read or write 10s ago: what was not safe was refused',
    hint: 'pao doctor --only database',
    doc: 'docs/runbooks/OrchestratorDatabaseErrors.md',
  });
  // Another series that rises less often counts as well.
  metrics.record([
    { name: 'database_errors_total', labels: { operation: 'write', error_type: 'corrupt' }, values: [1] },
  ]);
  expect(await look('store', 55_000)).toMatchObject({ status: 'fail' });
  expect(await look('store', 5000)).toMatchObject({ status: 'pass' });
});

it('takes a database that is only busy, full or slow for no failure of its disk', async () => {
  const { metrics, look } = await create();
  for (const error_type of ['busy', 'timeout', 'connection', 'constraint', 'disk_full', 'other'])
    metrics.record([
      { name: 'database_errors_total', labels: { operation: 'write', error_type }, values: [1] },
    ]);
  expect(await look('store')).toMatchObject({ status: 'pass' });
});

it('forgets an audit record that could not be written, and a clock that jumped, by their own time', async () => {
  const { metrics, look } = await create();
  metrics.observer.add('audit_append_failures_total');
  metrics.observer.add('clock_jumps_total', { direction: 'backward' });
  expect(await look('audit')).toMatchObject({ status: 'fail' });
  expect(await look('clock')).toMatchObject({ status: 'warn', message: expect.stringContaining('jumped') });
  expect(await look('audit', 60_000)).toMatchObject({ status: 'pass' });
  expect(await look('clock')).toMatchObject({ status: 'warn' });
  expect(await look('clock', 600_000)).toMatchObject({ status: 'pass' });
});
