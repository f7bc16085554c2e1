import type { Output } from '../../../cli/output.js';
import { visible } from '../../../cli/visible.js';
import { formatDuration } from '../../../domain/duration.js';
import type { Finding } from '../finding.js';
import type { LintedFile } from '../lint-files.js';
import type { LintReport } from './suite-report.js';

/** Longest part of a line that a code frame shows. */
const FRAME_WIDTH = 160;

/** Every finding with the line it is about, then what it comes to. */
export function showFindings(files: readonly LintedFile[], report: LintReport, out: Output): void {
  for (const file of files) {
    for (const finding of file.findings) showFinding(finding, file, out);
  }
  const { paint, symbols } = out;
  const count = (severity: Finding['severity']) =>
    report.findings.filter((one) => one.severity === severity).length;
  const [errors, warnings] = [count('error'), count('warning')];
  const failed = report.status === 'failed';
  const mark = failed
    ? paint.red(symbols.fail)
    : warnings > 0
      ? paint.yellow(symbols.warn)
      : paint.green(symbols.ok);
  const what = [
    plural(report.files, 'file'),
    ...(report.tasks > 0 ? [plural(report.tasks, 'task')] : []),
  ].join(', ');
  const found =
    errors + warnings === 0 ? 'clean' : `${plural(errors, 'error')}, ${plural(warnings, 'warning')}`;
  const mended = report.fixed > 0 ? `, ${report.fixed} fixed` : '';
  out.line(
    `${mark} ${paint.bold('lint-scheduler')}: ${found}${mended} (${what}, ${report.checks.length} rules, ${formatDuration(report.duration_ms)})`,
  );
  const fixable = report.findings.filter((one) => one.fixable).length;
  if (fixable > 0) out.hint(`pao lint-scheduler --fix mends ${fixable} of them`);
}

function showFinding(finding: Finding, { source }: LintedFile, out: Output): void {
  const { paint, symbols } = out;
  const { severity, message, hint, rule, file, line, column, fixable } = finding;
  const colour = severity === 'error' ? paint.red : paint.yellow;
  const place = `${file}:${line}:${column}`;
  out.line(
    `${paint.bold(visible(place))} ${colour(severity)} ${visible(message)} ${paint.dim(`${rule}${fixable ? ' (--fix)' : ''}`)}`,
  );
  const width = String(Math.min(line + 1, source.lineCount)).length;
  for (let number = Math.max(1, line - 1); number <= Math.min(line + 1, source.lineCount); number += 1) {
    const gutter = paint.dim(`${number === line ? '>' : ' '} ${String(number).padStart(width)} |`);
    out.line(`${gutter} ${shown(source.line(number))}`.trimEnd());
    if (number === line)
      out.line(`${paint.dim(`  ${' '.repeat(width)} |`)} ${colour(underline(finding, source.line(line)))}`);
  }
  if (hint !== null) out.line(`${paint.cyan(symbols.arrow)} ${visible(hint)}`);
  out.line();
}

/** A line as a terminal may show it; a tab becomes two blanks, so that the marks below stand right. */
function shown(line: string): string {
  const cut = line.length > FRAME_WIDTH ? `${line.slice(0, FRAME_WIDTH)} …` : line;
  return visible(cut.replaceAll('\t', '  '));
}

function underline(
  { line, column, end_line: endLine, end_column: endColumn }: Finding,
  text: string,
): string {
  const before = visible(text.slice(0, column - 1).replaceAll('\t', '  ')).length;
  const end = endLine > line ? text.length + 1 : Math.min(endColumn, text.length + 1);
  const marked = Math.max(1, Math.min(end, FRAME_WIDTH) - column);
  return column > FRAME_WIDTH ? '' : ' '.repeat(before) + '^'.repeat(marked);
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
