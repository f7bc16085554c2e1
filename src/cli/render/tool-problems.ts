import type { ShownProblem } from '../describe-error.js';
import type { Output } from '../output.js';
import { visible } from '../visible.js';

/** Shows, on stderr, what of a catalog could not be taken in and where that is written. */
export function showProblems(out: Output, file: string, problems: readonly ShownProblem[]): void {
  out.warn(problems.length === 1 ? '1 problem:' : `${problems.length} problems:`);
  for (const { pointer, message, hint, line, column } of problems) {
    const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
    out.failure(visible(`  ${out.symbols.bullet} ${place} ${pointer}: ${message}`));
    if (hint) out.hint(visible(hint));
  }
}
