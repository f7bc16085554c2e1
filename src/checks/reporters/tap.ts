import { stringify } from 'yaml';
import type { CheckResult, SuiteReport } from '../check.js';

/** TAP version 14 (testanything.org): one test point for each check, with a YAML block for what was seen. */
export function tapReport({ checks, suite }: SuiteReport): string {
  const points = checks.map((result, index) => point(result, index + 1));
  return `TAP version 14\n# ${suite}\n1..${checks.length}\n${points.join('')}`;
}

function point(
  { id, title, status, error, hint, evidence, duration_ms }: CheckResult,
  number: number,
): string {
  const word = status === 'failed' ? 'not ok' : 'ok';
  const directive = status === 'skipped' ? ` # SKIP ${oneLine(error ?? '')}` : '';
  const details = {
    duration_ms,
    ...(status === 'failed' || status === 'warned'
      ? { severity: status === 'failed' ? 'fail' : 'warn' }
      : {}),
    ...(error === null || status === 'skipped' ? {} : { message: error }),
    ...(hint === null ? {} : { hint }),
    ...(Object.keys(evidence).length === 0 ? {} : { evidence }),
  };
  const block = stringify(details, { lineWidth: 0 }).trimEnd().replaceAll('\n', '\n  ');
  return `${word} ${number} - ${oneLine(`${id}: ${title}`)}${directive}\n  ---\n  ${block}\n  ...\n`;
}

/** A test point ends at the line end, and `#` begins a directive. */
const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ').replaceAll(/[\\#]/g, '\\$&');
