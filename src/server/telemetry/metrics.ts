import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Clock } from '../../domain/clock.js';
import { RUN_TRIGGERS } from '../../domain/run.js';
import type { Bus, Observation } from '../bus/bus.js';
import { LAST_BACKUP } from '../store/inspect.js';
import type { Store } from '../store/store.js';
import type { Logger } from './logger.js';
import catalogue from './metric-catalogue.json' with { type: 'json' };

const PREFIX = 'orchestrator_';

/** Counters used in alerts begin at 0 for every value of their labels: a series that first appears at 1 never rises. */
const INITIAL: Record<string, Record<string, string>[]> = {
  runs_total: RUN_TRIGGERS.flatMap((trigger) =>
    ['succeeded', 'partial', 'failed', 'dead', 'canceled', 'skipped'].map((outcome) => ({
      outcome,
      trigger,
    })),
  ),
  dead_letters_total: [{ reason: 'attempts_exhausted' }, { reason: 'poison' }, { reason: 'not_retryable' }],
  lease_expirations_total: [{}],
  fencing_rejections_total: [{ operation: 'complete' }, { operation: 'record' }],
  clock_jumps_total: [{ direction: 'forward' }, { direction: 'backward' }],
  schedule_misfires_total: [{ policy: 'skip' }, { policy: 'catch_up' }],
  schedule_overlaps_total: [{ policy: 'skip' }],
  worker_restarts_total: [{ reason: 'crash' }, { reason: 'oom' }, { reason: 'stuck' }, { reason: 'planned' }],
  metrics_collect_errors_total: [{ source: 'db' }, { source: 'bus' }],
  tasks_repaired_total: [{}],
  tasks_stalled_total: [{}],
};

const HEARTBEAT_TIMEOUT_MS = 15_000;
/** Tools beyond this many share the label value `other`. */
const MAX_TOOLS = 200;

export interface Metrics {
  render(): Promise<{ contentType: string; body: string }>;
  /** Takes movements from this process. */
  record(observations: Observation[]): void;
}

