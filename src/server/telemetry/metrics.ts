import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Observer } from '../../domain/observability/observer.js';
import {
  closedSeries,
  METRIC_BUCKETS,
  METRIC_PREFIX,
  METRICS,
} from '../../domain/observability/catalogue.js';
import type { Observation } from '../bus/bus.js';
import { boundedLabels } from './bounded-labels.js';
import type { Logger } from './logger.js';
import { LoopDelay } from './loop-delay.js';
import { ObservationBuffer } from './observation-buffer.js';
import { readAtScrape, type ScrapeOptions } from './scrape-sources.js';

/** How long values that are read at scrape time are good for, milliseconds. */
const CACHE_MS = 1000;

export interface Metrics {
  render(): Promise<{ contentType: string; body: string }>;
  /** Takes movements from elsewhere. */
  record(observations: Observation[]): void;
  /** Takes movements from this process. */
  observer: Observer;
  /** The largest value over all series of a gauge or counter of ours; null when it has none. */
  largest(name: string): Promise<number | null>;
  /**
   * How long ago a counter of ours last rose, milliseconds; null when it has not since the start of this process.
   * @param matches which of its series count; all when left out
   */
  sinceRise(name: string, matches?: (labels: Record<string, string>) => boolean): number | null;
}

/** Gauges whose names claim to be counters (promtool refuses them), and what no rule and no dashboard asks for. */
const NOT_KEPT = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
  'nodejs_active_handles',
  'nodejs_active_requests',
  'nodejs_active_resources',
  'nodejs_eventloop_lag_min_seconds',
  'nodejs_eventloop_lag_max_seconds',
  'nodejs_eventloop_lag_mean_seconds',
  'nodejs_eventloop_lag_stddev_seconds',
  'nodejs_eventloop_lag_p50_seconds',
  'nodejs_eventloop_lag_p90_seconds',
  'nodejs_eventloop_lag_p99_seconds',
  'nodejs_heap_space_size_total_bytes',
  'nodejs_heap_space_size_used_bytes',
  'nodejs_heap_space_size_available_bytes',
];

/**
 * The one registry of the local system: services send observations over the bus, the store is read at scrape time. A service
 * that runs on its own has one of itself.
 */
