import { EXIT, PaoError } from '../domain/errors.js';
import type { RunFile } from '../server/supervisor/run-file.js';
import { isAlive } from '../server/supervisor/run-file.js';
import { moment } from './running-system.js';

const LOOK_EVERY_MS = 25;

/**
 * Ends the pao of a run file and waits until its process is gone.
 * @throws PaoError PAO_STOP_FORBIDDEN when it is another user's, PAO_STOP_TIMEOUT when work still runs.
 */
export async function stopRunning(
  running: RunFile,
  options: { force?: boolean; timeoutMs: number; signal: AbortSignal },
): Promise<void> {
  tell(running, options.force ? 'SIGKILL' : 'SIGTERM');
  const deadline = performance.now() + options.timeoutMs;
  while (isAlive(running)) {
    if (performance.now() > deadline) throw tooSlow(running);
    await moment(LOOK_EVERY_MS, options.signal);
  }
}

function tell({ pid }: RunFile, signal: 'SIGKILL' | 'SIGTERM'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ESRCH') return;
    throw new PaoError('PAO_STOP_FORBIDDEN', `Process ${pid} is not yours to stop (${code}).`, {
      exitCode: EXIT.forbidden,
      hints: [`ps -o user,pid,args -p ${pid}`],
      cause: error,
    });
  }
}

function tooSlow({ pid }: RunFile): PaoError {
  return new PaoError('PAO_STOP_TIMEOUT', `pao (process ${pid}) still lets running work finish.`, {
    exitCode: EXIT.timeout,
    hints: ['pao stop --timeout 5m', 'pao stop --force'],
  });
}
