import type { HealthCheck, HealthReport, HealthStatus } from '../../domain/health.js';
import { LIMITS } from '../../domain/observability/limits.js';
import type { Store } from '../store/store.js';
import { componentLooks, type Finding, type LookOptions } from './health-looks.js';

export interface HealthSource {
  /** Every component, looked at now; cached for a second. */
  report(): Promise<HealthReport>;
  /** Whether requests can be served: the store answers. */
  ready(): Promise<boolean>;
}

/** Never fatal: the system does its work without it, or says so elsewhere. */
const NOT_FATAL = new Set(['api', 'bus', 'backup', 'dead_letters', 'outbox', 'queue', 'tools', 'event_loop']);
const CACHE_MS = 1000;

/** Looks at each component of the system the way a person would ask for it (observability.md A8). */
export function createHealth(options: LookOptions & { version: string; startedAt: number }): HealthSource {
  const { store, clock } = options;
  const since = new Map<string, { status: HealthStatus; at: number; seenToChange: boolean }>();
  const looks = componentLooks(options);
  let cached: { at: number; report: Promise<HealthReport> } | null = null;
  let ready: { at: number; answer: Promise<boolean> } | null = null;

  async function look(name: string, work: () => Promise<Finding>): Promise<HealthCheck> {
    const began = clock.monotonic();
    const finding = await inTime(work()).catch(
      (error: unknown): Finding => ({
        status: 'fail',
        message: error instanceof Error ? error.message : String(error),
        hint: name === 'store' ? 'pao doctor --only database' : 'pao doctor',
      }),
    );
    const before = since.get(name);
    if (before === undefined || before.status !== finding.status)
      since.set(name, { status: finding.status, at: clock.now(), seenToChange: before !== undefined });
    return {
      name,
      status: finding.status,
      since: new Date(since.get(name)?.at ?? clock.now()).toISOString(),
      since_is_first_look: since.get(name)?.seenToChange !== true,
      message: finding.message,
      hint: finding.hint ?? null,
      duration_ms: Math.round((clock.monotonic() - began) * 100) / 100,
      ...(finding.runbook === undefined ? {} : { doc: `docs/runbooks/${finding.runbook}.md` }),
      ...finding.details,
    };
  }

  async function reportNow(): Promise<HealthReport> {
    const checks = await Promise.all(Object.entries(looks).map(([name, work]) => look(name, work)));
    const broken = checks.some(({ name, status }) => status === 'fail' && !NOT_FATAL.has(name));
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
      if (cached === null || now - cached.at > CACHE_MS) cached = { at: now, report: reportNow() };
      return cached.report;
    },
    ready() {
      const now = clock.monotonic();
      if (ready === null || now - ready.at > CACHE_MS) {
        ready = { at: now, answer: pingInTime(store) };
      }
      return ready.answer;
    },
  };
}

/** Whether the store answers within the time that a database is given. */
export const pingInTime = (store: Pick<Store, 'ping'>): Promise<boolean> =>
  inTime(store.ping()).then(
    () => true,
    () => false,
  );

/** @throws Error when there is no answer within the time that a database is given. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const seconds = LIMITS.databaseTimeoutSeconds;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${seconds} s`)), seconds * 1000);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
