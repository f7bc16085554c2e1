import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, PaoError } from '../domain/errors.js';
import type { RunFile } from '../server/supervisor/run-file.js';

const LOOK_EVERY_MS = 50;
const START_TIMEOUT_MS = 15_000;

/** Waits for a moment. @throws the reason of the signal when it is aborted. */
export async function moment(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
  signal.throwIfAborted();
}

/** What runs on a data directory; one that is just starting is waited for. @returns null when none gets ready in time. */
export async function waitForRunFile(
  home: string,
  signal: AbortSignal,
  timeoutMs = START_TIMEOUT_MS,
): Promise<RunFile | null> {
  const { readRunFile } = await import('../server/supervisor/run-file.js');
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const running = readRunFile(home);
    if (running !== null || performance.now() > deadline) return running;
    await moment(LOOK_EVERY_MS, signal);
  }
}

/** The error for a command that needs a system where none runs. */
export function notRunning(home: string): PaoError {
  return new PaoError('PAO_NOT_RUNNING', `pao does not run on ${home}.`, {
    exitCode: EXIT.unavailable,
    hints: ['pao start local'],
  });
}
