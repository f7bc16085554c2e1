import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../domain/clock.js';
import { formatDuration } from '../../domain/duration.js';
import type { HealthStatus } from '../../domain/health.js';
import { LIMITS } from '../../domain/observability/limits.js';
import type { Bus } from '../bus/bus.js';
import type { Config } from '../config.js';
import { LAST_BACKUP } from '../store/inspect.js';
import type { Store, StoreStats } from '../store/store.js';
import { LoopDelay } from './loop-delay.js';
import type { Metrics } from './metrics.js';

/** What one look found. */
export interface Finding {
  status: HealthStatus;
  message: string;
  hint?: string;
  /** The alert whose runbook tells more. */
  runbook?: string;
  details?: Record<string, unknown>;
}

export interface LookOptions {
  store: Store;
  bus: Bus;
  clock: Clock;
  config: Config;
  home: string;
  /** What is used instead of what was configured, because that was not there at the start. */
  fallbacks: readonly { component: string; message: string; hint: string }[];
  /** How busy the API is. */
  load?: () => { inFlight: number; maxInFlight: number; lagMs: number; refused: number };
  /** Where other services say how they are; without it less is known. */
  metrics?: Pick<Metrics, 'largest' | 'sinceRise'> | undefined;
}

type Looks = Record<string, () => Promise<Finding>>;

/** One look for each component; the limits are those of the alert rules. */
export function componentLooks(options: LookOptions): Looks {
  const { store, clock } = options;
  let stats: { at: number; value: Promise<StoreStats> } | null = null;
  /** Several looks are at the same figures. */
  const readStats = () => {
    const now = clock.monotonic();
    if (stats === null || now - stats.at > 500) stats = { at: now, value: store.stats(clock.now()) };
    return stats.value;
  };
  return {
    ...storageLooks(options),
    ...processLooks(options, readStats),
    ...workLooks(options, readStats),
  };
}

function storageLooks({ store, bus, clock, home, fallbacks, metrics }: LookOptions): Looks {
  let waitingSince: number | null = null;
  let wasSlow = false;
  return {
    async store() {
      const fallback = fallbacks.find(({ component }) => component === 'store');
      const began = clock.monotonic();
      const [ping, schema] = await Promise.all([store.ping(), store.schemaVersion()]);
      const seconds = (clock.monotonic() - began) / 1000;
      const details = {
        location: store.location,
        size_bytes: ping.sizeBytes,
        wal_bytes: ping.walBytes,
        schema: schema.current,
      };
      const runbook = 'OrchestratorDatabaseDown';
      if (schema.current !== schema.wanted) {
        const message = `the schema is version ${schema.current}, this program wants ${schema.wanted}`;
        return { status: 'fail', message, hint: 'pao db migrate', runbook, details };
      }
      // A look reads what is in memory: a disk that fails is seen by those who write.
      const failed = metrics?.sinceRise('database_errors_total', isOfTheDisk) ?? null;
      if (failed !== null && failed < LIMITS.databaseErrorSeconds * 1000) {
        const message = `the disk failed a read or write ${formatDuration(Math.floor(failed / 1000) * 1000)} ago: what was not safe was refused`;
        const next = { hint: 'pao doctor --only database', runbook: 'OrchestratorDatabaseErrors' };
        return { status: 'fail', message, ...next, details };
      }
      waitingSince = (ping.pool?.waiting ?? 0) > 0 ? (waitingSince ?? clock.monotonic()) : null;
      if (waitingSince !== null && clock.monotonic() - waitingSince > LIMITS.poolWaitingSeconds * 1000) {
        const message = `${ping.pool?.waiting} wait for a connection`;
        return { status: 'warn', message, hint: 'pao db status', runbook, details };
      }
      // One slow answer is an accident, two are a state.
      const isSlow = seconds > LIMITS.databaseSlowSeconds;
      const staysSlow = isSlow && wasSlow;
      wasSlow = isSlow;
      if (staysSlow) {
        const message = `${store.engine} answers slowly (${Math.round(seconds * 1000)} ms)`;
        return { status: 'warn', message, hint: 'pao db status', runbook, details };
      }
      if (fallback !== undefined)
        return { status: 'warn', message: fallback.message, hint: fallback.hint, details };
      return { status: 'pass', message: `${store.engine} answers`, details };
    },
    async disk() {
      const space = await store.space();
      const { bavail, bsize } = await statfs(home);
      const free = Math.min(bavail * bsize, space.freeBytes ?? Number.POSITIVE_INFINITY);
      const details = { free_bytes: free };
      const where = `df -h ${store.engine === 'sqlite' ? dirname(store.location) : home}`;
      const runbook = 'OrchestratorDiskLow';
      // Whether new work is taken is decided in one place, by the size of the disk as well.
      if (space.full) {
        const message = 'the disk is full: new work is refused, what runs may end';
        return { status: 'fail', message, hint: where, runbook, details };
      }
      const message = `${formatBytes(free)} free`;
      return free < LIMITS.diskWarnBytes
        ? { status: 'warn', message, hint: where, runbook, details }
        : { status: 'pass', message, details };
    },
    async bus() {
      const details = { backend: bus.backend };
      if (bus.isUp?.() ?? true) return { status: 'pass', message: `${bus.backend} bus`, details };
      return {
        status: 'warn',
        message: `${bus.backend} is away: other machines are woken by their polls alone`,
        hint: 'pao logs --level warn',
        runbook: 'OrchestratorBusDown',
        details,
      };
    },
    async backup() {
      const at = Number((await store.getMeta(LAST_BACKUP.at)) ?? 0);
      if (at === 0) return { status: 'pass', message: 'none taken yet' };
      const age = clock.now() - at;
      const details = { last_backup_at: new Date(at).toISOString() };
      const message = `the last one is ${formatDuration(age)} old`;
      if (age <= LIMITS.backupStaleSeconds * 1000) return { status: 'pass', message, details };
      return { status: 'warn', message, hint: 'pao db backup', runbook: 'OrchestratorBackupStale', details };
    },
  };
}