export async function createMetrics(
  options: Omit<ScrapeOptions, 'isSystem'> & {
    logger: Logger;
    version: string;
    /** What the system should have; left out by a service that speaks for itself alone: the API tells of the system. */
    workersDesired?: number;
    /** What this process says about itself; it is taken over, and read out before each answer. */
    own?: ObservationBuffer;
  },
): Promise<Metrics> {
  const client = (await import('prom-client')).default;
  const registry: Registry = new client.Registry();
  // Its own look at the event loop would wake an idle process a hundred times a second; ours replaces it.
  client.collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 60_000 });
  for (const name of NOT_KEPT) registry.removeSingleMetric(name);
  const loop = new LoopDelay();
  const lag = new client.Gauge({
    name: 'nodejs_eventloop_lag_p99_seconds',
    help: 'How late 99 % of the looks at the event loop were since the last scrape.',
    registers: [registry],
    collect() {
      lag.set(loop.p99Seconds);
      loop.reset();
    },
  });
  const metrics = new Map<string, Counter | Gauge | Histogram>();
  for (const definition of METRICS) {
    const { name, type, help } = definition;
    const base = {
      name: METRIC_PREFIX + name,
      help,
      labelNames: Object.keys(definition.labels),
      registers: [registry],
    };
    if (type === 'histogram')
      metrics.set(
        name,
        new client.Histogram({ ...base, buckets: [...METRIC_BUCKETS[definition.buckets ?? 'tool']] }),
      );
    else if (type === 'gauge') {
      const gauge = new client.Gauge(base);
      // A gauge without labels would begin at 0, which is not what is known about it.
      if (base.labelNames.length === 0) gauge.remove();
      metrics.set(name, gauge);
    } else {
      const counter = new client.Counter(base);
      for (const labels of closedSeries(definition) ?? []) counter.inc(labels, 0);
      metrics.set(name, counter);
    }
  }
  const collectErrors = metrics.get('metrics_collect_errors_total') as Counter;
  const shared = new SharedGauges(() => options.clock.monotonic());
  const bounded = boundedLabels();
  const rises = new Rises(() => options.clock.monotonic());
  const move = (one: Observation) => {
    const metric = metrics.get(one.name);
    if (metric === undefined) throw new Error('is not in the catalogue');
    const labels = bounded(one.labels);
    if (metric instanceof client.Gauge) {
      const value = one.values.at(-1);
      if (value === undefined) return;
      if (one.from === undefined) metric.set(labels, value);
      else shared.set(metric, labels, one.from, value, one.ttlMs);
    } else if (metric instanceof client.Histogram) {
      for (const value of one.values) metric.observe(labels, value);
    } else {
      for (const value of one.values) metric.inc(labels, value);
      rises.note(one.name, labels);
    }
  };
  const complained = new Set<string>();
  /** One observation that does not fit the catalogue must not take the rest of its batch with it. */
  const record = (observations: Observation[]) => {
    for (const observation of observations) {
      try {
        move(observation);
      } catch (error) {
        collectErrors.inc({ source: 'bus' });
        const { name, labels } = observation;
        if (complained.has(name)) continue;
        complained.add(name);
        options.logger.warn(
          { metric: name, labels, err: error },
          'an observation of this metric was dropped; further ones are only counted',
        );
      }
    }
  };
  const own = options.own ?? new ObservationBuffer(record);
  own.redirect(record);
  options.bus.subscribe('metrics', ({ observations }) => record(observations));
  const gauge = (name: string) => metrics.get(name) as Gauge;
  gauge('build_info').set(
    {
      version: options.version,
      node_version: process.version,
      db_backend: options.store.engine,
      bus_backend: options.bus.backend,
    },
    1,
  );
  const { workersDesired } = options;
  const isSystem = workersDesired !== undefined;
  if (isSystem) {
    gauge('workers_desired').set(workersDesired);
    gauge('http_requests_in_flight').set(0);
    gauge('failing_tasks').set(0);
  }
  let cached: { at: number; work: Promise<void> } | null = null;
  const collect = () => {
    const now = options.clock.monotonic();
    if (cached === null || now - cached.at > CACHE_MS) {
      const work = readAtScrape({ ...options, isSystem }, gauge, (source) => collectErrors.inc({ source }));
      cached = { at: now, work };
    }
    return cached.work;
  };
  return {
    record,
    observer: own,
    async render() {
      await collect();
      own.flush();
      shared.expire();
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
    sinceRise(name, matches) {
      own.flush();
      return rises.since(name, matches);
    },
    async largest(name) {
      shared.expire();
      const { values } = await (metrics.get(name) as Gauge).get();
      return values.length === 0 ? null : Math.max(...values.map(({ value }) => value));
    },
  };
}

/** Remembers when each series of a counter last rose. */
class Rises {
  readonly #last = new Map<string, Map<string, { labels: Record<string, string>; at: number }>>();

  constructor(private readonly monotonic: () => number) {}

  note(name: string, labels: Record<string, string>): void {
    let series = this.#last.get(name);
    if (series === undefined) {
      series = new Map();
      this.#last.set(name, series);
    }
    series.set(JSON.stringify(labels), { labels, at: this.monotonic() });
  }

  since(name: string, matches: (labels: Record<string, string>) => boolean = () => true): number | null {
    const at = [...(this.#last.get(name)?.values() ?? [])]
      .filter(({ labels }) => matches(labels))
      .map((one) => one.at);
    return at.length === 0 ? null : this.monotonic() - Math.max(...at);
  }
}

/** Gauges that several processes set: the largest of what they say, without those that have gone quiet. */
class SharedGauges {
  readonly #series = new Map<
    string,
    {
      gauge: Gauge;
      labels: Record<string, string>;
      said: Map<string, { value: number; until: number | null }>;
    }
  >();

  constructor(private readonly monotonic: () => number) {}

  set(gauge: Gauge, labels: Record<string, string>, from: string, value: number, ttlMs?: number): void {
    const key = `${(gauge as unknown as { name: string }).name}${JSON.stringify(labels)}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { gauge, labels, said: new Map() };
      this.#series.set(key, series);
    }
    series.said.set(from, { value, until: ttlMs === undefined ? null : this.monotonic() + ttlMs });
    gauge.set(labels, Math.max(...[...series.said.values()].map((one) => one.value)));
  }

  /** Takes what was not said again in time for 0. */
  expire(): void {
    const now = this.monotonic();
    for (const { gauge, labels, said } of this.#series.values()) {
      for (const [from, { until }] of said) if (until !== null && until < now) said.delete(from);
      gauge.set(labels, Math.max(0, ...[...said.values()].map((one) => one.value)));
    }
  }
}
