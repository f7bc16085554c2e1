import { EXIT, PaoError } from '../domain/errors.js';
import { isAnswerable } from './ask.js';
import type { CliProcess } from './cli-config.js';
import { askLine } from './prompt.js';

export interface ConfirmOptions {
  /** The command's `--yes`. */
  yes: boolean;
  process: Pick<CliProcess, 'stdin' | 'stderr' | 'signal'>;
}

/**
 * Asks before something that can not be undone.
 * @throws PaoError PAO_CONFIRMATION_NEEDED (exit 2) without a terminal and `--yes`, PAO_NOT_CONFIRMED (exit 1) on a no
 * and on Ctrl-D; Interruption on Ctrl-C.
 */
export async function confirm(question: string, { yes, process }: ConfirmOptions): Promise<void> {
  if (yes) return;
  if (!isAnswerable(process)) {
    throw new PaoError('PAO_CONFIRMATION_NEEDED', `${question} There is nobody to ask.`, {
      exitCode: EXIT.usage,
      hints: ['Add --yes to do it without a question'],
    });
  }
  const answer = await askLine(`${question} [y/N] `, process);
  if (/^\s*y(es)?\s*$/i.test(answer ?? '')) return;
  throw new PaoError('PAO_NOT_CONFIRMED', 'Nothing was changed.');
}
