import type {
  AgendaObject,
  ApprovalObject,
  DeliveryObject,
  RunObject,
  ServiceObject,
  TaskObject,
} from '../../client/api-objects.js';
import type { HealthReport } from '../../domain/health.js';

/** What a dashboard is made of; each is one request, so that a token which may not see one still sees the others. */
export const TOP_PARTS = [
  'workers',
  'running',
  'recent',
  'failed',
  'approvals',
  'messages',
  'next',
  'paused',
  'budgets',
] as const;
export type TopPart = (typeof TOP_PARTS)[number];

/** What of a day's budget is used. */
export interface BudgetUse {
  kind: 'agent' | 'task';
  id: string;
  name: string;
  unit: string;
  used: number;
  limit: number;
  /** 1 when all of it is used. */
  share: number;
}

/** A run, without what its steps carried. */
export type TopRun = Pick<
  RunObject,
  | 'id'
  | 'task_id'
  | 'task_name'
  | 'status'
  | 'reason'
  | 'trigger'
  | 'scheduled_for'
  | 'started_at'
  | 'finished_at'
  | 'duration_ms'
  | 'attempt'
  | 'worker_id'
  | 'error'
>;

/** A running system at one moment: what `pao top --json` prints. */
export interface TopSnapshot {
  url: string;
  /** When it was looked at, RFC 3339. */
  at: string;
  health: HealthReport;
  /** Numbers of the whole system; null where the server does not tell them. */
  queue: {
    due: number | null;
    leased: number | null;
    lag_seconds: number | null;
    running: number | null;
    waiting: number | null;
    dead: number | null;
  };
  rates: {
    /** The span that was looked at: 10 minutes, or less on a system that ran more than fits a page. */
    window_seconds: number;
    /** Runs that ended in it, a minute; null where runs may not be seen. */
    runs_per_minute: number | null;
    failures_per_minute: number | null;
    failed_last_hour: number | null;
    /** There were more than that. */
    failed_last_hour_truncated: boolean;
  };
  workers: ServiceObject[];
  running: TopRun[];
  approvals: ApprovalObject[];
  failed: TopRun[];
  /** The next occurrence of each task that is due within a day. */
  next: AgendaObject['items'];
  messages: Pick<
    DeliveryObject,
    | 'id'
    | 'run_id'
    | 'task_id'
    | 'channel'
    | 'status'
    | 'reason'
    | 'due_at'
    | 'attempts'
    | 'error'
    | 'created_at'
  >[];
  paused: Pick<TaskObject, 'id' | 'name' | 'state_reason' | 'updated_at'>[];
  /** Budgets of a day of which four fifths are used. */
  budgets: BudgetUse[];
  /** Parts that could not be read, and why in the server's words. */
  not_shown: { part: TopPart; code: string; message: string }[];
}
