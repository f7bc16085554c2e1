import type { ErrorDescription, ShownProblem } from './describe-error.js';
import type { Output } from './output.js';
import { visible } from './visible.js';

/** Writes an error to stderr: what happened, every problem with its place, and what to type next. */
export function showError(description: ErrorDescription, out: Output, showStack: boolean): void {
  const { paintNote: paint, symbols } = out;
  const [first = '', ...rest] = visible(description.message, true).split('\n');
  const lines = [`${paint.red(symbols.fail)} ${paint.bold(first)} ${paint.dim(`(${description.code})`)}`];
  lines.push(...rest.map((line) => `  ${line}`));
  for (const problem of description.problems) lines.push(...problemLines(problem, out));
  // Hints are commands to copy: one a line, never wrapped.
  const told = new Set(description.problems.map(({ hint }) => hint));
  for (const hint of description.hints)
    if (!told.has(hint)) lines.push(`${paint.cyan(symbols.arrow)} ${visible(hint)}`);
  if (showStack && description.stack) lines.push(paint.dim(visible(description.stack, true)));
  out.failure(lines.join('\n'));
}

function problemLines(problem: ShownProblem, { paintNote: paint, symbols }: Output): string[] {
  const place = [
    problem.pointer,
    problem.line === undefined
      ? ''
      : `line ${problem.line}${problem.column ? `, column ${problem.column}` : ''}`,
  ].filter((part) => part !== '');
  const where = place.length === 0 ? '' : `${paint.yellow(visible(place.join(' at ')))}: `;
  const lines = [`  ${symbols.bullet} ${where}${visible(problem.message)}`];
  if (problem.hint) lines.push(`    ${paint.cyan(symbols.arrow)} ${visible(problem.hint)}`);
  return lines;
}

/** The JSON form of an error: the one document `--json` prints when a command fails. */
export function errorDocument({ code, message, hints, problems }: ErrorDescription): unknown {
  return { error: { code, message, hints, problems } };
}