function processLooks(
  { store, clock, config, metrics }: LookOptions,
  readStats: () => Promise<StoreStats>,
): Looks {
  const loop = new LoopDelay();
  let loopSince: number | null = null;
  const alive = async (kind: 'scheduler' | 'worker') => {
    const now = clock.now();
    return (await store.listWorkers()).filter(
      (one) => one.kind === kind && now - one.lastSeenAt < LIMITS.heartbeatTimeoutSeconds * 1000,
    );
  };
  return {
    async scheduler() {
      const [{ length: count }, stats, tick] = await Promise.all([
        alive('scheduler'),
        readStats(),
        metrics?.largest('scheduler_last_tick_timestamp_seconds'),
      ]);
      const now = clock.now();
      const lag = lagOf(stats, now);
      const tickAge = tick === null || tick === undefined ? null : Math.max(0, now / 1000 - tick);
      const details = { alive: count, wanted: 1, lag_seconds: lag, last_tick_age_seconds: tickAge };
      const hint = 'pao logs --service scheduler --level warn';
      const runbook = 'OrchestratorSchedulerStalled';
      if (count === 0) {
        const message = `no scheduler has given a sign for ${LIMITS.heartbeatTimeoutSeconds} s`;
        return { status: 'fail', message, hint, runbook, details };
      }
      if (tickAge !== null && tickAge > LIMITS.schedulerTickFailSeconds) {
        const message = `no look at what is due for ${formatDuration(tickAge * 1000)}`;
        return { status: 'fail', message, hint, runbook, details };
      }
      if (tickAge !== null && tickAge > LIMITS.schedulerTickWarnSeconds) {
        const message = `the last look at what is due was ${formatDuration(tickAge * 1000)} ago`;
        return { status: 'warn', message, hint, runbook, details };
      }
      if (lag > LIMITS.schedulerLagWarnSeconds) {
        const message = `the oldest due work is ${formatDuration(lag * 1000)} old`;
        const next = { hint: 'pao run list --status queued', runbook: 'OrchestratorSchedulerLagHigh' };
        return { status: 'warn', message, ...next, details };
      }
      return { status: 'pass', message: `${count} alive`, details };
    },
    async workers() {
      const found = await alive('worker');
      const count = found.length;
      const wanted = config.workers;
      const details = { alive: count, wanted };
      const hint = 'pao logs --service worker --level warn';
      if (count === 0 && wanted > 0) {
        const message = `no worker has given a sign for ${LIMITS.heartbeatTimeoutSeconds} s`;
        return { status: 'fail', message, hint, runbook: 'OrchestratorNoActiveWorkers', details };
      }
      if (count < wanted) {
        const message = `${count} of ${wanted} alive`;
        return { status: 'warn', message, hint, runbook: 'OrchestratorWorkersMissing', details };
      }
      const slots = found.reduce((sum, one) => sum + one.slotsTotal, 0);
      const configured = count * config.worker_concurrency;
      // Adapting is what it should do then; it is said, and no fault.
      if (slots < configured) {
        const message = `${count} alive, under pressure: ${slots} of ${configured} runs at once`;
        return { status: 'pass', message, details: { ...details, slots, slots_configured: configured } };
      }
      return { status: 'pass', message: `${count} alive`, details };
    },
    async clock() {
      const began = clock.now();
      const ping = await store.ping();
      const skew = ping.clock === undefined ? 0 : ((began + clock.now()) / 2 - ping.clock) / 1000;
      const details = { skew_seconds: skew };
      const runbook = 'OrchestratorClockSkew';
      if (Math.abs(skew) > LIMITS.clockSkewWarnSeconds) {
        const message = `this machine's clock is ${formatDuration(Math.abs(skew) * 1000)} off the database's`;
        const status = Math.abs(skew) > LIMITS.clockSkewFailSeconds ? 'fail' : 'warn';
        return { status, message, hint: 'timedatectl', runbook, details };
      }
      const jumped = metrics?.sinceRise('clock_jumps_total') ?? null;
      if (jumped !== null && jumped < LIMITS.clockJumpSeconds * 1000) {
        const message = `the clock jumped ${formatDuration(jumped)} ago`;
        return { status: 'warn', message, hint: 'timedatectl', runbook, details };
      }
      return { status: 'pass', message: 'steady', details };
    },
    async audit() {
      const failed = metrics?.sinceRise('audit_append_failures_total') ?? null;
      if (failed === null || failed > LIMITS.auditFailureSeconds * 1000)
        return { status: 'pass', message: 'records are written' };
      const message = 'audit records can not be written: the changes they belong to are refused';
      return {
        status: 'fail',
        message,
        hint: 'pao doctor --only database',
        runbook: 'OrchestratorAuditFailing',
      };
    },
    async event_loop() {
      const now = clock.monotonic();
      const window = loopSince === null ? 0 : now - loopSince;
      const seconds = loop.p99Seconds;
      // A start blocks it for a moment; what counts is now.
      if (loopSince === null || window > 10_000) {
        loop.reset();
        loopSince = now;
      }
      if (window < 5000) return { status: 'pass', message: 'turns' };
      const details = { p99_seconds: Math.round(seconds * 1000) / 1000 };
      const message = `99 % of turns wait less than ${Math.ceil(seconds * 1000)} ms`;
      if (seconds <= LIMITS.eventLoopWarnSeconds) return { status: 'pass', message, details };
      const next = { hint: 'pao status --services', runbook: 'OrchestratorEventLoopBlocked' };
      return { status: 'warn', message, ...next, details };
    },
  };
}

