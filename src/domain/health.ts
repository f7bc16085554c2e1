/** How one part of a system is. */
export type HealthStatus = 'pass' | 'warn' | 'fail';

/** One component's state, as `/health` shows it. */
export interface HealthCheck {
  name: string;
  status: HealthStatus;
  /** Since when it has had this status, RFC 3339. */
  since: string;
  /** `since` is when this server first looked: it may have been so for longer. */
  since_is_first_look: boolean;
  message: string;
  hint: string | null;
  duration_ms: number;
  [detail: string]: unknown;
}

/** The answer of `/health` (interfaces.md). */
export interface HealthReport {
  status: 'healthy' | 'degraded' | 'unhealthy';
  version: string;
  uptime_seconds: number;
  checks: HealthCheck[];
}
