import type { CliProcess } from './cli-config.js';
import { askLine } from './prompt.js';

/**
 * Asks a question on stderr and reads one line; the default is taken when nobody sits there or nothing is typed
 * (Enter, Ctrl-D).
 * @param process.signal aborts the question.
 * @throws Interruption for Ctrl-C.
 */
export async function ask(
  process: Pick<CliProcess, 'stdin' | 'stderr' | 'signal'>,
  question: string,
  fallback: string,
): Promise<string> {
  if (!isAnswerable(process)) return fallback;
  const answer = (await askLine(question, process))?.trim() ?? '';
  return answer === '' ? fallback : answer;
}

/** Whether a person can be asked: both ends of the conversation are a terminal. */
export function isAnswerable(process: Pick<CliProcess, 'stdin' | 'stderr'>): boolean {
  return Boolean(process.stdin.isTTY && process.stderr.isTTY);
}
