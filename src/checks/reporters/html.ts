import { formatDuration } from '../../domain/duration.js';
import type { CheckResult, SuiteReport } from '../check.js';
import { byGroup, totalsText } from './by-group.js';

const MARKS = { passed: '✔', failed: '✖', warned: '!', skipped: '○' } as const;

/** One self-contained page: no script, no other file; failures open, how long each check took as a bar. */
export function htmlReport(report: SuiteReport): string {
  const { suite, status, totals, target } = report;
  const longest = Math.max(1, ...report.checks.map(({ duration_ms: ms }) => ms));
  const groups = byGroup(report.checks)
    .map(([group, checks]) => section(group, checks, longest))
    .join('\n');
  const facts: [string, string][] = [
    ['Result', `${totalsText(totals)} in ${formatDuration(report.duration_ms)}`],
    ['Started', report.started_at],
    ['Checked', target.ephemeral ? 'a system of its own' : (target.url ?? '')],
    ['Store and bus', [target.store, target.bus].filter((part) => part !== '').join(', ') || 'unknown'],
    ['pao', report.version],
  ];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(suite)}: ${status}</title>
<style>${STYLE}</style>
<h1 class="${status}">${status === 'passed' ? MARKS.passed : MARKS.failed} ${escape(suite)}: ${status}</h1>
<dl>${facts.map(([name, value]) => `<dt>${name}</dt><dd>${escape(value)}</dd>`).join('')}</dl>
${groups}
</html>
`;
}

function section(group: string, checks: readonly CheckResult[], longest: number): string {
  const time = formatDuration(checks.reduce((sum, { duration_ms: ms }) => sum + ms, 0));
  const rows = checks.map((check) => row(check, longest)).join('\n');
  return `<section><h2>${escape(group)} <small>${time}</small></h2>\n${rows}\n</section>`;
}

function row(check: CheckResult, longest: number): string {
  const { status, title, id, error, hint, evidence, duration_ms: ms } = check;
  const width = status === 'skipped' ? 0 : Math.max(0.5, (100 * ms) / longest);
  const isOpen = status === 'failed' || status === 'warned';
  const head =
    `<span class="mark" title="${status}">${MARKS[status]}</span>` +
    `<span class="title">${escape(title)} <code>${escape(id)}</code></span>` +
    `<span class="bar"><span style="width:${width.toFixed(1)}%"></span></span>` +
    `<span class="time">${status === 'skipped' ? 'skipped' : formatDuration(ms)}</span>`;
  const seen =
    Object.keys(evidence).length === 0 ? '' : `<pre>${escape(JSON.stringify(evidence, null, 2))}</pre>`;
  const body = [
    error === null ? '' : `<p>${escape(error)}</p>`,
    hint === null ? '' : `<p class="hint">→ <code>${escape(hint)}</code></p>`,
    seen,
  ].join('');
  if (body === '') return `<div class="check ${status}">${head}</div>`;
  return `<details class="${status}"${isOpen ? ' open' : ''}><summary class="check">${head}</summary>${body}</details>`;
}

const escape = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const STYLE = `
:root{color-scheme:light dark;--line:#8884;--good:#1a7f37;--bad:#cf222e;--warn:#9a6700;--quiet:#777}
@media(prefers-color-scheme:dark){:root{--good:#3fb950;--bad:#f85149;--warn:#d29922;--quiet:#999}}
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1.passed,.passed .mark{color:var(--good)}h1.failed,.failed .mark{color:var(--bad)}
.warned .mark{color:var(--warn)}.skipped .mark,.skipped .title,small{color:var(--quiet)}
h2{margin:2rem 0 .3rem;font-size:1.1rem}h2 small{font-weight:400}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}dt{color:var(--quiet)}dd{margin:0}
.check{display:grid;grid-template-columns:1.2rem 1fr 9rem 4.5rem;gap:.6rem;align-items:center;padding:.25rem 0}
section>*{border-top:1px solid var(--line)}h2{border:0!important}
summary{cursor:pointer;list-style:none}summary::-webkit-details-marker{display:none}
.bar{height:.5rem;background:var(--line);border-radius:.25rem;overflow:hidden}
.bar span{display:block;height:100%;background:currentColor;opacity:.55}
.time{text-align:right;font-variant-numeric:tabular-nums;color:var(--quiet)}
details p,details pre{margin:.3rem 0 .6rem 1.8rem}code,pre{font:.85em ui-monospace,monospace}
.title code{color:var(--quiet)}pre{overflow:auto;padding:.6rem;background:var(--line);border-radius:.3rem}
@media(max-width:40rem){.check{grid-template-columns:1.2rem 1fr 4.5rem}.bar{display:none}}`;
