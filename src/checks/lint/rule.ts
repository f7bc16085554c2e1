import type { CodeFile } from './code-file.js';
import type { Contracts } from './contracts.js';
import type { Edit, Report, RuleInfo } from './finding.js';
import type { TaskFile } from './task-file.js';

/** Where a rule reports, by offsets; `span` is often a node. */
export type Tell = (
  span: { start: number; end: number },
  message: string,
  more?: { hint?: string; fix?: Edit[] },
) => void;

/** A rule about TypeScript and JavaScript. */
export interface CodeRule extends RuleInfo {
  kind: 'code';
  check(file: CodeFile, tell: Tell, contracts: Contracts): void;
}

/** A rule about the tasks of a YAML or JSON file. */
export interface TaskRule extends RuleInfo {
  kind: 'task';
  /** @param now epoch milliseconds, for what lies ahead. */
  check(file: TaskFile, tell: Tell, now: number): void;
}

export const toReport =
  (rule: string, reports: Report[]): Tell =>
  ({ start, end }, message, more = {}) =>
    void reports.push({ rule, message, start, end, ...more });
