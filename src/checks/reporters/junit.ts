import type { CheckResult, SuiteReport } from '../check.js';
import { byGroup } from './by-group.js';

/**
 * JUnit XML as the schema of Jenkins describes it: a test suite for each group, a test case for each check.
 * A warning is a passed case that says so in `system-out`; JUnit knows no warnings.
 */
export function junitReport(report: SuiteReport): string {
  const suites = byGroup(report.checks).map(([group, results]) => suiteElement(report, group, results));
  const counts = attributes({
    name: report.suite,
    tests: report.checks.length,
    failures: report.totals.failed,
    errors: 0,
    time: seconds(report.duration_ms),
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites${counts}>\n${suites.join('')}</testsuites>\n`;
}

function suiteElement(report: SuiteReport, group: string, results: readonly CheckResult[]): string {
  const count = (status: CheckResult['status']) =>
    results.filter((result) => result.status === status).length;
  const time = results.reduce((sum, { duration_ms: ms }) => sum + ms, 0);
  const head = attributes({
    name: `${report.suite}.${group}`,
    tests: results.length,
    failures: count('failed'),
    errors: 0,
    skipped: count('skipped'),
    time: seconds(time),
    // The schema wants a time without a zone.
    timestamp: report.started_at.slice(0, 19),
  });
  const cases = results.map((result) => caseElement(report, result)).join('');
  return `  <testsuite${head}>\n${cases}  </testsuite>\n`;
}

function caseElement(report: SuiteReport, result: CheckResult): string {
  const head = attributes({
    name: `${result.id}: ${result.title}`,
    classname: `${report.suite}.${result.group}`,
    time: seconds(result.duration_ms),
  });
  const inner = [outcome(result), evidence(result)].filter((part) => part !== '');
  if (inner.length === 0) return `    <testcase${head}/>\n`;
  return `    <testcase${head}>\n${inner.map((part) => `      ${part}\n`).join('')}    </testcase>\n`;
}

function outcome({ status, error, hint, id }: CheckResult): string {
  const hints = hint === null ? '' : `\n→ ${hint}`;
  if (status === 'failed') {
    const head = attributes({ message: error ?? '', type: id });
    return `<failure${head}>${escape(`${error ?? ''}${hints}`)}</failure>`;
  }
  // Older forms of the schema know no attribute of it.
  return status === 'skipped' ? `<skipped>${escape(error ?? '')}</skipped>` : '';
}

function evidence({ status, evidence: seen, error, hint }: CheckResult): string {
  const warning = status === 'warned' ? `warning: ${error ?? ''}\n→ ${hint ?? ''}\n` : '';
  const text = `${warning}${Object.keys(seen).length === 0 ? '' : JSON.stringify(seen, null, 2)}`;
  return text === '' ? '' : `<system-out>${escape(text)}</system-out>`;
}

const seconds = (ms: number) => (ms / 1000).toFixed(3);

function attributes(values: Record<string, string | number>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escape(String(value)).replaceAll('\n', '&#10;')}"`)
    .join('');
}

/** XML 1.0 has no way to write most control characters and lone surrogates. */
function escape(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\r', '&#13;');
}
