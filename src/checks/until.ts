import { pause } from '../client/http-transport.js';
import { formatDuration } from '../domain/duration.js';
import { CheckFailure, type Evidence } from './check.js';

/** How long something may take that is waited for, milliseconds. */
export const PATIENCE_MS = 30_000;

/**
 * Waits until something is there: asks again and again until it is not null, undefined or false.
 * @param look what is asked; its own errors end the wait.
 * @throws CheckFailure that names what was waited for; the reason of the signal.
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  options: {
    signal: AbortSignal;
    /** The next command to type. */
    hint: string;
    timeoutMs?: number;
    /** What was there in the end, for the report. */
    seen?: () => Evidence;
  },
): Promise<T> {
  const { signal, timeoutMs = PATIENCE_MS, hint } = options;
  const end = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() >= end) {
      throw new CheckFailure(
        `Waited ${formatDuration(timeoutMs)} for ${what}.`,
        hint,
        options.seen?.() ?? {},
      );
    }
    await pause(25, signal);
  }
}
