/** Exit codes of the command line; the table of `interfaces.md`. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unavailable: 3,
  forbidden: 4,
  notFound: 5,
  bug: 70,
  timeout: 124,
  interrupted: 130,
  terminated: 143,
} as const;

/** One thing wrong with an input: where it is (RFC 6901 JSON Pointer), what, and what to do about it. */
export interface Problem {
  pointer: string;
  message: string;
  hint?: string;
}

export interface PaoErrorOptions {
  /** Process exit code; 1 when left out. */
  exitCode?: number;
  /** HTTP status when the error crosses the API; 500 when left out. */
  status?: number;
  /** What to type next; the first one is a command that can be pasted. */
  hints?: string[];
  /** Every problem found, for invalid input. */
  problems?: Problem[];
  cause?: unknown;
}

/**
 * An error a person can act on. Anything else that is thrown is a bug of ours (exit 70, HTTP 500 with no details).
 * `oclif.exit` is read by oclif by shape, so this class needs no import of oclif.
 */
export class PaoError extends Error {
  readonly oclif: { exit: number };
  readonly exitCode: number;
  readonly status: number;
  readonly hints: string[];
  readonly problems: Problem[];

  constructor(
    /** Stable code `PAO_<AREA>_<WHAT>`. */
    readonly code: string,
    message: string,
    options: PaoErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PaoError';
    this.exitCode = options.exitCode ?? EXIT.failed;
    this.oclif = { exit: this.exitCode };
    this.status = options.status ?? 500;
    this.hints = options.hints ?? [];
    this.problems = options.problems ?? [];
  }
}

/** Invalid input: HTTP 422, exit 2, with every problem listed. */
export function invalidInput(message: string, problems: Problem[], hints: string[] = []): PaoError {
  return new PaoError('PAO_INPUT_INVALID', message, { exitCode: EXIT.usage, status: 422, problems, hints });
}

/** Nothing there by that id or name: HTTP 404, exit 5. */
export function notFound(what: string, id: string, hints: string[] = []): PaoError {
  return new PaoError('PAO_NOT_FOUND', `There is no ${what} "${cut(id, 80)}".`, {
    exitCode: EXIT.notFound,
    status: 404,
    hints,
  });
}

/** Not permitted: HTTP 403, exit 4. */
export function forbidden(message: string, hints: string[] = []): PaoError {
  return new PaoError('PAO_FORBIDDEN', message, { exitCode: EXIT.forbidden, status: 403, hints });
}

/** The request contradicts what is there now: HTTP 409, exit 1. */
export function conflict(message: string, hints: string[] = []): PaoError {
  return new PaoError('PAO_CONFLICT', message, { exitCode: EXIT.failed, status: 409, hints });
}

/** Whether something pao needs did not answer or had no room: the same call may work later. */
export function isUnavailable(error: unknown): error is PaoError {
  return error instanceof PaoError && (error.status === 503 || error.status === 507);
}

/** Cuts text that is quoted back to a person, so that a message never repeats a whole hostile input. */
export function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max)}…`;
}
