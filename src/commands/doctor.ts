import { resolve } from 'node:path';
import type { SuiteReport } from '../checks/check.js';
import type { AppliedFix } from '../checks/doctor/apply-fixes.js';
import type { DoctorContext } from '../checks/doctor/context.js';
import type { DoctorOptions } from '../checks/doctor/suite.js';
import { Flags } from '../cli/flags.js';
import { progressStyle } from '../cli/progress.js';
import { SuiteCommand } from '../cli/suite-command.js';
import { SUITE_FLAGS } from '../cli/suite-flags.js';
import type { SuiteProgress } from '../cli/suite-progress.js';
import { EXIT } from '../domain/errors.js';

/** What is wrong here, and what to type. */
export default class Doctor extends SuiteCommand<typeof Doctor> {
  static override summary = 'Find out what is wrong here and what to type';
  static override description =
    'Looks at Node.js, files, settings, database, processes, work, tools and access. Needs nothing running and changes nothing without --fix. Exit code 1: there is a problem; warnings alone are 0.';
  static override examples = [
    '<%= config.bin %> doctor',
    '<%= config.bin %> doctor --fix',
    '<%= config.bin %> doctor --only database.*,work.* --json',
    '<%= config.bin %> doctor --bundle pao-support.tar.gz',
  ];
  static override flags = {
    ...SUITE_FLAGS,
    fix: Flags.boolean({
      summary: 'Put right what is safe to, after asking; the database is backed up first',
    }),
    yes: Flags.boolean({ summary: 'With --fix: do not ask', dependsOn: ['fix'] }),
    bundle: Flags.string({
      summary: 'Also write a support archive (tar.gz) without secrets',
      helpValue: 'FILE',
    }),
  };

  async run(): Promise<unknown> {
    const { doctor } = await import('../checks/doctor/suite.js');
    const made: DoctorContext[] = [];
    const report = await this.runSuite(doctor, {
      ...this.#place(),
      onContext: (context) => made.push(context),
    });
    const [seen] = made;
    if (seen === undefined || !('totals' in report)) return report;
    const mended = this.signal.aborted ? null : await this.#mend(report, seen);
    const bundle = await this.#bundle(mended?.report ?? report, seen);
    return {
      ...(mended?.report ?? report),
      fixes:
        mended?.fixes ??
        seen.fixes.map(({ check, what }) => ({ check, what, status: 'offered', error: null })),
      ...(mended?.backup ? { backup: mended.backup } : {}),
      ...(bundle === null ? {} : { bundle }),
    };
  }

  protected override async showProgress(): Promise<SuiteProgress> {
    // Forty lines of what is well are not what somebody in trouble wants to read.
    const isDrawn = progressStyle(this.out, this.process.env) === 'default';
    return isDrawn ? super.showProgress() : { close: async () => {} };
  }

  protected override async showSummary(report: SuiteReport, files: readonly string[]): Promise<void> {
    const { showDoctorSummary } = await import('../cli/doctor-summary.js');
    showDoctorSummary(report, this.out, files);
  }

  #place() {
    const { cwd, userHome } = this.process;
    return { home: this.dataDirectory(), userHome, cwd };
  }

  async #mend(report: SuiteReport, context: DoctorContext) {
    const { fixes } = context;
    if (fixes.length === 0) {
      if (this.flags.fix) this.out.note('There is nothing that --fix could put right.');
      return null;
    }
    if (!this.flags.fix) {
      this.out.hint(`pao doctor --fix (would ${fixes.map(({ what }) => what).join(', ')})`);
      return null;
    }
    const { confirm } = await import('../cli/confirm.js');
    for (const { what } of fixes) this.out.note(`${this.out.symbols.bullet} ${what}`);
    await confirm(fixes.length === 1 ? 'Do this?' : `Do these ${fixes.length} things?`, {
      yes: this.flags.yes ?? false,
      process: this.process,
    });
    const { applyFixes } = await import('../checks/doctor/apply-fixes.js');
    const applied = await applyFixes(context, this.signal, (fix) => this.#say(fix));
    if (applied.backup !== null) this.out.note(`The database as it was before: ${applied.backup}`);
    return { ...applied, report: await this.#again(report, applied.fixes) };
  }

  #say({ what, status, error }: AppliedFix): void {
    if (status === 'done') this.out.success(`Done: ${what}`);
    else this.out.warn(`Could not ${what}: ${error}`);
  }

  /** Looks again at what was mended, and at what could not be looked at: the report tells how things are now. */
  async #again(report: SuiteReport, fixes: readonly AppliedFix[]): Promise<SuiteReport> {
    const [{ runSuite }, { doctor }, { mergeReports }, { closingLine }] = await Promise.all([
      import('../checks/runner.js'),
      import('../checks/doctor/suite.js'),
      import('../checks/doctor/merge-reports.js'),
      import('../cli/doctor-summary.js'),
    ]);
    const skipped = report.checks.filter(({ status }) => status === 'skipped').map(({ id }) => id);
    const only = [...new Set([...fixes.map(({ check }) => check), ...skipped])];
    const options = { ...this.suiteOptions<DoctorOptions>(this.#place()), only, skip: [] };
    const after = mergeReports(report, (await runSuite(doctor, options)).report, options.strict);
    process.exitCode = after.status === 'failed' ? EXIT.failed : EXIT.ok;
    this.out.line(`Now: ${closingLine(after, this.out)}`);
    return after;
  }

  async #bundle(report: SuiteReport, context: DoctorContext): Promise<string | null> {
    if (this.flags.bundle === undefined) return null;
    const file = resolve(this.process.cwd, this.flags.bundle);
    const { writeBundle } = await import('../checks/doctor/bundle.js');
    await writeBundle(file, context, report);
    this.out.success(`Support archive: ${file} (look through it before you pass it on)`);
    return file;
  }
}
