import { setTimeout as delay } from 'node:timers/promises';

/** Waits for a disk, a lock or another process: these live in real time, whatever time it is said to be. */
export async function waitInRealTime(ms: number): Promise<void> {
  // pao-lint-disable-next-line injected-timers -- see above: a simulated clock does not free a lock
  await delay(ms);
}
