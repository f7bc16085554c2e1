/**
 * The limits by which health, doctor and the alert rules judge; a test compares them with ops/prometheus/rules.yml, so
 * that the three never disagree (observability.md A8). Seconds and bytes, as metrics are.
 */
export const LIMITS = {
  /** The oldest due work may be this old before people are told, and before it is urgent. */
  schedulerLagWarnSeconds: 60,
  schedulerLagCriticalSeconds: 300,
  /** A scheduler looks every second; this long without a look is late, and this long is stalled. */
  schedulerTickWarnSeconds: 5,
  schedulerTickFailSeconds: 30,
  queueDepthWarn: 100,
  queueLagWarnSeconds: 30,
  /** A process that gave no sign for this long is not counted as alive. */
  heartbeatTimeoutSeconds: 15,
  heartbeatStaleSeconds: 60,
  /** A worker that died without a good-bye is missed this long, and given up then. */
  heartbeatForgottenSeconds: 3600,
  /** A message may be due for this long before people are told: longer than any pause a busy outbox makes. */
  deliveryLagWarnSeconds: 300,
  databaseSlowSeconds: 0.25,
  databaseTimeoutSeconds: 1,
  poolWaitingSeconds: 10,
  /** A read or write that the disk failed is told of this long: the next may work, and prove nothing. */
  databaseErrorSeconds: 60,
  /** Audit records that could not be written are told of this long. */
  auditFailureSeconds: 60,
  diskWarnBytes: 1024 ** 3,
  diskCriticalBytes: 256 * 1024 ** 2,
  clockSkewWarnSeconds: 2,
  clockSkewFailSeconds: 30,
  /** A jump of the clock is remembered this long. */
  clockJumpSeconds: 600,
  backupStaleSeconds: 26 * 3600,
  eventLoopWarnSeconds: 0.5,
} as const;
