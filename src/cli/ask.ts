import type { CliProcess } from './cli-config.js';

/**
 * Asks a question on stderr and reads one line; the default is taken when nobody sits there or nothing is typed.
 * @param process.signal aborts the question.
 */
export async function ask(
  process: Pick<CliProcess, 'stdin' | 'stderr' | 'signal'>,
  question: string,
  fallback: string,
): Promise<string> {
  if (!isAnswerable(process)) return fallback;
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = (await lines.question(question, { signal: process.signal })).trim();
    return answer === '' ? fallback : answer;
  } finally {
    lines.close();
  }
}

/** Whether a person can be asked: both ends of the conversation are a terminal. */
export function isAnswerable(process: Pick<CliProcess, 'stdin' | 'stderr'>): boolean {
  return Boolean(process.stdin.isTTY && process.stderr.isTTY);
}
