import { EXIT, PaoError } from '../domain/errors.js';
import type { CliProcess } from './cli-config.js';

export interface ConfirmOptions {
  /** The command's `--yes`. */
  yes: boolean;
  process: Pick<CliProcess, 'stdin' | 'stderr' | 'signal'>;
}

/**
 * Asks before something that can not be undone.
 * @throws PaoError PAO_CONFIRMATION_NEEDED (exit 2) without a terminal and `--yes`, PAO_NOT_CONFIRMED (exit 1) on a no.
 */
export async function confirm(question: string, { yes, process }: ConfirmOptions): Promise<void> {
  if (yes) return;
  const { stdin, stderr, signal } = process;
  if (!stdin.isTTY || !stderr.isTTY) {
    throw new PaoError('PAO_CONFIRMATION_NEEDED', `${question} There is nobody to ask.`, {
      exitCode: EXIT.usage,
      hints: ['Add --yes to do it without a question'],
    });
  }
  const { createInterface } = await import('node:readline/promises');
  const prompt = createInterface({ input: stdin, output: stderr });
  try {
    const answer = await prompt.question(`${question} [y/N] `, { signal });
    if (/^\s*y(es)?\s*$/i.test(answer)) return;
  } finally {
    prompt.close();
  }
  throw new PaoError('PAO_NOT_CONFIRMED', 'Nothing was changed.');
}
