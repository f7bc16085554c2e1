import type { Delivery } from '../../domain/delivery.js';
import type { RunError } from '../../domain/run.js';
import type { ToolError } from '../../domain/tool-error.js';
import type { DeliveryOutcome } from '../store/store.js';
import type { ToolResult } from '../tools/caller.js';

/** Waits between attempts: from 2 s, doubled each time, up to a quarter of an hour; half of each at random. */
const BASE_MS = 2000;
const CAP_MS = 15 * 60_000;
/** So many attempts are made also of what had waited for long before the first. */
const LEAST_ATTEMPTS = 10;
/** A longer answer is not kept. */
const MAX_ANSWER = 16_384;

export type Verdict = Omit<DeliveryOutcome, 'id' | 'leaseToken'>;

const nothing = { reason: null, error: null, answer: null, dueAt: null, mergedInto: null };

/** It arrived. */
export function delivered(result: ToolResult): Verdict {
  const answer = result.output ?? null;
  const isSmall = JSON.stringify(answer).length <= MAX_ANSWER;
  return { ...nothing, status: 'delivered', answer: isSmall ? answer : null };
}

/** It is not sent, on purpose. */
export const suppressed = (reason: string): Verdict => ({ ...nothing, status: 'suppressed', reason });

/** It waits. */
export const deferred = (reason: string, dueAt: number): Verdict => ({
  ...nothing,
  status: 'deferred',
  reason,
  dueAt,
});

/** It can not be sent. */
export const failed = (error: RunError): Verdict => ({
  ...nothing,
  status: 'failed',
  reason: error.kind,
  error,
});

/**
 * What an attempt that did not succeed means: another one later, the end, or that nobody knows.
 * @param options.repeatable the other side drops repeats, or nothing happens twice: a lost answer may be asked for again.
 * @param options.retryForMs how long after it was written a message is still worth sending.
 * @param options.random from 0 up to 1.
 */
export function verdictOn(
  error: ToolError,
  delivery: Pick<Delivery, 'attempts' | 'createdAt'>,
  options: { now: number; repeatable: boolean; retryForMs: number; random: number },
): Verdict {
  const { now, repeatable, retryForMs, random } = options;
  const runError: RunError = {
    kind: error.kind,
    message: error.message,
    ...(error.pointer === undefined ? {} : { pointer: error.pointer }),
  };
  if (!error.outcomeKnown && !repeatable) {
    return {
      ...nothing,
      status: 'unknown',
      reason: error.kind,
      error: {
        ...runError,
        hint: 'It may have arrived, and is not sent again on its own: pao delivery resolve, or pao delivery resend.',
      },
    };
  }
  // A stop of this process is no fault of the other side.
  const isStopped = error.kind === 'canceled';
  if (!error.retryable && !isStopped && error.outcomeKnown) return failed(runError);
  const exponential = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(Math.max(0, delivery.attempts - 1), 20));
  const wait = isStopped ? 0 : exponential / 2 + (exponential / 2) * random;
  const dueAt = Math.round(now + Math.max(wait, error.retryAfterMs ?? 0));
  const isOver = dueAt - delivery.createdAt > retryForMs && delivery.attempts >= LEAST_ATTEMPTS;
  if (isOver || (error.retryAfterMs ?? 0) > retryForMs) return failed(runError);
  return { ...nothing, status: 'pending', reason: error.kind, error: runError, dueAt };
}
