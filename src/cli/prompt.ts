import { type CliProcess, Interruption } from './cli-config.js';

/**
 * Asks a question on stderr and reads the line that is typed.
 * @param process.signal aborts the question, with its reason.
 * @returns null for Ctrl-D: nothing comes any more.
 * @throws Interruption for Ctrl-C: while it edits a line, readline gets the key and the process no signal.
 */
export async function askLine(
  question: string,
  { stdin, stderr, signal }: Pick<CliProcess, 'stdin' | 'stderr' | 'signal'>,
): Promise<string | null> {
  const { createInterface } = await import('node:readline');
  signal.throwIfAborted();
  const lines = createInterface({ input: stdin, output: stderr });
  let abort = () => {};
  let answer: string | null = null;
  try {
    answer = await new Promise<string | null>((resolve, reject) => {
      abort = () => reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      lines.once('SIGINT', () => reject(new Interruption('SIGINT')));
      lines.once('close', () => resolve(null));
      lines.question(question, resolve);
    });
    return answer;
  } finally {
    signal.removeEventListener('abort', abort);
    lines.close();
    // The cursor still stands behind the question.
    if (answer === null) stderr.write('\n');
  }
}
