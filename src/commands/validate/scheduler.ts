import type { SuiteReport } from '../../checks/check.js';
import { Args, Flags } from '../../cli/flags.js';
import { SuiteCommand } from '../../cli/suite-command.js';
import { SUITE_FLAGS } from '../../cli/suite-flags.js';
import { systemClock } from '../../domain/clock.js';
import { loadConfig } from '../../server/config.js';

/** Whether schedules are right: those of this installation, or the ones that are given. */
export default class ValidateScheduler extends SuiteCommand<typeof ValidateScheduler> {
  static override summary = 'Prove that schedules are computed right, or check some';
  static override description =
    'Needs no server and no network. Without EXPR and --file it proves this installation; with them it says of each schedule whether it can be, what it means in words, when it fires next, and what might surprise. Exit code 1 when one can not be, 2 for wrong usage.';
  static override examples = [
    '<%= config.bin %> validate scheduler',
    '<%= config.bin %> validate scheduler "0 9 * * 1-5" --timezone Europe/Chisinau',
    '<%= config.bin %> validate scheduler "FREQ=MONTHLY;BYDAY=-1FR" 2026-12-24T18:00:00+01:00 --count 10',
    '<%= config.bin %> validate scheduler --file tasks.yaml --strict',
  ];
  static override args = {
    expressions: Args.string({
      name: 'EXPR',
      summary: 'Cron expressions, RRULEs or times, each in quotes',
      multiple: true,
    }),
  };
  static override flags = {
    ...SUITE_FLAGS,
    file: Flags.string({ summary: 'Check the tasks of this file', helpValue: 'FILE', multiple: true }),
    timezone: Flags.string({
      summary: 'Zone whose clock counts; otherwise that of the configuration, or UTC',
      helpValue: 'ZONE',
    }),
    dtstart: Flags.string({ summary: 'Where rules are counted from', helpValue: 'TIME' }),
    count: Flags.integer({ char: 'n', summary: 'How many times to show', default: 5, min: 1, max: 1000 }),
  };

  async run(): Promise<unknown> {
    const { expressions = [] } = this.args;
    const { file: files = [], timezone, dtstart, count } = this.flags;
    if (expressions.length === 0 && files.length === 0 && dtstart === undefined) {
      const { validateScheduler } = await import('../../checks/validate-scheduler/suite.js');
      return this.runSuite(validateScheduler, {});
    }
    const { env, cwd } = this.process;
    const { timezone: configured, channels } = (await loadConfig({ env, cwd })).config;
    const { givenSchedules } = await import('../../checks/validate-scheduler/given.js');
    const assumedZone = timezone === undefined && configured === undefined;
    if (assumedZone && expressions.length > 0)
      this.out.note('No zone is given: UTC counts (--timezone ZONE).');
    const suite = await givenSchedules({
      expressions,
      files,
      timezone: timezone ?? configured ?? 'UTC',
      assumedZone,
      dtstart,
      count,
      now: systemClock.now(),
      cwd,
      channels,
    });
    return this.runSuite(suite, {});
  }

  protected override async showSummary(report: SuiteReport, files: readonly string[]): Promise<void> {
    const { showVerdicts } = await import('../../cli/render/schedule-verdicts.js');
    showVerdicts(report.checks, this.out);
    await super.showSummary(report, files);
  }
}
