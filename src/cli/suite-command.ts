import type { Command } from '@oclif/core/command';
import type { Check, Suite, SuiteOptions, SuiteReport } from '../checks/check.js';
import { EXIT, PaoError } from '../domain/errors.js';
import { BaseCommand, LOCAL_FLAGS } from './base-command.js';
import { interruptedCode } from './cli-config.js';
import { findConnection } from './connection.js';
import type { SuiteProgress } from './suite-progress.js';

/** What the shared flags of a suite came to; commands without some of them leave those out. */
interface SuiteFlagValues {
  only?: string[];
  skip?: string[];
  list?: boolean;
  'fail-fast'?: boolean;
  timeout?: number;
  concurrency?: number;
  strict?: boolean;
  junit?: string[];
  report?: string[];
  target?: string;
  token?: string;
  'token-file'?: string;
  'allow-disruptive'?: boolean;
}

/**
 * A command that runs a check suite:
 *
 *     static override flags = { ...SUITE_FLAGS, ...TARGET_FLAGS };
 *     async run() {
 *       const { testSystem } = await import('../../checks/test-system/suite.js');
 *       return this.runSuite(testSystem, {});
 *     }
 *
 * Progress goes to stderr, the summary to stdout; the exit code is 0, 1, 130 or 143, or that of what made the suite fail.
 */
export abstract class SuiteCommand<T extends typeof Command> extends BaseCommand<T> {
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  /** Ctrl-C ends the suite, which removes what it made and still writes its reports. */
  static override readonly drains: boolean = true;

  /**
   * Runs the suite with the shared flags, shows it and writes its reports.
   * @param own what the suite takes besides.
   * @returns the JSON document.
   */
  protected async runSuite<Context, Options extends SuiteOptions>(
    suite: Suite<Context, Options>,
    own: Omit<Options, keyof SuiteOptions>,
  ): Promise<SuiteReport | { suite: string; checks: ListedCheck[] }> {
    const flags = this.flags as SuiteFlagValues;
    const selection = { only: flags.only ?? [], skip: flags.skip ?? [] };
    if (flags.list) return this.#list(suite, selection);
    const [{ runSuite }, { openReportFiles, writeReportFiles }] = await Promise.all([
      import('../checks/runner.js'),
      import('./report-files.js'),
    ]);
    const files = openReportFiles(flags, this.process.cwd);
    const options = this.suiteOptions<Options>(own);
    const { env } = this.process;
    const progress = await this.showProgress();
    const { report, failure, wasInterrupted } = await runSuite(suite, options, progress).finally(() =>
      progress.close(),
    );
    writeReportFiles(files, report);
    if (env['GITHUB_ACTIONS'] === 'true') {
      const { REPORTERS } = await import('../checks/reporters/index.js');
      // stdout may be the JSON document; the runner reads both streams.
      this.process.stderr.write(REPORTERS.github(report));
    }
    if (failure !== null) throw failure;
    await this.showSummary(
      report,
      files.map(({ path }) => path),
    );
    if (wasInterrupted) process.exitCode = interruptedCode(this.signal);
    else if (report.status === 'failed') process.exitCode = EXIT.failed;
    return report;
  }

  /** How the suite is shown while it runs. */
  protected async showProgress(): Promise<SuiteProgress> {
    const { showSuite } = await import('./suite-progress.js');
    return showSuite({ out: this.out, env: this.process.env, signal: this.signal });
  }

  /** What is shown at the end. @param files the reports that were written. */
  protected async showSummary(report: SuiteReport, files: readonly string[]): Promise<void> {
    const { showSuiteSummary } = await import('./suite-summary.js');
    showSuiteSummary(report, this.out, files);
  }

  /** What the flags ask of the suite, and what it takes besides. */
  protected suiteOptions<Options extends SuiteOptions>(own: Omit<Options, keyof SuiteOptions>): Options {
    const flags = this.flags as SuiteFlagValues;
    const shared: SuiteOptions = {
      only: flags.only ?? [],
      skip: flags.skip ?? [],
      packageRoot: this.packageRoot,
      version: this.config.version,
      target: this.target(),
      failFast: flags['fail-fast'] ?? false,
      timeoutMs: flags.timeout ?? null,
      concurrency: flags.concurrency,
      strict: flags.strict ?? false,
      allowDisruptive: flags['allow-disruptive'] ?? false,
      signal: this.signal,
      env: this.process.env,
    };
    return { ...own, ...shared } as unknown as Options;
  }

  /**
   * The running system that `--target` names; null without it.
   * @throws PaoError PAO_TOKEN_MISSING (exit 4) when there is no token for it.
   */
  protected target(): SuiteOptions['target'] {
    const flags = this.flags as SuiteFlagValues;
    if (flags.target === undefined) return null;
    const { url, token } = findConnection({
      ...this.process,
      env: flags.token === undefined ? this.process.env : { ...this.process.env, PAO_TOKEN: flags.token },
      url: flags.target,
      tokenFile: flags['token-file'],
    });
    if (token !== null) return { url, token };
    throw new PaoError('PAO_TOKEN_MISSING', `There is no token for ${url}.`, {
      exitCode: EXIT.forbidden,
      hints: ['export PAO_TOKEN=pao_…', 'pao agent create checker --scope admin'],
    });
  }

  async #list<Context>(
    suite: Suite<Context, never>,
    selection: { only: string[]; skip: string[] },
  ): Promise<{ suite: string; checks: ListedCheck[] }> {
    const { selectChecks } = await import('../checks/select-checks.js');
    const { checks, leftOut } = selectChecks(suite.checks, { ...selection, command: suite.command });
    const listed = checks.filter(({ id }) => !leftOut.has(id)).map(listedCheck);
    this.out.table(listed, [
      { header: 'id', value: ({ id }) => id },
      { header: 'group', value: ({ group }) => group },
      { header: 'proves', value: ({ title }) => title, shrink: true },
      { header: 'needs', value: ({ needs, requires }) => [...needs, ...requires].join(', ') },
    ]);
    return { suite: suite.id, checks: listed };
  }
}

/** A check as `--list --json` shows it. */
interface ListedCheck {
  id: string;
  title: string;
  group: string;
  needs: string[];
  requires: string[];
  is_disruptive: boolean;
}

function listedCheck({ id, title, group, needs, requires, isDisruptive }: Check<never>): ListedCheck {
  return {
    id,
    title,
    group,
    needs: [...(needs ?? [])],
    requires: [...(requires ?? [])],
    is_disruptive: isDisruptive ?? false,
  };
}
