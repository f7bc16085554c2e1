import { statfs } from 'node:fs/promises';
import type { Gauge } from 'prom-client';
import type { Clock } from '../../domain/clock.js';
import { LIMITS } from '../../domain/observability/limits.js';
import type { Bus } from '../bus/bus.js';
import { LAST_BACKUP } from '../store/inspect.js';
import type { Store } from '../store/store.js';
import { monitoredTasks } from './monitored-tasks.js';

export interface ScrapeOptions {
  store: Store;
  bus: Bus;
  clock: Clock;
  /** The data directory; without one (a store elsewhere) there is no disk to look at. */
  home?: string | undefined;
  /** Whether to tell of the system as well as of this process and what it sees of the database. */
  isSystem: boolean;
}

/** Workers that have a series of their own: those seen last. */
const MAX_WORKERS = 100;

type Gauges = (name: string) => Gauge;

/** Gauges whose values are in the database. */
const FROM_DATABASE = [
  'tasks',
  'runs_in_progress',
  'due_work_queue_depth',
  'work_items',
  'dead_letter_depth',
  'tasks_without_next_due',
  'event_backlog',
  'scheduler_lag_seconds',
  'oldest_running_start_timestamp_seconds',
  'database_size_bytes',
  'database_pool_connections',
  'clock_skew_seconds',
  'active_workers',
  'worker_slots',
  'worker_last_heartbeat_timestamp_seconds',
  'last_backup_timestamp_seconds',
  'task_last_success_timestamp_seconds',
  'task_success_deadline_seconds',
] as const;

/**
 * Reads what is known elsewhere. What can not be read within a second is absent, never stale (observability.md A3.5).
 * @param onError told which source could not be read.
 */
export async function readAtScrape(
  options: ScrapeOptions,
  gauge: Gauges,
  onError: (source: 'db' | 'bus' | 'os') => void,
): Promise<void> {
  const { store, bus } = options;
  await Promise.all([
    within(readDatabase(options)).then(
      (set) => {
        forget(gauge, FROM_DATABASE);
        set(gauge);
        gauge('database_up').set({ backend: store.engine }, 1);
      },
      () => {
        forget(gauge, FROM_DATABASE);
        gauge('database_up').set({ backend: store.engine }, 0);
        onError('db');
      },
    ),
    readDisk(options, gauge).catch(() => {
      forget(gauge, ['data_disk_free_bytes']);
      onError('os');
    }),
  ]);
  const isUp = bus.isUp?.() ?? true;
  gauge('bus_up').set({ backend: bus.backend }, isUp ? 1 : 0);
  if (!isUp) onError('bus');
}

async function readDatabase(options: ScrapeOptions): Promise<(gauge: Gauges) => void> {
  const [process, system] = await Promise.all([
    readConnection(options),
    options.isSystem ? readSystem(options) : () => {},
  ]);
  return (gauge) => {
    process(gauge);
    system(gauge);
  };
}

/** How the database is, seen from this process. */
async function readConnection({ store, clock }: ScrapeOptions): Promise<(gauge: Gauges) => void> {
  const now = clock.now();
  const began = clock.monotonic();
  const ping = await store.ping();
  const at = now + (clock.monotonic() - began) / 2;
  return (gauge) => {
    gauge('clock_skew_seconds').set(ping.clock === undefined ? 0 : (at - ping.clock) / 1000);
    for (const [state, count] of Object.entries(ping.pool ?? {}))
      gauge('database_pool_connections').set({ state }, count);
    gauge('database_size_bytes').set({ part: 'main' }, ping.sizeBytes);
    gauge('database_size_bytes').set({ part: 'wal' }, ping.walBytes);
  };
}

/** What is true of the system, whoever says it. */
async function readSystem({ store, clock }: ScrapeOptions): Promise<(gauge: Gauges) => void> {
  const now = clock.now();
  const [stats, workers, backup, monitored] = await Promise.all([
    store.stats(now),
    store.listWorkers(),
    store.getMeta(LAST_BACKUP.at),
    monitoredTasks(store),
  ]);
  return (gauge) => {
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
    for (const [state, count] of Object.entries(stats.deliveries))
      gauge('deliveries_waiting').set({ state }, count);
    gauge('delivery_lag_seconds').set(Math.max(0, (now - (stats.oldestDeliveryDueAt ?? now)) / 1000));
    const oldest = Math.min(stats.oldestDueAt ?? now, stats.nextDueAt ?? now);
    gauge('scheduler_lag_seconds').set(Math.max(0, (now - oldest) / 1000));
    gauge('oldest_running_start_timestamp_seconds').set((stats.oldestRunningStartedAt ?? 0) / 1000);
    gauge('last_backup_timestamp_seconds').set(Number(backup ?? 0) / 1000);
    for (const { name, maxAgeSeconds, lastSuccessAt } of monitored) {
      gauge('task_success_deadline_seconds').set({ task: name }, maxAgeSeconds);
      gauge('task_last_success_timestamp_seconds').set({ task: name }, lastSuccessAt / 1000);
    }
    const seen = workers.filter(
      ({ kind, lastSeenAt }) =>
        kind === 'worker' && now - lastSeenAt < LIMITS.heartbeatForgottenSeconds * 1000,
    );
    const alive = seen.filter(({ lastSeenAt }) => now - lastSeenAt < LIMITS.heartbeatTimeoutSeconds * 1000);
    gauge('active_workers').set(alive.length);
    const busy = alive.reduce((sum, { slotsBusy }) => sum + slotsBusy, 0);
    const total = alive.reduce((sum, { slotsTotal }) => sum + slotsTotal, 0);
    gauge('worker_slots').set({ state: 'busy' }, busy);
    gauge('worker_slots').set({ state: 'idle' }, Math.max(0, total - busy));
    // One that is silent stays in sight for a while; the newest process of a slot speaks for it.
    const newest = seen.sort((a, b) => a.lastSeenAt - b.lastSeenAt).slice(-MAX_WORKERS);
    for (const { slot, host, lastSeenAt } of newest) {
      // Over one PostgreSQL each machine has a w1.
      const worker = store.engine === 'sqlite' ? slot : `${host}/${slot}`;
      gauge('worker_last_heartbeat_timestamp_seconds').set({ worker }, lastSeenAt / 1000);
    }
  };
}

async function readDisk({ home }: ScrapeOptions, gauge: Gauges): Promise<void> {
  if (home === undefined) return;
  const { bavail, bsize } = await within(statfs(home));
  gauge('data_disk_free_bytes').set(bavail * bsize);
}

function forget(gauge: Gauges, names: readonly string[]): void {
  for (const name of names) {
    const one = gauge(name);
    one.reset();
    // A reset gauge without labels says 0; one that was removed says nothing.
    if ((one as unknown as { labelNames: string[] }).labelNames.length === 0) one.remove();
  }
}

async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), LIMITS.databaseTimeoutSeconds * 1000);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
