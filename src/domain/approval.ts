/** `expired`: nobody answered in time, which is not a refusal; what then happens is the step's `on_timeout`. */
export const APPROVAL_STATES = ['pending', 'approved', 'denied', 'expired', 'canceled'] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

/** What becomes of a question that nobody answers, after `Open until …;`. */
export const TIMEOUT_WORDS = {
  deny: 'then it counts as a no',
  approve: 'then it counts as a yes',
  skip: 'then the step is skipped',
} as const;

/** A question that a run waits with. Times are epoch milliseconds. */
export interface Approval {
  id: string;
  runId: string;
  taskId: string;
  taskName: string;
  agentId: string;
  stepId: string;
  /** What the person is asked. */
  message: string;
  /** What is to be approved; the person may change it. */
  data: unknown;
  state: ApprovalState;
  onTimeout: 'deny' | 'approve' | 'skip';
  requestedAt: number;
  expiresAt: number;
  decidedAt: number | null;
  /** `agent:<id>`, `telegram:<user id>`, `timeout`, or `run` (it ended). */
  decidedBy: string | null;
  comment: string | null;
}
