import type { RunError } from './run.js';

/**
 * `pending`: not sent yet, or tried and to be tried again; `deferred`: waits for the end of a quiet time or for its
 * digest; `suppressed`: not sent on purpose; `unknown`: it went out and the answer was lost, so that only a person can
 * say whether it arrived.
 */
export const DELIVERY_STATUSES = [
  'pending',
  'sending',
  'deferred',
  'delivered',
  'suppressed',
  'failed',
  'unknown',
] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** Statuses after which nothing happens on its own. */
const SETTLED: ReadonlySet<DeliveryStatus> = new Set(['delivered', 'suppressed', 'failed', 'unknown']);

/** Whether nothing happens to a delivery on its own any more. */
export const isSettled = (status: DeliveryStatus): boolean => SETTLED.has(status);

/** What a quiet time does to a message. */
export const QUIET_MODES = ['defer', 'skip', 'ignore'] as const;
export type QuietMode = (typeof QUIET_MODES)[number];

/** What a message came from: a step of a run, a question to a person, a notice about a task, or a try of a channel. */
export type DeliveryOrigin = 'step' | 'approval' | 'notice' | 'test';

/** What is handed to the tool of a channel. */
export interface DeliveryMessage {
  input: unknown;
  /**
   * Where secrets stand in `input`: texts of the form `<mark>NAME<mark>`. The mark is drawn at random for each message,
   * so that nothing that comes from outside can be taken for a secret.
   */
  secrets?: { mark: string; names: string[] };
  /** The operator named the target, in the configuration: it needs no grant of an agent. */
  byOperator?: boolean;
}

/** One message on its way to one channel. Times are epoch milliseconds. */
export interface Delivery {
  id: string;
  agentId: string;
  /** What it stands for, once for an agent: a message with the same key is the same message. */
  key: string;
  origin: DeliveryOrigin;
  taskId: string | null;
  runId: string | null;
  stepId: string | null;
  /** Address of the tool that sends it, such as `channel.phone`. */
  channel: string;
  message: DeliveryMessage;
  quietHours: QuietMode;
  /** Passes quiet hours. */
  urgent: boolean;
  /** Messages with the same one are sent as one when several are due; null: it is always sent alone. */
  digestKey: string | null;
  status: DeliveryStatus;
  /** Why it is deferred, suppressed, or tried again. */
  reason: string | null;
  /** Times it was handed to the tool. */
  attempts: number;
  /** When it is looked at next; null when it is being sent or settled. */
  dueAt: number | null;
  /** Grows with each attempt: whoever writes what became of one must know it. */
  leaseToken: number;
  error: RunError | null;
  /** What the other side answered. */
  answer: unknown;
  /** The delivery it was sent with, as one message. */
  mergedInto: string | null;
  createdAt: number;
  updatedAt: number;
  finishedAt: number | null;
}

/** A delivery as it is written; the rest follows. */
export type NewDelivery = Pick<
  Delivery,
  | 'id'
  | 'agentId'
  | 'key'
  | 'origin'
  | 'taskId'
  | 'runId'
  | 'stepId'
  | 'channel'
  | 'message'
  | 'quietHours'
  | 'urgent'
  | 'digestKey'
  | 'createdAt'
> & {
  /** `suppressed` is written to say that nothing was sent; it has no `dueAt`. */
  status: 'pending' | 'deferred' | 'suppressed';
  reason: string | null;
  dueAt: number | null;
};
