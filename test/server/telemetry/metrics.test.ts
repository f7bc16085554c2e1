import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock, VirtualClock } from '../../../src/domain/clock.js';
import { closedSeries, MAX_SERIES, METRICS } from '../../../src/domain/observability/catalogue.js';
import { operations } from '../../../src/server/api/create-api.js';
import { MemoryBus } from '../../../src/server/bus/memory-bus.js';
import { openStore } from '../../../src/server/store/open.js';
import type { Store } from '../../../src/server/store/store.js';
import { silentLogger } from '../../../src/server/telemetry/logger.js';
import { createMetrics } from '../../../src/server/telemetry/metrics.js';
import { ObservationBuffer } from '../../../src/server/telemetry/observation-buffer.js';

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

describe('the registry', () => {
  const create = (over: Partial<Parameters<typeof createMetrics>[0]> = {}) =>
    createMetrics({
      store,
      bus: new MemoryBus(),
      clock: systemClock,
      logger: silentLogger,
      version: '0',
      workersDesired: 1,
      ...over,
    });

  it('has every metric of the catalogue with its help and type, and no other of ours', async () => {
    const { body } = await (await create()).render();
    const described = [...body.matchAll(/^# HELP orchestrator_(\S+) (.*)\n# TYPE \S+ (\S+)$/gm)].map(
      ([, name, help, type]) => ({ name, help, type }),
    );
    expect(described).toEqual(METRICS.map(({ name, help, type }) => ({ name, help, type })));
  });

  it('begins each counter at 0 for every value its labels can have', async () => {
    const { body } = await (await create()).render();
    expect(body).toContain('orchestrator_runs_total{outcome="dead",trigger="catchup"} 0');
    for (const metric of METRICS.filter(({ type }) => type === 'counter')) {
      const series = closedSeries(metric) ?? [];
      const found = body
        .split('\n')
        .filter((line) => new RegExp(`^orchestrator_${metric.name}[{ ]`).test(line));
      expect([metric.name, found.length]).toEqual([metric.name, series.length]);
    }
    expect(body.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length).toBeLessThan(320);
  });

  it('leaves out what can not be read, says so, and reads a second time at most each second', async () => {
    let answers = true;
    let asked = 0;
    const broken = new Proxy(store, {
      get: (target, name) =>
        name === 'stats'
          ? (now: number) => {
              asked += 1;
              return answers ? target.stats(now) : Promise.reject(new Error('gone'));
            }
          : Reflect.get(target, name, target),
    });
    const clock = new VirtualClock(Date.now());
    const metrics = await create({ store: broken, clock });
    expect((await metrics.render()).body).toContain('orchestrator_due_work_queue_depth 0');
    answers = false;
    expect((await metrics.render()).body).toContain('orchestrator_due_work_queue_depth 0');
    expect(asked).toBe(1);
    clock.advance(1001);
    const { body } = await metrics.render();
    expect(body).not.toMatch(/^orchestrator_due_work_queue_depth /m);
    expect(body).not.toMatch(/^orchestrator_tasks\{/m);
    expect(body).toContain('orchestrator_database_up{backend="sqlite"} 0');
    expect(body).toContain('orchestrator_metrics_collect_errors_total{source="db"} 1');
    answers = true;
    clock.advance(1001);
    expect((await metrics.render()).body).toContain('orchestrator_due_work_queue_depth 0');
  });

  it('stays within its bound with a hundred tools that sometimes fail, and every route in use', async () => {
    const metrics = await create();
    const { observer } = metrics;
    for (let index = 0; index < 150; index++) {
      const tool = `tool.${index}`;
      observer.add('step_success_total', { tool });
      observer.observe('external_tool_duration_seconds', { tool, protocol: 'http' }, 0.1);
      for (const outcome of ['ok', ...(index % 10 === 0 ? ['timeout', 'http_5xx'] : [])])
        observer.add('external_tool_calls_total', { tool, protocol: 'http', outcome });
      if (index % 10 === 0) observer.add('step_failure_total', { tool, reason: 'timeout' });
    }
    for (const { method, path: route } of operations.filter((_, index) => index % 2 === 0)) {
      observer.add('http_requests_total', { method, route, status_code: '200' });
      observer.observe('http_request_duration_seconds', { method, route }, 0.1);
    }
    const { body } = await metrics.render();
    expect(body.match(/^[^#\n]/gm)?.length).toBeLessThan(MAX_SERIES);
  });

  it('keeps tools beyond the 100th under one name', async () => {
    const metrics = await create();
    for (let index = 0; index < 250; index++)
      metrics.observer.add('step_success_total', { tool: `tool.${index}` });
    const { body } = await metrics.render();
    expect(body.match(/^orchestrator_step_success_total\{/gm)).toHaveLength(101);
    expect(body).toContain('orchestrator_step_success_total{tool="other"} 150');
  });

  it('shows the largest value of a gauge that several processes set, until they go quiet', async () => {
    const clock = new VirtualClock(Date.now());
    const metrics = await create({ clock });
    const say = (from: string, value: number) => {
      const buffer = new ObservationBuffer((all) => metrics.record(all), { from });
      buffer.set('external_tool_circuit_open', { tool: 'a' }, value, 60_000);
      buffer.flush();
    };
    say('w1', 1);
    say('w2', 0);
    expect((await metrics.render()).body).toContain('orchestrator_external_tool_circuit_open{tool="a"} 1');
    clock.advance(60_001);
    expect((await metrics.render()).body).toContain('orchestrator_external_tool_circuit_open{tool="a"} 0');
  });
});
