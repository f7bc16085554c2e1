import { ToolError } from '../../domain/tool-error.js';

/** One signal out of the caller's own and a total time; says afterwards which of the two ended the call. */
export interface Deadline {
  readonly signal: AbortSignal;
  /**
   * The error to report once the signal is aborted: `canceled` when the caller aborted, `timeout` when time ran out,
   * or the ToolError the caller gave as the reason of its abort.
   */
  error(sent: boolean): ToolError;
  /** Milliseconds left at most; never negative. */
  remaining(): number;
  /** Lets go of the timer and of the caller's signal. Must always be called. */
  end(): void;
}

/**
 * Starts the total time of one call. A timer is used, not a clock: an abort must reach the socket while nobody is looking.
 * @param timeoutMs total time in milliseconds, at least 1.
 */
export function startDeadline(parent: AbortSignal, timeoutMs: number, monotonic: () => number): Deadline {
  const controller = new AbortController();
  const startedAt = monotonic();
  let timedOut = false;
  const onAbort = () => controller.abort(parent.reason);
  const timer = setTimeout(
    () => {
      timedOut = true;
      controller.abort(new DOMException('The call took too long.', 'TimeoutError'));
    },
    Math.min(Math.max(1, timeoutMs), 2_147_483_647),
  );
  if (parent.aborted) onAbort();
  else parent.addEventListener('abort', onAbort, { once: true });

  return {
    signal: controller.signal,
    error(sent) {
      if (timedOut) {
        return new ToolError('timeout', `No complete answer within ${describe(timeoutMs)}.`, {
          outcomeKnown: !sent,
        });
      }
      if (parent.reason instanceof ToolError) return parent.reason;
      return new ToolError('canceled', 'The call was canceled.', { outcomeKnown: !sent });
    },
    remaining: () => Math.max(0, timeoutMs - (monotonic() - startedAt)),
    end() {
      clearTimeout(timer);
      parent.removeEventListener('abort', onAbort);
    },
  };
}

function describe(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}
