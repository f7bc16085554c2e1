import { readFile } from 'node:fs/promises';
import type { Config } from '../../server/config.js';
import { applyEdits, replaceFile } from './apply-fixes.js';
import { type ChosenRules, chooseRules, type RuleSetting } from './choose-rules.js';
import { CodeFile, type Parser } from './code-file.js';
import { type Contracts, readContracts } from './contracts.js';
import type { Finding } from './finding.js';
import { CONTRACT_SOURCES, type LintTarget, namedFiles, ownFiles, projectTaskFiles } from './find-files.js';
import { type LintContext, type LintedFile, lintFile } from './lint-files.js';

/** What is to be looked at, and how. */
export interface LintOptions {
  /** Files and folders; empty: pao's own scheduler and the task files of the project. */
  paths: readonly string[];
  /** The folder of `pao.config.yaml`, else the one the command runs in. */
  project: string;
  cwd: string;
  packageRoot: string;
  only: readonly string[];
  skip: readonly string[];
  settings: Readonly<Record<string, RuleSetting>>;
  settingsFile: string | null;
  /** Of `pao.config.yaml`; none when left out. */
  channels?: Config['channels'] | undefined;
  /** Of `pao.config.yaml`; null where there is none. */
  notify: Pick<Config['notify'], 'approvals'> | null;
  fix: boolean;
  now: number;
  signal: AbortSignal;
}

export interface LintResult {
  files: LintedFile[];
  findings: Finding[];
  rules: ChosenRules;
  /** Findings that `fix` mended. */
  fixed: number;
}

/** A fix may bring another finding to light; one that brings itself back is stopped here. */
const FIX_ROUNDS = 5;

/**
 * Looks at files without running any of them.
 * @throws PaoError exit 2 for a path that is not there or an unknown rule, exit 3 when pao's own sources are missing.
 */
export async function runLint(options: LintOptions): Promise<LintResult> {
  const rules = chooseRules(options);
  const parser = await import('oxc-parser');
  const { cwd, now, packageRoot } = options;
  const targets = targetsOf(options);
  const contracts = targets.some(({ kind }) => kind === 'code')
    ? await contractsOf(packageRoot, parser)
    : new Map();
  const context: LintContext = {
    parser,
    contracts,
    rules,
    cwd,
    now,
    channels: options.channels ?? {},
    notify: options.notify,
  };
  const files: LintedFile[] = [];
  let fixed = 0;
  for (const target of targets) {
    options.signal.throwIfAborted();
    let linted = await lintFile(target, context);
    for (let round = 0; linted !== null && options.fix && !target.isOwn && round < FIX_ROUNDS; round += 1) {
      const { text, applied } = applyEdits(linted.source.text, linted.fixes);
      if (applied === 0) break;
      replaceFile(target.path, text);
      fixed += applied;
      linted = await lintFile(target, context);
    }
    if (linted !== null) files.push(linted);
  }
  return { files, findings: files.flatMap(({ findings }) => findings), rules, fixed };
}

async function contractsOf(packageRoot: string, parser: Parser): Promise<Contracts> {
  const files = ownFiles(packageRoot, CONTRACT_SOURCES).map(
    async ({ path }) => new CodeFile(path, await readFile(path, 'utf8'), parser),
  );
  return readContracts(await Promise.all(files));
}

function targetsOf({ paths, cwd, packageRoot, project }: LintOptions): LintTarget[] {
  if (paths.length > 0) return namedFiles(paths, cwd);
  return [...ownFiles(packageRoot), ...projectTaskFiles(project)];
}
