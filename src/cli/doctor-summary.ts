import type { CheckResult, SuiteReport } from '../checks/check.js';
import { byGroup } from '../checks/reporters/by-group.js';
import { counted } from '../domain/counted.js';
import { formatDuration } from '../domain/duration.js';
import type { Output } from './output.js';
import { visible } from './visible.js';

/** What doctor found on stdout: a line for each group, details only where something is wrong, and one closing line. */
export function showDoctorSummary(report: SuiteReport, out: Output, files: readonly string[]): void {
  for (const [group, checks] of byGroup(report.checks)) {
    out.line(`${markOf(checks, out)} ${out.paint.bold(group)}${noteOf(checks, report, out)}`);
    for (const check of checks) {
      if (check.status === 'failed' || check.status === 'warned') showFinding(check, out);
      else if (out.verbose) showQuiet(check, out);
    }
  }
  showSkipped(report, out);
  out.line();
  out.line(closingLine(report, out));
  for (const file of files) out.note(`Report: ${visible(file)}`);
}

function markOf(checks: readonly CheckResult[], { paint, symbols }: Output): string {
  const has = (status: CheckResult['status']) => checks.some((check) => check.status === status);
  if (has('failed')) return paint.red(symbols.fail);
  if (has('warned')) return paint.yellow(symbols.warn);
  return has('passed') ? paint.green(symbols.ok) : paint.dim(symbols.skip);
}

/** Why a group was not looked at, when none of it was. */
function noteOf(checks: readonly CheckResult[], report: SuiteReport, { paint }: Output): string {
  if (checks.some(({ status }) => status !== 'skipped')) return '';
  return paint.dim(` (${reasonsOf(checks, report)[0] ?? ''})`);
}

/** Why checks were skipped: where one needs another, what that one said. */
function reasonsOf(checks: readonly CheckResult[], { checks: all }: SuiteReport): string[] {
  const rootOf = (check: CheckResult): CheckResult => {
    const needed = /^It needs (\S+), which was skipped\.$/.exec(check.error ?? '')?.[1];
    const other = all.find(({ id }) => id === needed);
    return other === undefined ? check : rootOf(other);
  };
  return [...new Set(checks.map((check) => visible((rootOf(check).error ?? '').replace(/\.$/, ''))))];
}

function showFinding({ status, id, error, hint, evidence }: CheckResult, out: Output): void {
  const { paint, symbols } = out;
  const mark = status === 'failed' ? paint.red(symbols.fail) : paint.yellow(symbols.warn);
  const [first = '', ...rest] = visible(error ?? '', true).split('\n');
  out.line(`    ${mark} ${first} ${paint.dim(id)}`);
  for (const line of rest) out.line(`      ${line}`);
  if (out.verbose) out.line(`      ${paint.dim(visible(JSON.stringify(evidence)))}`);
  if (hint !== null) out.line(`      ${paint.cyan(symbols.arrow)} ${visible(hint)}`);
}

function showQuiet({ status, title, error, id, evidence }: CheckResult, out: Output): void {
  const { paint, symbols } = out;
  const isSkipped = status === 'skipped';
  const note = isSkipped ? `: ${visible(error ?? '')}` : '';
  const mark = isSkipped ? paint.dim(symbols.skip) : paint.green(symbols.ok);
  out.line(`    ${mark} ${title}${note} ${paint.dim(id)}`);
  if (!isSkipped && Object.keys(evidence).length > 0)
    out.line(`      ${paint.dim(visible(JSON.stringify(evidence)))}`);
}

/** What was not looked at is said as well, in one line. */
function showSkipped(report: SuiteReport, out: Output): void {
  const { paint, symbols, verbose } = out;
  const skipped = report.checks.filter(({ status }) => status === 'skipped');
  if (skipped.length === 0 || verbose) return;
  const reasons = reasonsOf(skipped, report);
  out.line(
    paint.dim(`${symbols.skip} ${counted(skipped.length, 'check')} did not apply: ${reasons.join('; ')}`),
  );
}

/** How many problems there are, in one sentence. */
export function closingLine({ totals, duration_ms: ms }: SuiteReport, { paint }: Output): string {
  const took = `${counted(totals.passed + totals.failed + totals.warned, 'check')} in ${formatDuration(ms)}`;
  const parts = [
    ...(totals.failed > 0 ? [counted(totals.failed, 'problem')] : []),
    ...(totals.warned > 0 ? [counted(totals.warned, 'warning')] : []),
  ];
  if (parts.length === 0) return paint.green(`No problems found (${took}).`);
  return (totals.failed > 0 ? paint.red : paint.yellow)(`Found ${parts.join(' and ')} (${took}).`);
}
