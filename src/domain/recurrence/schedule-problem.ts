import { cut, EXIT, PaoError, type Problem } from '../errors.js';

const QUOTED = 40;
const MESSAGE = 1000;

/** Quotes input in a message: control characters shown as escapes, at most 40 characters. */
export function quote(text: unknown): string {
  const shown = typeof text === 'string' ? cut(text, QUOTED) : cut(String(text), QUOTED);
  // JSON escapes keep a newline in hostile input from faking a second line of the message.
  return JSON.stringify(shown);
}

/**
 * The error of every schedule that can not be: code PAO_SCHEDULE_INVALID, exit 2, HTTP 422.
 * The message is at most 1,000 characters and names the first problems; `problems` has all of them (at most 20).
 */
export function scheduleInvalid(problems: Problem[], cause?: unknown): PaoError {
  const shown = problems.slice(0, 20);
  const message = cut(shown.map((problem) => problem.message).join(' '), MESSAGE - 1);
  const hints = [...new Set(shown.flatMap((problem) => (problem.hint ? [problem.hint] : [])))].slice(0, 5);
  return new PaoError('PAO_SCHEDULE_INVALID', message, {
    exitCode: EXIT.usage,
    status: 422,
    problems: shown,
    hints,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** As {@link scheduleInvalid}, for one problem. */
export function oneProblem(pointer: string, message: string, hint?: string): PaoError {
  return scheduleInvalid([hint === undefined ? { pointer, message } : { pointer, message, hint }]);
}
