import { readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Config } from '../../server/config.js';
import type { ChosenRules } from './choose-rules.js';
import { CodeFile, type Parser } from './code-file.js';
import type { Contracts } from './contracts.js';
import type { Edit, Finding, Report } from './finding.js';
import type { LintTarget } from './find-files.js';
import { toReport } from './rule.js';
import { CODE_RULES, RULES, TASK_RULES } from './rules.js';
import type { SourceText } from './source-text.js';
import { applySuppressions, type LintComment, yamlComments } from './suppressions.js';
import { isCatalog, readTaskFile } from './task-file.js';
import { ToolKnowledge } from './tool-knowledge.js';

/** What is needed to look at files. */
export interface LintContext {
  parser: Parser;
  contracts: Contracts;
  rules: ChosenRules;
  /** Epoch milliseconds, for what lies ahead of a schedule. */
  now: number;
  /** Paths are shown from here. */
  cwd: string;
  /** Of `pao.config.yaml`. */
  channels: Config['channels'];
  /** Of `pao.config.yaml`; null where there is none. */
  notify: Pick<Config['notify'], 'approvals'> | null;
}

/** A file that was looked at. */
export interface LintedFile {
  target: LintTarget;
  /** As it is shown. */
  file: string;
  source: SourceText;
  findings: Finding[];
  /** Edits that mend some of the findings. */
  fixes: Edit[][];
  /** Tasks in it, for the summary. */
  tasks: number;
}

const KNOWN: ReadonlySet<string> = new Set(RULES.map(({ id }) => id));

/** Looks at one file. @returns null for a document that is none of ours, met in a folder. */
export async function lintFile(target: LintTarget, context: LintContext): Promise<LintedFile | null> {
  const text = await readFile(target.path, 'utf8');
  return target.kind === 'code' ? lintCode(target, text, context) : lintTasks(target, text, context);
}

function lintCode(target: LintTarget, text: string, context: LintContext): LintedFile {
  const file = new CodeFile(target.path, text, context.parser);
  const reports: Report[] = [];
  for (const { message, start, end } of file.errors) {
    reports.push({ rule: 'syntax', message: `This can not be read: ${message}`, start, end });
  }
  // Half a syntax tree would give findings about what is not there.
  if (file.errors.length === 0) {
    for (const rule of CODE_RULES) {
      if (context.rules.has(rule.id)) rule.check(file, toReport(rule.id, reports), context.contracts);
    }
  }
  const comments = file.comments.map(({ value, start, end }): LintComment => ({ text: value, start, end }));
  return finish(target, file.source, reports, comments, 0, context);
}

async function lintTasks(target: LintTarget, text: string, context: LintContext): Promise<LintedFile | null> {
  const file = await readTaskFile(target.path, text, await toolsBeside(target.path, context), target.isNamed);
  for (const document of file.others) file.tools.add(document);
  // Met in a folder, a file that can not be read is ours only when it speaks of a pipeline.
  const isOurs = file.tasks.length > 0 || (file.error !== null && /^\s*["']?pipeline["']?\s*:/m.test(text));
  if (!target.isNamed && !isOurs) return null;
  const reports: Report[] = [];
  if (file.error !== null) {
    const { message, hint, start, end } = file.error;
    reports.push({ rule: 'syntax', message, ...(hint === null ? {} : { hint }), start, end });
  } else if (file.tasks.length === 0 && !file.others.some(isCatalog)) {
    reports.push({
      rule: 'task-schema',
      message: 'There is no task in this file: an object with name, schedule and pipeline is expected',
      hint: 'pao init briefing writes an example',
      start: 0,
      end: 1,
    });
  }
  for (const rule of TASK_RULES) {
    if (context.rules.has(rule.id)) rule.check(file, toReport(rule.id, reports), context.now);
  }
  const comments = /\.json$/i.test(target.path) ? [] : yamlComments(text);
  return finish(target, file.source, reports, comments, file.tasks.length, context);
}

/** What the catalogs beside a task file say about its tools. */
async function toolsBeside(path: string, { channels, notify }: LintContext): Promise<ToolKnowledge> {
  const tools = new ToolKnowledge(channels, notify);
  for (const name of ['tools.yaml', 'tools.yml', 'tools.json']) {
    const beside = join(dirname(path), name);
    if (beside === path) continue;
    const text = await readFile(beside, 'utf8').catch((error: NodeJS.ErrnoException) => {
      // A catalog that can not be read is no reason to say nothing about the tasks.
      if (error.code === undefined) throw error;
      return null;
    });
    if (text === null) continue;
    const { others } = await readTaskFile(beside, text, tools);
    for (const document of others) tools.add(document);
  }
  return tools;
}

function finish(
  target: LintTarget,
  source: SourceText,
  reports: readonly Report[],
  comments: readonly LintComment[],
  tasks: number,
  { rules, cwd }: LintContext,
): LintedFile {
  const left = applySuppressions(reports, comments, source, new Set(rules.keys()), KNOWN).filter(({ rule }) =>
    rules.has(rule),
  );
  const file = shownPath(target.path, cwd);
  const findings = left.map((report): Finding => {
    const start = source.position(report.start);
    const end = source.position(Math.max(report.end, report.start));
    return {
      rule: report.rule,
      severity: rules.get(report.rule) ?? 'error',
      message: report.message,
      hint: report.hint ?? null,
      file,
      line: start.line,
      column: start.column,
      end_line: end.line,
      end_column: end.column,
      fixable: report.fix !== undefined,
    };
  });
  findings.sort((a, b) => a.line - b.line || a.column - b.column || a.rule.localeCompare(b.rule));
  const fixes = left.flatMap(({ fix }) => (fix === undefined ? [] : [fix]));
  return { target, file, source, findings, fixes, tasks };
}

/** Relative where that is shorter to read: inside the folder the command runs in. */
function shownPath(path: string, cwd: string): string {
  const from = relative(cwd, path);
  return from.startsWith('..') ? path : from.replaceAll('\\', '/');
}
