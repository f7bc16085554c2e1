import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { EXIT, PaoError } from '../domain/errors.js';
import { JsonSyntaxError, parseJsonStrict } from '../domain/json.js';
import type { CliProcess } from './cli-config.js';

/** Where a value may come from besides the command line. */
export type InputSource = Pick<CliProcess, 'cwd' | 'stdin'>;

/**
 * The JSON a flag gives: written out, `@FILE` for what a file holds, `-` for what stdin holds.
 * @param flag its name, for messages.
 * @throws PaoError with exit code 2 when it is not JSON, or the file cannot be read.
 */
export async function readJsonInput(text: string, flag: string, source: InputSource): Promise<unknown> {
  const from = text === '-' ? 'stdin' : text.startsWith('@') ? text.slice(1) : null;
  const json = from === null ? text : await readTextInput(text === '-' ? '-' : text.slice(1), source);
  try {
    return parseJsonStrict(json);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    const where = from === null ? flag : `${flag} (${from})`;
    throw new PaoError('PAO_JSON_INVALID', `${where} is not JSON: ${error.message}`, {
      exitCode: EXIT.usage,
      hints: [...error.hints, `${flag} '{"name": "value"}'`, `${flag} @FILE reads it from a file`],
      cause: error,
    });
  }
}

/**
 * The text of a file, or of stdin when the path is `-`.
 * @throws PaoError with exit code 2 when there is no such file, or it cannot be read.
 */
export async function readTextInput(path: string, { cwd, stdin }: InputSource): Promise<string> {
  if (path === '-') return readStdin(stdin);
  const file = resolve(cwd, path);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
    throw new PaoError(
      isMissing ? 'PAO_FILE_MISSING' : 'PAO_FILE_UNREADABLE',
      isMissing ? `There is no file ${file}.` : `${file} cannot be read (${code ?? String(error)}).`,
      { exitCode: EXIT.usage, hints: [isMissing ? `ls ${dirname(file)}` : `ls -l ${file}`], cause: error },
    );
  }
}

async function readStdin(stdin: CliProcess['stdin']): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stdin) parts.push(typeof part === 'string' ? Buffer.from(part) : (part as Buffer));
  return Buffer.concat(parts).toString('utf8');
}
