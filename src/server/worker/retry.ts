import { parseDuration } from '../../domain/duration.js';

/** How often and how far apart a failed call is made again. */
export interface RetryPolicy {
  /** Retries after the first attempt. */
  max: number;
  backoff: 'fixed' | 'exponential' | 'exponential_jitter';
  baseMs: number;
  capMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = {
  max: 2,
  backoff: 'exponential_jitter',
  baseMs: 2000,
  capMs: 60_000,
};

/** A `retry` block of a task or a step, with the house defaults for what it leaves out. */
export function retryPolicy(
  block:
    | {
        max?: number | undefined;
        backoff?: RetryPolicy['backoff'] | undefined;
        base?: string | undefined;
        cap?: string | undefined;
      }
    | undefined,
): RetryPolicy {
  if (block === undefined) return DEFAULT_RETRY;
  return {
    max: block.max ?? DEFAULT_RETRY.max,
    backoff: block.backoff ?? DEFAULT_RETRY.backoff,
    baseMs: block.base === undefined ? DEFAULT_RETRY.baseMs : parseDuration(block.base),
    capMs: block.cap === undefined ? DEFAULT_RETRY.capMs : parseDuration(block.cap),
  };
}

/**
 * How long to wait before the next attempt, milliseconds. With `exponential_jitter` half of the exponential value is
 * fixed and half random ("equal jitter", AWS Architecture Blog 2015), so that a retry never comes at once.
 * A server's Retry-After is a lower bound: it is waited for in full.
 * @param failures attempts that have failed so far, from 1.
 * @param random a number from 0 up to 1.
 * @returns null when the server asks for longer than the cap: then there is no retry.
 */
export function retryDelay(
  policy: RetryPolicy,
  failures: number,
  random: number,
  retryAfterMs?: number,
): number | null {
  if (retryAfterMs !== undefined && retryAfterMs > policy.capMs) return null;
  const exponential = Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(failures - 1, 30));
  const delay =
    policy.backoff === 'fixed'
      ? Math.min(policy.baseMs, policy.capMs)
      : policy.backoff === 'exponential'
        ? exponential
        : exponential / 2 + (exponential / 2) * random;
  return Math.round(Math.max(delay, retryAfterMs ?? 0));
}