function workLooks(
  { clock, metrics, load: loadOf }: LookOptions,
  readStats: () => Promise<StoreStats>,
): Looks {
  return {
    async queue() {
      const stats = await readStats();
      const lag = lagOf(stats, clock.now());
      const details = {
        due: stats.due,
        leased: stats.leased,
        dead: stats.dead,
        lag_seconds: lag,
        tasks_without_due: stats.activeWithoutDue,
      };
      if (stats.activeWithoutDue > 0) {
        const message = `${stats.activeWithoutDue} active tasks have no due time`;
        return { status: 'warn', message, hint: 'pao doctor', details };
      }
      const hint = 'pao run list --status queued';
      if (stats.due > LIMITS.queueDepthWarn && lag > LIMITS.queueLagWarnSeconds) {
        const message = `${stats.due} runs are due, the oldest for ${formatDuration(lag * 1000)}`;
        return { status: 'warn', message, hint, runbook: 'OrchestratorQueueBacklog', details };
      }
      if (lag > LIMITS.schedulerLagWarnSeconds) {
        const message = `the oldest due run has waited for ${formatDuration(lag * 1000)}`;
        return { status: 'warn', message, hint, runbook: 'OrchestratorSchedulerLagHigh', details };
      }
      return { status: 'pass', message: `${stats.due} due, ${stats.leased} running`, details };
    },
    async outbox() {
      const stats = await readStats();
      const { pending, deferred, unknown } = stats.deliveries;
      const lag = Math.max(0, (clock.now() - (stats.oldestDeliveryDueAt ?? clock.now())) / 1000);
      const details = { ...stats.deliveries, lag_seconds: lag };
      if (lag > LIMITS.deliveryLagWarnSeconds) {
        const message = `the oldest message has been due for ${formatDuration(lag * 1000)} and is not sent`;
        const hint = 'pao delivery list --status pending';
        return { status: 'warn', message, hint, runbook: 'OrchestratorMessagesStuck', details };
      }
      const asks = unknown === 0 ? '' : `; of ${unknown} nobody knows whether they arrived`;
      const hint = unknown === 0 ? {} : { hint: 'pao delivery list --status unknown' };
      return {
        status: 'pass',
        message: `${pending} on their way, ${deferred} put off${asks}`,
        ...hint,
        details,
      };
    },
    async api() {
      const load = loadOf?.();
      if (load === undefined) return { status: 'pass', message: 'answers' };
      const details = {
        in_flight: load.inFlight,
        max_in_flight: load.maxInFlight,
        event_loop_lag_seconds: load.lagMs / 1000,
      };
      if (load.refused === 0)
        return { status: 'pass', message: `${load.inFlight} requests under way`, details };
      const message = `${load.refused} requests were turned away in the last 10 s: more than it can answer`;
      return { status: 'warn', message, hint: 'pao logs --level warn', details };
    },
    async dead_letters() {
      const { dead } = await readStats();
      const details = { count: dead };
      if (dead === 0) return { status: 'pass', message: 'none', details };
      const message = `${dead} ${dead === 1 ? 'run was' : 'runs were'} given up and ${dead === 1 ? 'waits' : 'wait'} for a person`;
      const next = { hint: 'pao run list --status dead', runbook: 'OrchestratorDeadLetters' };
      return { status: 'warn', message, ...next, details };
    },
    async tools() {
      const open = (await metrics?.largest('external_tool_circuit_open')) ?? 0;
      if (open === 0) return { status: 'pass', message: 'none is cut off' };
      const message = 'a tool failed again and again and is left alone for a while';
      const next = { hint: 'pao run list --status failed', runbook: 'OrchestratorToolCircuitOpen' };
      return { status: 'warn', message, ...next };
    },
  };
}

/** A full disk is not meant: that is told by its own look, and over as soon as there is room. */
const isOfTheDisk = ({ error_type }: Record<string, string>): boolean =>
  error_type === 'io' || error_type === 'corrupt';

/** Age of the oldest work that is due and not begun, seconds. */
const lagOf = (stats: StoreStats, now: number): number =>
  stats.oldestDueAt === null ? 0 : Math.max(0, (now - stats.oldestDueAt) / 1000);

function formatBytes(bytes: number): string {
  return bytes >= 1024 ** 3 ? `${Math.floor(bytes / 1024 ** 3)} GiB` : `${Math.floor(bytes / 1024 ** 2)} MiB`;
}
