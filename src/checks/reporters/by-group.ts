import type { CheckResult } from '../check.js';

/** The results by group, in the order the groups first occur. */
export function byGroup(checks: readonly CheckResult[]): [group: string, results: CheckResult[]][] {
  const groups = new Map<string, CheckResult[]>();
  for (const result of checks) groups.set(result.group, [...(groups.get(result.group) ?? []), result]);
  return [...groups];
}

/** What is counted in words: `12 passed, 1 failed, 2 skipped`. */
export function totalsText(totals: {
  passed: number;
  failed: number;
  warned: number;
  skipped: number;
}): string {
  const parts: [number, string][] = [
    [totals.passed, 'passed'],
    [totals.failed, 'failed'],
    [totals.warned, totals.warned === 1 ? 'warning' : 'warnings'],
    [totals.skipped, 'skipped'],
  ];
  return parts
    .filter(([count, word]) => count > 0 || word === 'passed')
    .map(([count, word]) => `${count} ${word}`)
    .join(', ');
}
