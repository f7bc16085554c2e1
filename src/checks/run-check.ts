import { setMaxListeners } from 'node:events';
import { formatDuration } from '../domain/duration.js';
import { PaoError } from '../domain/errors.js';
import { Redactor } from '../domain/redact.js';
import {
  type Check,
  CheckFailure,
  CheckSkipped,
  type CheckResult,
  type CheckTools,
  CheckWarning,
  type Evidence,
} from './check.js';

/** How long a check may take that says nothing else, milliseconds. */
export const DEFAULT_TIMEOUT_MS = 60_000;

/** What {@link runCheck} needs besides the check and its context. */
export interface RunCheckOptions {
  /** Ctrl-C. */
  signal: AbortSignal;
  /** As typed, for hints: `pao final-validation`. */
  command: string;
  /** Overrides the check's own, milliseconds. */
  timeoutMs?: number | null;
  progress?: (text: string) => void;
  cleanUp?: CheckTools['cleanUp'];
  redactor?: Redactor;
}

/** Runs one check until it ends, its time is up or the signal says stop. Never throws. */
export async function runCheck<Context>(
  check: Check<Context>,
  context: Context,
  options: RunCheckOptions,
): Promise<CheckResult> {
  const { signal, command, redactor = new Redactor() } = options;
  const timeoutMs = options.timeoutMs ?? check.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const began = performance.now();
  const overtime = new AbortController();
  const ends = AbortSignal.any([signal, overtime.signal]);
  // Each of many requests at once listens to it.
  setMaxListeners(0, ends);
  const timer = setTimeout(() => overtime.abort(new Overtime()), timeoutMs);
  const end = (
    status: CheckResult['status'],
    evidence: Evidence,
    error: string | null,
    hint: string | null,
  ) =>
    redactor.redact<CheckResult>({
      id: check.id,
      title: check.title,
      group: check.group,
      status,
      duration_ms: Math.round(performance.now() - began),
      evidence,
      error,
      hint,
    });
  const rerun = `${command} --only ${check.id} --verbose`;
  const tools: CheckTools = {
    signal: ends,
    rerun,
    progress: options.progress ?? (() => {}),
    cleanUp: options.cleanUp ?? (() => {}),
  };
  try {
    // A check that does not heed its signal must not hold up the suite.
    const evidence = await Promise.race([check.run(context, tools), rejection(ends)]);
    return end('passed', evidence, null, null);
  } catch (error) {
    if (signal.aborted)
      return end('skipped', {}, 'Interrupted while it ran.', `${command} --only ${check.id}`);
    if (overtime.signal.aborted) {
      const twice = formatDuration(timeoutMs * 2).replace(' ', '');
      return end(
        'failed',
        error instanceof CheckFailure ? error.evidence : {},
        `It took longer than ${formatDuration(timeoutMs)}.`,
        `${command} --only ${check.id} --timeout ${twice}`,
      );
    }
    const { evidence, message, hint } = described(error, rerun);
    return end(statusOf(error), evidence, message, hint);
  } finally {
    clearTimeout(timer);
  }
}

class Overtime extends Error {}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function statusOf(error: unknown): CheckResult['status'] {
  if (error instanceof CheckSkipped) return 'skipped';
  return error instanceof CheckWarning ? 'warned' : 'failed';
}

/** A failure in words, whatever was thrown. */
function described(error: unknown, rerun: string): { evidence: Evidence; message: string; hint: string } {
  if (error instanceof CheckFailure) return error;
  if (error instanceof PaoError) {
    const { message, problems, hints } = error;
    const evidence = problems.length === 0 ? { code: error.code } : { code: error.code, problems };
    return { evidence, message, hint: hints[0] ?? rerun };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { evidence: {}, message: `It ended with an error: ${message}`, hint: rerun };
}
