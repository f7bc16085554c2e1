import { setTimeout as pause } from 'node:timers/promises';
import { holdExclusively } from '../store/sqlite/exclusive-file.js';

const LOOK_EVERY_MS = 50;

/**
 * Does something while no other process does: the lock goes with the process, whatever ends it.
 * @param path of the lock file, which stays.
 * @param waitMs how long others are waited for.
 * @throws what `busy` gives when they take longer.
 */
export async function alone<T>(
  path: string,
  { waitMs, busy }: { waitMs: number; busy: () => Error },
  work: () => Promise<T>,
): Promise<T> {
  for (let waited = 0; ; waited += LOOK_EVERY_MS) {
    const release = holdExclusively(path);
    if (release !== null) {
      try {
        return await work();
      } finally {
        release();
      }
    }
    if (waited >= waitMs) throw busy();
    await pause(LOOK_EVERY_MS);
  }
}