/** The one registry of the local system: services send observations over the bus, the store is read at scrape time. */
export async function createMetrics(options: {
  store: Store;
  bus: Bus;
  clock: Clock;
  logger: Logger;
  version: string;
  workersDesired: number;
}): Promise<Metrics> {
  const client = (await import('prom-client')).default;
  const registry: Registry = new client.Registry();
  client.collectDefaultMetrics({ register: registry });
  for (const name of [
    'nodejs_active_handles_total',
    'nodejs_active_requests_total',
    'nodejs_active_resources_total',
  ]) {
    // Gauges whose names claim to be counters: promtool refuses them.
    registry.removeSingleMetric(name);
  }
  const metrics = new Map<string, Counter | Gauge | Histogram>();
  const buckets = catalogue.buckets as Record<string, number[]>;
  for (const { n: name, t: type, l: labelNames, h: help, ...rest } of catalogue.metrics) {
    const base = { name: PREFIX + name, help, labelNames, registers: [registry] };
    const bucket = (rest as { b?: string }).b;
    if (type === 'counter') metrics.set(name, new client.Counter(base));
    else if (type === 'gauge') metrics.set(name, new client.Gauge(base));
    else
      metrics.set(
        name,
        new client.Histogram({
          ...base,
          ...(bucket === undefined ? {} : { buckets: buckets[bucket] as number[] }),
        }),
      );
  }
  for (const [name, series] of Object.entries(INITIAL)) {
    for (const labels of series) (metrics.get(name) as Counter).inc(labels, 0);
  }
  const tools = new Set<string>();
  const move = ({ name, labels, values }: Observation) => {
    const metric = metrics.get(name);
    if (metric === undefined) throw new Error('is not in the catalogue');
    const bounded = labels.tool === undefined ? labels : { ...labels, tool: boundedTool(tools, labels.tool) };
    for (const value of values) {
      if (metric instanceof client.Counter) metric.inc(bounded, value);
      else if (metric instanceof client.Histogram) metric.observe(bounded, value);
      else (metric as Gauge).set(bounded, value);
    }
  };
  const complained = new Set<string>();
  /** One observation that does not fit the catalogue must not take the rest of its batch with it. */
  const record = (observations: Observation[]) => {
    for (const observation of observations) {
      try {
        move(observation);
      } catch (error) {
        (metrics.get('metrics_collect_errors_total') as Counter).inc({ source: 'bus' });
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
  gauge('bus_up').set({ backend: options.bus.backend }, 1);
  gauge('workers_desired').set(options.workersDesired);
  return {
    record,
    async render() {
      await readStore(options, gauge, metrics.get('metrics_collect_errors_total') as Counter);
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}

async function readStore(
  { store, clock }: { store: Store; clock: Clock },
  gauge: (name: string) => Gauge,
  errors: Counter,
): Promise<void> {
  const now = clock.now();
  try {
    const [stats, ping, workers, lastBackup] = await Promise.all([
      store.stats(now),
      store.ping(),
      store.listWorkers(),
      store.getMeta(LAST_BACKUP.at),
    ]);
    gauge('last_backup_timestamp_seconds').set(Number(lastBackup ?? 0) / 1000);
    for (const [state, count] of Object.entries(stats.tasks)) gauge('tasks').set({ state }, count);
    gauge('runs_in_progress').set(stats.leased);
    gauge('due_work_queue_depth').set(stats.due);
    gauge('work_items').set({ state: 'due' }, stats.due);
    gauge('work_items').set({ state: 'scheduled' }, stats.scheduled);
    gauge('work_items').set({ state: 'leased' }, stats.leased);
    gauge('work_items').set({ state: 'dead' }, stats.dead);
    gauge('dead_letter_depth').set(stats.dead);
    gauge('tasks_without_next_due').set(stats.activeWithoutDue);
    gauge('event_backlog').set(stats.undispatchedEvents);
    const oldest = Math.min(stats.oldestDueAt ?? now, stats.nextDueAt ?? now);
    gauge('scheduler_lag_seconds').set(Math.max(0, (now - oldest) / 1000));
    gauge('oldest_running_start_timestamp_seconds').set((stats.oldestRunningStartedAt ?? 0) / 1000);
    gauge('database_up').set({ backend: store.engine }, 1);
    gauge('database_size_bytes').set({ part: 'main' }, ping.sizeBytes);
    gauge('database_size_bytes').set({ part: 'wal' }, ping.walBytes);
    const alive = workers.filter(
      (worker) => worker.kind === 'worker' && now - worker.lastSeenAt < HEARTBEAT_TIMEOUT_MS,
    );
    gauge('active_workers').set(alive.length);
    gauge('worker_slots').set(
      { state: 'busy' },
      alive.reduce((sum, worker) => sum + worker.slotsBusy, 0),
    );
    gauge('worker_slots').set(
      { state: 'idle' },
      alive.reduce((sum, worker) => sum + worker.slotsTotal - worker.slotsBusy, 0),
    );
    for (const worker of alive)
      gauge('worker_last_heartbeat_timestamp_seconds').set({ worker: worker.slot }, worker.lastSeenAt / 1000);
  } catch {
    // What can not be read is absent, never stale (observability.md A3.5).
    errors.inc({ source: 'db' });
    gauge('database_up').set({ backend: store.engine }, 0);
    for (const name of [
      'tasks',
      'due_work_queue_depth',
      'work_items',
      'scheduler_lag_seconds',
      'dead_letter_depth',
    ])
      gauge(name).reset();
  }
}

function boundedTool(known: Set<string>, tool: string): string {
  if (known.has(tool)) return tool;
  if (known.size >= MAX_TOOLS) return 'other';
  known.add(tool);
  return tool;
}
