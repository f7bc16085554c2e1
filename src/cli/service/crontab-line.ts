import { shellWord } from '../../domain/shell-word.js';
import { environmentOf, type ServiceProgram } from './program.js';

/** A line of crontab(5) that starts pao after a reboot, where there is no other way; cron reads `%` as a line end. */
export function crontabLine(program: ServiceProgram): string {
  const variables = Object.entries(environmentOf(program)).map(
    ([name, value]) => `${name}=${shellWord(value)}`,
  );
  const words = [program.node, program.bin, 'start', 'local', '--detach'].map(shellWord);
  return `@reboot cd ${shellWord(program.folder)} && ${[...variables, ...words].join(' ')}`.replaceAll(
    '%',
    '\\%',
  );
}
