import { EXIT, PaoError } from '../../domain/errors.js';
import { type RunFile, readRunFile } from '../../server/supervisor/run-file.js';
import { moment } from '../running-system.js';
import type { ServiceManager } from './manager.js';

const LOOK_EVERY_MS = 200;
const READY_WITHIN_MS = 90_000;
/** Looks in a row that must find it ended: between being told to start and having a process there is a moment. */
const SURE = 3;

/**
 * Waits until the pao that a service started is ready.
 * @throws PaoError PAO_SERVICE_START with the last lines it wrote when it ends again, PAO_SERVICE_SLOW (exit 124) when it
 * takes longer than a minute and a half.
 */
export async function waitForService(
  manager: ServiceManager,
  name: string,
  home: string,
  signal: AbortSignal,
): Promise<RunFile> {
  const deadline = performance.now() + READY_WITHIN_MS;
  for (let ended = 0; ; ) {
    const { pid, end } = await manager.state(name);
    const running = readRunFile(home);
    if (running !== null && running.pid === pid) return running;
    const logs = manager.logCommand(name, home);
    ended = pid === null && end !== null && running === null ? ended + 1 : 0;
    if (ended === SURE) {
      const lines = await manager.lastLines(name, home);
      throw new PaoError(
        'PAO_SERVICE_START',
        `The service started pao, and it is not there: ${end}.${lines === '' ? '' : `\n${lines}`}`,
        { exitCode: EXIT.failed, hints: [logs, 'pao doctor', 'pao service install'] },
      );
    }
    if (performance.now() > deadline) {
      throw new PaoError('PAO_SERVICE_SLOW', 'The service was started, and pao is not ready yet.', {
        exitCode: EXIT.timeout,
        hints: ['pao service status', logs],
      });
    }
    await moment(LOOK_EVERY_MS, signal);
  }
}
