/**
 * What metrics cost: taking a movement down (to the registry, of the same process), and a scrape that reads the store
 * anew, with the series of an idle system and with those of 100 tools. Run with `npm run bench metrics`; prints one
 * JSON document.
 */
import { VirtualClock } from '../src/domain/clock.js';
import { MemoryBus } from '../src/server/bus/memory-bus.js';
import { openStore } from '../src/server/store/open.js';
import { silentLogger } from '../src/server/telemetry/logger.js';
import { createMetrics } from '../src/server/telemetry/metrics.js';
import { ObservationBuffer } from '../src/server/telemetry/observation-buffer.js';
import { machine } from '../src/checks/bench/running-system.js';

const RECORDS = Number(process.env['PAO_BENCH_RECORDS'] ?? 200_000);
const ROUNDS = Number(process.env['PAO_BENCH_ROUNDS'] ?? 200);
/** What a worker has to send at a time when it is busy. */
const BATCH = 100;
/** Longer than values read from the store are good for. */
const STALE_MS = 1001;

const before = machine();
const clock = new VirtualClock(Date.now());
const store = await openStore({ url: 'sqlite::memory:', durability: 'normal' });
try {
  await store.migrate(clock.now());
  const metrics = await createMetrics({
    store,
    bus: new MemoryBus(),
    clock,
    logger: silentLogger,
    version: '0',
    workersDesired: 1,
  });
  const idle = await scrape();
  const buffer = new ObservationBuffer((all) => metrics.record(all));
  const counter = microseconds((index) => {
    buffer.add('step_success_total', { tool: 'debug.echo' });
    if (index % BATCH === 0) buffer.flush();
  });
  const histogram = microseconds((index) => {
    buffer.observe('step_duration_seconds', { outcome: 'success' }, 0.01);
    if (index % BATCH === 0) buffer.flush();
  });
  buffer.flush();
  for (let index = 0; index < 100; index++)
    metrics.observer.observe(
      'external_tool_duration_seconds',
      { tool: `tool.${index}`, protocol: 'http' },
      0.1,
    );
  const busy = await scrape();
  console.log(
    JSON.stringify(
      {
        bench: 'metrics',
        node: process.version,
        machine: { before, after: machine() },
        record_us: { counter, histogram },
        scrape: { idle, tools_100: busy },
      },
      null,
      2,
    ),
  );

  async function scrape(): Promise<Record<string, number>> {
    const times: number[] = [];
    let body = '';
    for (let index = 0; index < ROUNDS; index++) {
      clock.advance(STALE_MS);
      const began = performance.now();
      ({ body } = await metrics.render());
      times.push(performance.now() - began);
    }
    const sorted = times.toSorted((a, b) => a - b);
    const at = (part: number) => round(sorted[Math.floor((sorted.length - 1) * part)] ?? 0);
    return {
      series: body.match(/^[^#\n]/gm)?.length ?? 0,
      bytes: Buffer.byteLength(body),
      p50_ms: at(0.5),
      p99_ms: at(0.99),
    };
  }
} finally {
  await store.close();
}

/** Mean time of one call, microseconds. */
function microseconds(work: (index: number) => void): number {
  for (let index = 1; index <= RECORDS / 10; index++) work(index);
  const began = performance.now();
  for (let index = 1; index <= RECORDS; index++) work(index);
  return round(((performance.now() - began) * 1000) / RECORDS);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
