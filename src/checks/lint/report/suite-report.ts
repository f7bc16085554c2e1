import type { CheckResult, SuiteReport } from '../../check.js';
import { RULES } from '../rules.js';
import type { LintResult } from '../run-lint.js';

/** The JSON document of `pao lint-scheduler`: that of a suite with a check for each rule, and every finding by itself. */
export interface LintReport extends SuiteReport {
  files: number;
  tasks: number;
  fixed: number;
  findings: LintResult['findings'];
}

/** A lint as the report of a suite, for JUnit, HTML, Markdown and TAP; one check for each rule that ran. */
export function lintReport(
  { files, findings, rules, fixed }: LintResult,
  run: { version: string; startedAt: Date; durationMs: number; strict: boolean },
): LintReport {
  const checks = RULES.filter(({ id }) => rules.has(id)).map(({ id, title, kind }): CheckResult => {
    const own = findings.filter(({ rule }) => rule === id);
    const isBad = own.some(({ severity }) => severity === 'error');
    const hint = own.find((one) => one.hint !== null)?.hint ?? `pao lint-scheduler --only ${id}`;
    return {
      id,
      title,
      group: kind === 'code' ? 'Code' : kind === 'task' ? 'Task files' : 'Files',
      status: own.length === 0 ? 'passed' : isBad ? 'failed' : 'warned',
      duration_ms: 0,
      evidence: own.length === 0 ? {} : { findings: own.length },
      error:
        own.length === 0
          ? null
          : own.map((one) => `${one.file}:${one.line}:${one.column} ${one.message}`).join('\n'),
      hint: own.length === 0 ? null : hint,
    };
  });
  const totals = { passed: 0, failed: 0, warned: 0, skipped: 0 };
  for (const { status } of checks) totals[status] += 1;
  const isGood = totals.failed === 0 && !(run.strict && totals.warned > 0);
  return {
    suite: 'lint-scheduler',
    status: isGood ? 'passed' : 'failed',
    version: run.version,
    started_at: run.startedAt.toISOString(),
    duration_ms: run.durationMs,
    target: { url: null, store: 'none', bus: 'none', ephemeral: false },
    totals,
    checks,
    files: files.length,
    tasks: files.reduce((sum, { tasks }) => sum + tasks, 0),
    fixed,
    findings,
  };
}
