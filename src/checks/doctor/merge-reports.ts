import type { SuiteReport } from '../check.js';

/** A report in which what was looked at again is as it was found then. */
export function mergeReports(first: SuiteReport, again: SuiteReport, strict: boolean): SuiteReport {
  const newer = new Map(again.checks.map((check) => [check.id, check]));
  const checks = first.checks.map((check) => newer.get(check.id) ?? check);
  const totals = { passed: 0, failed: 0, warned: 0, skipped: 0 };
  for (const { status } of checks) totals[status]++;
  return {
    ...first,
    status: totals.failed > 0 || (strict && totals.warned > 0) ? 'failed' : 'passed',
    duration_ms: first.duration_ms + again.duration_ms,
    totals,
    checks,
  };
}
