import { setTimeout as delay } from 'node:timers/promises';
import { isUnavailable } from '../../domain/errors.js';

const RETRY_MS = 1000;

/** The run was stopped before the store answered. */
export const STOPPED = Symbol('stopped');

/**
 * Asks the store until it answers: what a run has done is kept in memory while the disk is full or the database away
 * (reliability.md D2.9).
 * @returns {@link STOPPED} when the signal came first.
 * @throws what is no trouble of the store's.
 */
export async function insistently<T>(
  ask: () => Promise<T>,
  signal: AbortSignal,
): Promise<T | typeof STOPPED> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      await delay(RETRY_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) return STOPPED;
    }
  }
}
