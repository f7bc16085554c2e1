import { formatDuration } from '../../domain/duration.js';
import type { CheckResult, SuiteReport } from '../check.js';
import { byGroup, totalsText } from './by-group.js';

const MARKS = { passed: '✅', failed: '❌', warned: '⚠️', skipped: '⏭️' } as const;

/** Markdown for a job summary or a pull request: failures first, then a table of everything. */
export function markdownReport(report: SuiteReport): string {
  const { suite, status, totals, duration_ms: ms, version, started_at: at, target } = report;
  const where = target.ephemeral ? 'a system of its own' : `\`${target.url ?? ''}\``;
  const lines = [
    `# ${status === 'passed' ? MARKS.passed : MARKS.failed} ${suite}: ${status}`,
    '',
    `${totalsText(totals)} in ${formatDuration(ms)} · pao ${version} · ${at} · checked ${where}`,
  ];
  const shown = report.checks.filter((check) => check.status === 'failed' || check.status === 'warned');
  for (const check of shown) lines.push('', ...details(check));
  for (const [group, checks] of byGroup(report.checks)) {
    lines.push('', `## ${text(group)}`, '', '| | check | | time |', '|---|---|---|---|');
    for (const check of checks) {
      const note = check.status === 'skipped' ? text(check.error ?? '') : '';
      lines.push(
        `| ${MARKS[check.status]} | ${text(check.title)} <br>\`${check.id}\` | ${note} | ${formatDuration(check.duration_ms)} |`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

function details({ status, title, id, error, hint, evidence }: CheckResult): string[] {
  const lines = [`### ${MARKS[status]} ${text(title)} (\`${id}\`)`, '', text(error ?? '')];
  if (hint !== null) lines.push('', '```sh', hint, '```');
  if (Object.keys(evidence).length === 0) return lines;
  const seen = JSON.stringify(evidence, null, 2);
  // Evidence may hold a fence of its own; the outer one must be longer.
  const fence = '`'.repeat(Math.max(3, ...(seen.match(/`+/g) ?? []).map((run) => run.length + 1)));
  lines.push('', '<details><summary>Evidence</summary>', '', `${fence}json`, seen, fence, '', '</details>');
  return lines;
}

/** Text inside a table cell or heading, with what Markdown and HTML would obey written out. */
function text(value: string): string {
  return value
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[\\`*_[\]|<>]/g, (mark) => (mark === '<' ? '&lt;' : `\\${mark}`));
}
