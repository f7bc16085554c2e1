/** The statuses of a run (product.md). */
export const RUN_STATUSES = [
  'queued',
  'running',
  'waiting',
  'succeeded',
  'partial',
  'failed',
  'dead',
  'canceled',
  'skipped',
  'missed',
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** Statuses that never change again. */
export const FINAL_RUN_STATUSES: readonly RunStatus[] = [
  'succeeded',
  'partial',
  'failed',
  'dead',
  'canceled',
  'skipped',
  'missed',
];

export const isFinal = (status: RunStatus): boolean => FINAL_RUN_STATUSES.includes(status);

export const RUN_TRIGGERS = ['schedule', 'manual', 'event', 'condition', 'catchup', 'replay'] as const;
export type RunTrigger = (typeof RUN_TRIGGERS)[number];

/** Why a run is not plainly `succeeded` (product.md); open for tool error kinds. */
export type RunReason = string;

/** A run was asked to cancel when its last step was done already: the work stands, and so does its status. */
export const CANCEL_TOO_LATE = 'cancel_too_late';

/** How a run ends when a person said no to what it asked, or nobody answered in time: it did what it was to do. */
const ANSWERED: readonly RunReason[] = ['denied', 'expired'];

/** Whether a run ended because something went wrong. */
export const isFailure = ({ status, reason }: Pick<Run, 'status' | 'reason'>): boolean =>
  status === 'dead' || (status === 'failed' && !ANSWERED.includes(reason ?? ''));

/** What went wrong, without secrets. */
export interface RunError {
  kind: string;
  message: string;
  step?: string;
  pointer?: string;
  hint?: string;
}

/** One occurrence, manual start or trigger, and all that became of it. Times are epoch milliseconds. */
export interface Run {
  id: string;
  taskId: string;
  taskName: string;
  taskVersion: number;
  agentId: string;
  status: RunStatus;
  reason: RunReason | null;
  trigger: RunTrigger;
  /** The instant the schedule named, or the moment it was asked for. */
  scheduledFor: number;
  /** When the run row was written. */
  createdAt: number;
  /** When it may start next (later than scheduledFor after a retry, with jitter or when staggered). */
  runAt: number;
  /** When a worker first began it. */
  startedAt: number | null;
  finishedAt: number | null;
  /** How many times a worker began it. */
  attempt: number;
  /** How many workers died while they had it; three make it dead (poison). */
  deaths: number;
  priority: number;
  params: Record<string, unknown>;
  /** The event that triggered it. */
  eventId: string | null;
  /** The run it replays, or the run that created it. */
  parentRunId: string | null;
  dedupeKey: string | null;
  output: unknown;
  error: RunError | null;
  /** W3C trace id, 32 hex digits. */
  traceId: string | null;
  /** The worker that has or had it. */
  workerId: string | null;
}

export const STEP_STATUSES = ['running', 'succeeded', 'failed', 'skipped', 'unknown', 'waiting'] as const;
/** `unknown`: a call went out and its outcome was lost; it is not repeated on its own. */
export type StepStatus = (typeof STEP_STATUSES)[number];

/** What is recorded of one step of one run. */
export interface StepRun {
  runId: string;
  stepId: string;
  /** Position in the pipeline, from 0. */
  position: number;
  tool: string | null;
  status: StepStatus;
  reason: string | null;
  /** Calls made, retries included. */
  attempts: number;
  startedAt: number | null;
  finishedAt: number | null;
  /** The rendered input, secrets replaced by `***`. */
  input: unknown;
  output: unknown;
  error: RunError | null;
  idempotencyKey: string | null;
  /** Tokens used by model calls. */
  usage: { inputTokens: number; outputTokens: number; estimated?: boolean } | null;
}
