/** What a process whose main thread is stuck is ended with: nobody handles it, so it ends at once, and it tells why. */
export const STUCK_SIGNAL = 'SIGALRM';

/** Why a worker has to be started again: V8 aborts when its memory is used up, the lease keeper ends what is stuck. */
export function restartReason(exit: {
  code: number | null;
  signal: string | null;
}): 'crash' | 'oom' | 'stuck' {
  if (exit.signal === 'SIGABRT' || exit.code === 134) return 'oom';
  return exit.signal === STUCK_SIGNAL ? 'stuck' : 'crash';
}
