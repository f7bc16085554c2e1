/** `expired`: nobody answered in time, which is not a refusal; what then happens is the step's `on_timeout`. */
export const APPROVAL_STATES = ['pending', 'approved', 'denied', 'expired', 'canceled'] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

/** What becomes of a question that nobody answers, after `Open until …;`. */
export const TIMEOUT_WORDS = {
  deny: 'without an answer by then the step is not done (a timeout, not a denial)',
  approve: 'without an answer by then the run goes on as after a yes',
  skip: 'without an answer by then nothing that comes after it is done, and the run ends as skipped',
} as const;

/** What has become of a question that nobody answered, as a sentence. */
export const TIMED_OUT_WORDS = {
  deny: 'A timeout is not a denial; the step was not done, and its reason is “expired”.',
  approve: 'A timeout is not a denial; the run goes on as after a yes.',
  skip: 'A timeout is not a denial; nothing that comes after it is done, and the run ends as skipped.',
} as const;

/** The line of a message that says until when it can be answered. @param until with its zone. */
export const deadlineLine = (until: string, onTimeout: keyof typeof TIMEOUT_WORDS): string =>
  `Open until ${until}; ${TIMEOUT_WORDS[onTimeout]}.`;

/** The text of a message without that line, which ends it: it is true no more when the question is closed. */
export const withoutDeadline = (text: string): string => text.replace(/(^|\n\n)Open until [^\n]*$/, '');

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
