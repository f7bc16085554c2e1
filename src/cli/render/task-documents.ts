import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { text as readStream } from 'node:stream/consumers';
import { EXIT, invalidInput, PaoError, type Problem } from '../../domain/errors.js';
import { parseYamlDocuments, withPositions, type YamlDocument } from '../../domain/json.js';
import type { TaskInput } from '../../domain/task.js';
import type { CliProcess } from '../cli-config.js';

/** Ten times what the API takes in one request: a file may hold many tasks. */
const LIMITS = { maxBytes: 10 * 1024 * 1024, maxValues: 200_000 };

/** One task of a file, and where its parts are written. */
export interface TaskDocument {
  /** The file as it was named; `stdin` for `-`. */
  file: string;
  document: YamlDocument;
  task: TaskInput;
}

/**
 * Reads the tasks of YAML or JSON files, several documents each; `-` is stdin.
 * @throws PaoError exit 2 when a file can not be read, is no YAML, holds no task, or a task has no name.
 */
export async function readTaskDocuments(
  paths: readonly string[],
  process: Pick<CliProcess, 'cwd' | 'stdin'>,
): Promise<TaskDocument[]> {
  const found: TaskDocument[] = [];
  const problems: Problem[] = [];
  for (const path of paths) {
    const file = path === '-' ? 'stdin' : path;
    const text =
      path === '-' ? await readStream(process.stdin) : await readText(resolve(process.cwd, path), path);
    const documents = await parseYamlDocuments(text, file, LIMITS);
    if (documents.length === 0) problems.push({ pointer: '', message: `${file} holds no task` });
    for (const document of documents) {
      const fault =
        faultOf(document.value) ??
        twiceFault(document.value as TaskInput, found) ??
        (await takeInDates(
          document.value as TaskInput,
          path === '-' ? process.cwd : dirname(resolve(process.cwd, path)),
        ));
      if (fault === null) found.push({ file, document, task: document.value as TaskInput });
      else problems.push(...withPositions([fault], file, document).map(withoutPointer));
    }
  }
  if (problems.length === 0) return found;
  throw invalidInput('What was given is not all tasks.', problems, ['pao init briefing writes an example']);
}

/** An error of the API about one task, with `file:line:column` before each problem. */
export function withFilePositions(error: unknown, { file, document, task }: TaskDocument): unknown {
  if (!(error instanceof PaoError) || error.problems.length === 0) return error;
  return new PaoError(error.code, `${String(task.name)} in ${file} is not taken: ${error.message}`, {
    exitCode: error.exitCode,
    status: error.status,
    hints: error.hints,
    problems: withPositions(error.problems, file, document).map(withoutPointer),
    cause: error,
  });
}

/** The message begins with the place and the pointer already. */
function withoutPointer(problem: Problem): Problem {
  return { ...problem, pointer: '' };
}

function faultOf(value: unknown): Problem | null {
  if (Array.isArray(value)) {
    const message =
      'is a list: several tasks in one file are documents of their own, with a line --- between them';
    return { pointer: '', message };
  }
  if (typeof value !== 'object' || value === null) {
    return { pointer: '', message: 'is not a task: an object with name, schedule and pipeline is expected' };
  }
  const { name } = value as { name?: unknown };
  if (name === undefined) return { pointer: '/name', message: 'is required' };
  if (typeof name !== 'string' || name === '') return { pointer: '/name', message: 'must be a text' };
  return null;
}

/**
 * Puts the dates of `schedule.business_days.dates_file` in its place, beside those of `dates`: the server may be on
 * another machine. The file has one date on each line; blank lines and what follows a `#` do not count.
 * @param folder the file's path is from there.
 */
export async function takeInDates(
  task: Pick<TaskInput, 'schedule'>,
  folder: string,
): Promise<Problem | null> {
  const days = (task.schedule as { business_days?: { dates_file?: unknown; dates?: unknown } } | undefined)
    ?.business_days;
  if (typeof days !== 'object' || days === null || days.dates_file === undefined) return null;
  const pointer = '/schedule/business_days/dates_file';
  const { dates_file: file } = days;
  if (typeof file !== 'string' || file === '') return { pointer, message: 'must be the path of a file' };
  let lines: string[];
  try {
    lines = (await readText(resolve(folder, file), file)).split(/\r?\n/);
  } catch (error) {
    return { pointer, message: error instanceof PaoError ? error.message : String(error) };
  }
  const dates: string[] = [];
  for (const [index, line] of lines.entries()) {
    const text = line.replace(/#.*/, '').trim();
    if (text === '') continue;
    const date = /^(?:- *)?['"]?([0-9]{4}-[0-9]{2}-[0-9]{2})['"]?$/.exec(text)?.[1];
    if (date === undefined)
      return { pointer, message: `${file}:${index + 1} is not a date such as 2026-12-24` };
    dates.push(date);
  }
  delete days.dates_file;
  days.dates = [...(Array.isArray(days.dates) ? (days.dates as string[]) : []), ...dates];
  return null;
}

/** The later of two tasks of one name would silently undo the earlier one. */
function twiceFault({ name }: TaskInput, found: readonly TaskDocument[]): Problem | null {
  const first = found.find(({ task }) => task.name === name);
  if (first === undefined) return null;
  const { line } = first.document.locate('/name');
  return { pointer: '/name', message: `${name} is there twice, first at ${first.file}:${line}` };
}

async function readText(path: string, shown: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > LIMITS.maxBytes) throw unreadable(shown, `it has more than ${LIMITS.maxBytes} bytes`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof PaoError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const reason =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EISDIR'
          ? 'it is a folder'
          : (code ?? String(error));
    throw unreadable(shown, reason, error);
  }
}

function unreadable(path: string, reason: string, cause?: unknown): PaoError {
  return new PaoError('PAO_FILE_UNREADABLE', `${path} cannot be read: ${reason}.`, {
    exitCode: EXIT.usage,
    hints: [`ls -l ${path}`],
    cause,
  });
}
