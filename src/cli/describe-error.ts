import { dirname } from 'node:path';
import { EXIT, PaoError, type Problem } from '../domain/errors.js';
import { shellWord } from '../domain/shell-word.js';
import { nearestFlag } from './suggest.js';

/** Where in a text file a problem is; parsers of YAML and JSON know it. */
export interface ShownProblem extends Problem {
  line?: number;
  column?: number;
}

/** An error as it is shown and as `--json` prints it. */
export interface ErrorDescription {
  code: string;
  message: string;
  hints: string[];
  problems: ShownProblem[];
  exitCode: number;
  /** Set when it is a bug of ours, and only shown on demand. */
  stack?: string;
}

/** What is known about the moment an error arrived in. */
export interface ErrorSituation {
  /** The signal that ended the command, if one did. */
  interruptedBy?: 'SIGINT' | 'SIGTERM' | undefined;
  /** The command that ran, with spaces; for `pao … --help`. */
  command?: string | undefined;
}

/** Turns anything thrown into words, hints and an exit code. */
export function describeError(error: unknown, situation: ErrorSituation = {}): ErrorDescription {
  if (error instanceof PaoError) {
    const { code, hints, problems, exitCode } = error;
    return { code, message: plainUsage(error.message), hints, problems, exitCode };
  }
  if (situation.interruptedBy && isAbort(error)) return interrupted(situation.interruptedBy);
  return describeUsage(error, situation) ?? describeSystem(error) ?? describeBug(error);
}

/** The description of a command that a signal ended. */
export function interrupted(signal: 'SIGINT' | 'SIGTERM'): ErrorDescription {
  return signal === 'SIGINT'
    ? {
        code: 'PAO_INTERRUPTED',
        message: 'Interrupted.',
        hints: [],
        problems: [],
        exitCode: EXIT.interrupted,
      }
    : { code: 'PAO_TERMINATED', message: 'Terminated.', hints: [], problems: [], exitCode: EXIT.terminated };
}

function isAbort(error: unknown): boolean {
  const { name, cause } = (error ?? {}) as { name?: unknown; cause?: unknown };
  return name === 'AbortError' || name === 'ListrError' || (cause !== undefined && isAbort(cause));
}

/** The shape of oclif's parse errors: importing the classes would load its parser on every path. */
interface UsageError {
  message: string;
  oclif: { exit?: number };
  flags?: unknown;
  args?: unknown;
  parse?: { input?: { flags?: Record<string, { char?: string; hidden?: boolean }> } };
}

const isWords = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length > 0 && value.every((word) => typeof word === 'string');

/** What a word too many was most likely meant to be; a value of a secret is never said again. */
const FLAG_OF_EXTRA: Readonly<Record<string, string>> = {
  'agent create': '--scope',
  'event publish': '--payload',
  'secret grant': '--agent',
  'secret revoke': '--agent',
  'task pause': '--reason',
  'task run': '--param',
  'task snooze': '--for',
};

function describeUsage(error: unknown, { command }: ErrorSituation): ErrorDescription | null {
  if (!(error instanceof Error) || !('oclif' in error)) return null;
  const usage = error as Error & UsageError;
  const known = Object.keys(usage.parse?.input?.flags ?? {});
  const help = command ? `pao ${command} --help` : 'pao --help';
  const hints = [help];
  const { flags, args } = usage;
  let message = plainUsage(usage.message);
  if (isWords(flags)) {
    const near = flags.map((flag) => nearestFlag(flag, known)).filter((flag) => flag !== null);
    const question = near.length === 0 ? '' : ` Did you mean ${near.join(' ')}?`;
    message = `There is no flag ${flags.join(', ')} here.${question}`;
  } else if (isWords(args)) {
    message = `Nothing is expected after the arguments, but there is "${args.join(' ')}".`;
    const meant = command === undefined ? undefined : FLAG_OF_EXTRA[command];
    if (meant !== undefined) hints.unshift(`pao ${command} … ${meant} ${shellWord(args.join(' '))}`);
  } else if (Array.isArray(args) && args.length > 0) {
    const names = (args as { name: string }[]).map(({ name }) => name.toUpperCase());
    message = `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} missing.`;
  }
  return { code: 'PAO_USAGE', message, hints, problems: [], exitCode: EXIT.usage };
}

/** What the parser says, in one plain line: it puts the flag, tabs and a reference to its own help around the message. */
function plainUsage(message: string): string {
  return message
    .replace(/\s*\nSee more help with --help$/, '')
    .replace(/^The following errors? occurred:\s*/, '')
    .replace(/^Parsing (--[\w-]+)\s*\n\s*/, '$1: ')
    .replace(/\n\s+/g, '; ');
}

const SYSTEM: Record<string, { code: string; text: string; hint: string }> = {
  ENOSPC: { code: 'PAO_DISK_FULL', text: 'The disk is full', hint: 'df -h' },
  EDQUOT: { code: 'PAO_DISK_FULL', text: 'The disk quota is used up', hint: 'df -h' },
  EACCES: { code: 'PAO_NO_PERMISSION', text: 'No permission', hint: 'ls -ld' },
  EPERM: { code: 'PAO_NO_PERMISSION', text: 'No permission', hint: 'ls -ld' },
  EROFS: { code: 'PAO_READ_ONLY', text: 'The file system is read-only', hint: 'ls -ld' },
  EMFILE: { code: 'PAO_TOO_MANY_FILES', text: 'Too many open files', hint: 'ulimit -n 4096' },
};

function describeSystem(error: unknown): ErrorDescription | null {
  const { code, path, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  // That is what some file systems say where nothing can be made (/proc): what it is to be made in is there.
  // Or a file, or a link that leads nowhere, has that name.
  if (/^(ENOENT|EEXIST|ENOTDIR)$/.test(code ?? '') && syscall === 'mkdir' && path !== undefined) {
    return {
      code: 'PAO_FOLDER',
      message: `No folder can be made here: ${path}`,
      hints: [`ls -ld ${shellWord(dirname(path))}`],
      problems: [],
      exitCode: EXIT.unavailable,
    };
  }
  const known = code === undefined ? undefined : SYSTEM[code];
  // Without a system call it is somebody's own use of the same word.
  if (!known || syscall === undefined) return null;
  return {
    code: known.code,
    message: path === undefined ? `${known.text}.` : `${known.text}: ${path}`,
    hints: [known.hint === 'ls -ld' ? `ls -ld ${path ?? '.'}` : known.hint],
    problems: [],
    exitCode: EXIT.unavailable,
  };
}

function describeBug(error: unknown): ErrorDescription {
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    code: 'PAO_BUG',
    message: `This is a bug in pao: ${message}`,
    hints: ['Run it again with PAO_DEBUG=1 to see where, and report it'],
    problems: [],
    exitCode: EXIT.bug,
    stack,
  };
}
