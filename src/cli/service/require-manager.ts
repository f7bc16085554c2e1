import { EXIT, PaoError } from '../../domain/errors.js';
import type { CliProcess } from '../cli-config.js';
import type { ServiceManager } from './manager.js';
import { managerHere } from './manager-here.js';
import type { RunProgram } from './run-program.js';

/** What starts programs at login here. @throws PaoError PAO_SERVICE_UNSUPPORTED (exit 3) where pao knows no way. */
export function requireManager(process: CliProcess): { manager: ServiceManager; run: RunProgram } {
  const here = managerHere(process);
  if (here !== null) return here;
  throw unsupported(['pao service install --print   shows what to type into PowerShell']);
}

/** @param hints what to type instead. */
export function unsupported(hints: string[]): PaoError {
  return new PaoError(
    'PAO_SERVICE_UNSUPPORTED',
    'pao does not make services on this platform yet; on Windows the Task Scheduler does it.',
    { exitCode: EXIT.unavailable, hints },
  );
}
