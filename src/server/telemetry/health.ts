import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../domain/clock.js';
import { formatDuration } from '../../domain/duration.js';
import type { HealthCheck, HealthReport, HealthStatus } from '../../domain/health.js';
import type { Bus } from '../bus/bus.js';
import type { Config } from '../config.js';
import type { Store } from '../store/store.js';

export interface HealthSource {
  /** Every component, looked at now; cached for a second. */
  report(): Promise<HealthReport>;
  /** Whether requests can be served: the store answers. */
  ready(): Promise<boolean>;
}

interface Finding {
  status: HealthStatus;
  message: string;
  hint?: string;
  details?: Record<string, unknown>;
}

const HEARTBEAT_TIMEOUT_MS = 15_000;
const LAG_WARN_MS = 60_000;
const LOW_DISK_BYTES = 256 * 1024 * 1024;

/** Looks at each component of the system the way a person would ask for it. */
export function createHealth(options: {
  store: Store;
  bus: Bus;
  clock: Clock;
  config: Config;
  /** How busy the API is. */
  load?: () => { inFlight: number; maxInFlight: number; lagMs: number; refused: number };
  home: string;
  version: string;
  startedAt: number;
  fallbacks: readonly { component: string; message: string; hint: string }[];
}): HealthSource {
  const { store, bus, clock, config, home } = options;
  const since = new Map<string, { status: HealthStatus; at: number }>();
  let cached: { at: number; report: Promise<HealthReport> } | null = null;

  const looks: Record<string, () => Promise<Finding>> = {
    async store() {
      const ping = await store.ping();
      const fallback = options.fallbacks.find(({ component }) => component === 'store');
      if (fallback !== undefined) return { status: 'warn', message: fallback.message, hint: fallback.hint };
      return {
        status: 'pass',
        message: `${store.engine} answers`,
        details: { location: store.location, size_bytes: ping.sizeBytes, wal_bytes: ping.walBytes },
      };
    },
    async bus() {
      const details = { backend: bus.backend };
      if (bus.isUp?.() === false) {
        return {
          status: 'warn',
          message: `${bus.backend} is away: other machines are woken by their polls alone`,
          hint: 'pao logs --level warn',
          details,
        };
      }
      return { status: 'pass', message: `${bus.backend} bus`, details };
    },
    async scheduler() {
      return heartbeatOf('scheduler', 1);
    },
    async workers() {
      return heartbeatOf('worker', config.workers);
    },
    async queue() {
      const now = clock.now();
      const stats = await store.stats(now);
      const lag = stats.oldestDueAt === null ? 0 : Math.max(0, now - stats.oldestDueAt);
      const details = {
        due: stats.due,
        leased: stats.leased,
        dead: stats.dead,
        lag_seconds: lag / 1000,
        tasks_without_due: stats.activeWithoutDue,
      };
      if (stats.activeWithoutDue > 0) {
        return {
          status: 'warn',
          message: `${stats.activeWithoutDue} active tasks have no due time`,
          hint: 'pao doctor',
          details,
        };
      }
      if (lag > LAG_WARN_MS) {
        return {
          status: 'warn',
          message: `the oldest due run has waited for ${formatDuration(lag)}`,
          hint: 'pao run list --status queued',
          details,
        };
      }
      return { status: 'pass', message: `${stats.due} due, ${stats.leased} running`, details };
    },
    async api() {
      const load = options.load?.();
      if (load === undefined) return { status: 'pass', message: 'answers' };
      const details = {
        in_flight: load.inFlight,
        max_in_flight: load.maxInFlight,
        event_loop_lag_seconds: load.lagMs / 1000,
      };
      if (load.refused === 0)
        return { status: 'pass', message: `${load.inFlight} requests under way`, details };
      return {
        status: 'warn',
        message: `${load.refused} requests were turned away in the last 10 s: more than it can answer`,
        hint: 'pao logs --level warn',
        details,
      };
    },
    async disk() {
      const space = await store.space();
      const { bavail, bsize } = await statfs(home);
      const free = Math.min(bavail * bsize, space.freeBytes ?? Number.POSITIVE_INFINITY);
      const details = { free_bytes: free };
      if (space.full) {
        return {
          status: 'fail',
          message: 'the disk is full: new work is refused, what runs may end',
          hint: `df -h ${store.engine === 'sqlite' ? dirname(store.location) : home}`,
          details,
        };
      }
      if (free < LOW_DISK_BYTES)
        return { status: 'warn', message: 'little space is left for data', hint: `df -h ${home}`, details };
      return { status: 'pass', message: `${Math.floor(free / 1024 ** 3)} GiB free`, details };
    },
  };

  async function heartbeatOf(kind: 'scheduler' | 'worker', wanted: number): Promise<Finding> {
    const now = clock.now();
    const alive = (await store.listWorkers()).filter(
      (one) => one.kind === kind && now - one.lastSeenAt < HEARTBEAT_TIMEOUT_MS,
    );
    const details = { alive: alive.length, wanted };
    if (alive.length === 0 && wanted > 0) {
      return {
        status: 'fail',
        message: `no ${kind} has given a sign for ${HEARTBEAT_TIMEOUT_MS / 1000} s`,
        hint: 'pao logs --level warn',
        details,
      };
    }
    if (alive.length < wanted)
      return {
        status: 'warn',
        message: `${alive.length} of ${wanted} alive`,
        hint: 'pao logs --level warn',
        details,
      };
    const slots = alive.reduce((sum, one) => sum + one.slotsTotal, 0);
    const configured = alive.length * config.worker_concurrency;
    // Adapting is what it should do then; it is said, and no fault.
    if (kind === 'worker' && slots < configured) {
      const message = `${alive.length} alive, under pressure: ${slots} of ${configured} runs at once`;
      return { status: 'pass', message, details: { ...details, slots, slots_configured: configured } };
    }
    return { status: 'pass', message: `${alive.length} alive`, details };
  }

  async function look(name: string, work: () => Promise<Finding>): Promise<HealthCheck> {
    const began = clock.monotonic();
    let finding: Finding;
    try {
      finding = await work();
    } catch (error) {
      finding = {
        status: 'fail',
        message: error instanceof Error ? error.message : String(error),
        hint: 'pao doctor',
      };
    }
    const before = since.get(name);
    if (before === undefined || before.status !== finding.status)
      since.set(name, { status: finding.status, at: clock.now() });
    return {
      name,
      status: finding.status,
      since: new Date(since.get(name)?.at ?? clock.now()).toISOString(),
      message: finding.message,
      hint: finding.hint ?? null,
      duration_ms: Math.round((clock.monotonic() - began) * 100) / 100,
      ...finding.details,
    };
  }

  async function reportNow(): Promise<HealthReport> {
    const checks = await Promise.all(Object.entries(looks).map(([name, work]) => look(name, work)));
    const broken = checks.some(
      ({ name, status }) => status === 'fail' && (name === 'store' || name === 'disk'),
    );
    const fine = checks.every((check) => check.status === 'pass');
    return {
      status: broken ? 'unhealthy' : fine ? 'healthy' : 'degraded',
      version: options.version,
      uptime_seconds: Math.max(0, Math.round((clock.now() - options.startedAt) / 1000)),
      checks,
    };
  }

  return {
    report() {
      const now = clock.monotonic();
      if (cached === null || now - cached.at > 1000) cached = { at: now, report: reportNow() };
      return cached.report;
    },
    async ready() {
      try {
        await store.ping();
        return true;
      } catch {
        return false;
      }
    },
  };
}
