import { dirname } from 'node:path';
import type { Output } from '../../cli/output.js';
import { openReportFiles, openWritable, writeReportFiles, writeWhole } from '../../cli/report-files.js';
import { systemClock } from '../../domain/clock.js';
import { loadConfig } from '../../server/config.js';
import { chooseRules } from './choose-rules.js';
import type { RuleInfo } from './finding.js';
import { githubAnnotations } from './report/github.js';
import { sarifReport } from './report/sarif.js';
import { type LintReport, lintReport } from './report/suite-report.js';
import { showFindings } from './report/text.js';
import { runLint } from './run-lint.js';
import { RULES } from './rules.js';

/** What `pao lint-scheduler` was asked to do. */
export interface LintCommandOptions {
  paths: readonly string[];
  only: readonly string[];
  skip: readonly string[];
  fix: boolean;
  strict: boolean;
  sarif: readonly string[];
  junit: string[];
  reports: string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  packageRoot: string;
  version: string;
  signal: AbortSignal;
  out: Output;
}

/** Looks at the files, shows what was found and writes the reports. */
export async function lintCommand(
  options: LintCommandOptions,
): Promise<{ report: LintReport; annotations: string }> {
  const { cwd, out, version, strict } = options;
  const startedAt = new Date(systemClock.now());
  const began = systemClock.monotonic();
  const settings = await settingsOf(options);
  const files = openReportFiles({ junit: options.junit, report: options.reports }, cwd);
  const sarif = options.sarif.map((path) => openWritable(path, cwd));
  const result = await runLint({ ...options, ...settings, now: startedAt.getTime() });
  const durationMs = Math.round(systemClock.monotonic() - began);
  const report = lintReport(result, { version, startedAt, durationMs, strict });
  writeReportFiles(files, report);
  for (const path of sarif) writeWhole(path, sarifReport(result, { version, cwd }));
  showFindings(result.files, report, out);
  for (const path of [...files.map((file) => file.path), ...sarif]) out.note(`Report: ${path}`);
  return { report, annotations: githubAnnotations(result.findings) };
}

/** Shows the rules that would be applied. */
export async function listRules(options: LintCommandOptions): Promise<{ suite: string; rules: object[] }> {
  const chosen = chooseRules({ ...options, ...(await settingsOf(options)) });
  const rules = RULES.filter(({ id }) => chosen.has(id));
  options.out.table<RuleInfo>(rules, [
    { header: 'rule', value: ({ id }) => id },
    { header: 'about', value: ({ kind }) => (kind === 'both' ? 'any file' : kind) },
    { header: 'severity', value: ({ id }) => chosen.get(id) ?? '' },
    { header: 'fix', value: ({ fixable }) => (fixable ? 'yes' : '') },
    { header: 'true of a clean file', value: ({ title }) => title, shrink: true },
  ]);
  return {
    suite: 'lint-scheduler',
    rules: rules.map(({ id, title, kind, fixable }) => ({
      id,
      title,
      kind,
      severity: chosen.get(id),
      fixable,
      docs: `docs/lint/${id}.md`,
    })),
  };
}

/** What `pao.config.yaml` says, and where the project is. */
async function settingsOf({ cwd, env }: LintCommandOptions) {
  const { config, file } = await loadConfig({ env, cwd });
  return {
    settings: config.lint.rules,
    settingsFile: file,
    project: file === null ? cwd : dirname(file),
    channels: config.channels,
    notify: file === null ? null : config.notify,
  };
}
