import { EXIT, PaoError } from '../domain/errors.js';
import { SHORTEST_SECRET } from '../domain/secret-name.js';
import { isAnswerable } from './ask.js';
import { type CliProcess, Interruption } from './cli-config.js';
import { readTextInput } from './json-input.js';

/** A longer value is no token, password or key. */
const LONGEST = 64 * 1024;

type Source = Pick<CliProcess, 'stdin' | 'stderr' | 'signal' | 'cwd'>;

/**
 * A secret value, from where nobody else can see it: what is piped in, without the last line break, or typed at a prompt
 * that shows nothing.
 * @throws PaoError (exit 2) when it is empty, or too short to be found in a log and hidden there.
 */
export async function readSecretValue(question: string, process: Source): Promise<string> {
  const isTyped = isAnswerable(process);
  const text = isTyped ? await askHidden(question, process) : await readTextInput('-', process);
  const value = text.replace(/\r?\n$/, '');
  const refuse = (message: string) =>
    new PaoError('PAO_SECRET_VALUE', message, {
      exitCode: EXIT.usage,
      hints: ['Pipe it in: printf %s "$VALUE" | pao secret set NAME'],
    });
  if (value === '') throw refuse(isTyped ? 'Nothing was typed.' : 'Nothing came on standard input.');
  if (value.length < SHORTEST_SECRET) {
    throw refuse(
      `A value of fewer than ${SHORTEST_SECRET} characters can not be hidden in logs: it would black out ordinary words.`,
    );
  }
  if (value.length > LONGEST) throw refuse(`The value has more than ${LONGEST} characters.`);
  return value;
}

/** Asks on stderr and reads one line that the terminal does not show. */
export async function askHidden(question: string, { stdin, stderr, signal }: Source): Promise<string> {
  stderr.write(question);
  stdin.setRawMode(true);
  stdin.resume();
  stdin.setEncoding('utf8');
  let text = '';
  try {
    for await (const part of stdin as AsyncIterable<string>) {
      for (const character of part) {
        if (character === '\r' || character === '\n' || character === '\u0004') return text;
        if (character === '\u0003') throw new Interruption('SIGINT');
        if (character === '\u007f' || character === '\b') text = [...text].slice(0, -1).join('');
        else if (character === '\u0015') text = '';
        else text += character;
      }
      signal.throwIfAborted();
    }
    return text;
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write('\n');
  }
}
