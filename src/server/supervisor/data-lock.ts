import { join } from 'node:path';
import { EXIT, PaoError } from '../../domain/errors.js';
import { holdExclusively } from '../store/sqlite/exclusive-file.js';
import { makeFolder } from './make-folder.js';

/**
 * Takes the data directory for this process: an exclusive transaction on `run/lock.db`. The operating system frees it
 * with the process, whatever ends it; a pid file could lie (reliability.md D2.7).
 * @returns a function that frees it.
 * @throws PaoError PAO_ALREADY_RUNNING (exit 3) when another process has it.
 */
export function lockDataDirectory(home: string): () => void {
  const folder = join(home, 'run');
  try {
    makeFolder(folder);
  } catch (error) {
    throw new PaoError(
      'PAO_HOME_UNWRITABLE',
      `The data directory ${home} can not be written (${(error as NodeJS.ErrnoException).code}).`,
      {
        exitCode: EXIT.unavailable,
        hints: [`ls -ld ${home}`, 'export PAO_HOME=/path/to/another/directory'],
        cause: error,
      },
    );
  }
  const release = holdExclusively(join(folder, 'lock.db'));
  if (release !== null) return release;
  throw new PaoError('PAO_ALREADY_RUNNING', `Another pao is running on ${home}.`, {
    exitCode: EXIT.unavailable,
    hints: ['pao status', 'pao stop'],
  });
}
