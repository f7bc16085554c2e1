import { BaseCommand, LOCAL_FLAGS } from '../cli/base-command.js';
import { Args, Flags } from '../cli/flags.js';
import { SUITE_FLAGS } from '../cli/suite-flags.js';
import { EXIT } from '../domain/errors.js';

const { strict, junit, report } = SUITE_FLAGS;
const ruleList = { helpValue: 'RULE,…', multiple: true as const, delimiter: ',' as const };

/** Looks for mistakes in schedulers, tools and task files without running them. */
export default class LintScheduler extends BaseCommand<typeof LintScheduler> {
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override summary = 'Look for mistakes in schedulers, tools and task files';
  static override description =
    'Reads syntax trees and runs nothing. Without PATH: the scheduler of this installation, and the task files of this folder (and of tasks/ in it). A warning fails under --strict alone.';
  static override examples = [
    '<%= config.bin %> lint-scheduler',
    '<%= config.bin %> lint-scheduler tasks/ my-scheduler.ts --fix',
    '<%= config.bin %> lint-scheduler briefing.yaml --sarif lint.sarif',
    '<%= config.bin %> lint-scheduler --list',
  ];
  static override args = {
    paths: Args.string({
      summary: 'Files or folders of code (.ts, .js) and tasks (.yaml, .json)',
      multiple: true,
    }),
  };
  static override flags = {
    only: Flags.string({ summary: 'Apply these rules; * stands for any text', ...ruleList }),
    skip: Flags.string({ summary: 'Leave these rules out', ...ruleList }),
    list: Flags.boolean({ summary: 'Show the rules and look at nothing' }),
    fix: Flags.boolean({ summary: 'Mend what can be mended safely' }),
    strict,
    sarif: Flags.string({ summary: 'Also write SARIF 2.1.0', helpValue: 'FILE', multiple: true }),
    junit,
    report,
  };

  async run(): Promise<unknown> {
    const { lintCommand, listRules } = await import('../checks/lint/command.js');
    const { flags } = this;
    const options = {
      paths: this.args.paths ?? [],
      only: flags.only ?? [],
      skip: flags.skip ?? [],
      fix: flags.fix,
      strict: flags.strict,
      sarif: flags.sarif ?? [],
      junit: flags.junit ?? [],
      reports: flags.report ?? [],
      cwd: this.process.cwd,
      env: this.process.env,
      packageRoot: this.packageRoot,
      version: this.config.version,
      signal: this.signal,
      out: this.out,
    };
    if (flags.list) return listRules(options);
    const { report: document, annotations } = await lintCommand(options);
    // stdout may be the JSON document; the runner reads both streams.
    if (this.process.env['GITHUB_ACTIONS'] === 'true') this.process.stderr.write(annotations);
    if (document.status === 'failed') process.exitCode = EXIT.failed;
    return document;
  }
}
