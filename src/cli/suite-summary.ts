import type { CheckResult, SuiteReport } from '../checks/check.js';
import { totalsText } from '../checks/reporters/by-group.js';
import { formatDuration } from '../domain/duration.js';
import type { Output } from './output.js';
import { visible } from './visible.js';

/** The end of a suite on stdout: what was counted, then each failure again with what to type next. */
export function showSuiteSummary(report: SuiteReport, out: Output, files: readonly string[]): void {
  const { paint, symbols } = out;
  const { status, totals, duration_ms: ms } = report;
  const colour = status === 'failed' ? paint.red : totals.warned > 0 ? paint.yellow : paint.green;
  const mark = status === 'failed' ? symbols.fail : totals.warned > 0 ? symbols.warn : symbols.ok;
  out.line(`${colour(mark)} ${paint.bold(report.suite)}: ${totalsText(totals)} in ${formatDuration(ms)}`);
  for (const check of report.checks) {
    if (check.status === 'failed' || check.status === 'warned') showProblem(check, out);
  }
  showSkipped(report, out);
  for (const file of files) out.note(`Report: ${visible(file)}`);
}

function showProblem({ status, id, title, error, hint, evidence }: CheckResult, out: Output): void {
  const { paint, symbols } = out;
  const mark = status === 'failed' ? paint.red(symbols.fail) : paint.yellow(symbols.warn);
  out.line();
  out.line(`${mark} ${title} ${paint.dim(id)}`);
  for (const line of visible(error ?? '', true).split('\n')) out.line(`  ${line}`);
  if (out.verbose && Object.keys(evidence).length > 0) {
    const text = visible(JSON.stringify(evidence, null, 2), true);
    for (const line of text.split('\n')) out.line(`  ${paint.dim(line)}`);
  }
  if (hint !== null) out.line(`${paint.cyan(symbols.arrow)} ${visible(hint)}`);
}

/** Skipped checks by reason: a gate that looks at nothing must not look like one that passed. */
function showSkipped({ checks }: SuiteReport, out: Output): void {
  const reasons = new Map<string, string[]>();
  for (const { status, error, id } of checks) {
    if (status !== 'skipped') continue;
    const reason = error ?? '';
    reasons.set(reason, [...(reasons.get(reason) ?? []), id]);
  }
  if (reasons.size === 0) return;
  out.line();
  for (const [reason, ids] of reasons) {
    const names = ids.length > 4 && !out.verbose ? [...ids.slice(0, 3), `${ids.length - 3} more`] : ids;
    out.line(out.paint.dim(`${out.symbols.skip} skipped ${names.join(', ')}: ${visible(reason)}`));
  }
}
