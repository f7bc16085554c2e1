import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { SuiteReport } from '../checks/check.js';
import type { Profile } from '../checks/final-validation/world.js';
import { Flags } from '../cli/flags.js';
import { SuiteCommand } from '../cli/suite-command.js';
import { SUITE_FLAGS, TARGET_FLAGS } from '../cli/suite-flags.js';

/** Everything that pao promises, proved on this machine: the gate before a release. */
export default class FinalValidation extends SuiteCommand<typeof FinalValidation> {
  static override summary = 'Prove that everything pao promises holds: the gate in CI';
  static override description =
    'Agents, schedules, the morning briefing on real servers, tools, errors, recovery, exactly once, load, resources. Starts systems of its own and leaves nothing behind; with --target it checks one that runs.';
  static override examples = [
    '<%= config.bin %> final-validation --junit report.xml --report report.html',
    '<%= config.bin %> final-validation --profile full --baseline baseline.json',
    '<%= config.bin %> final-validation --target http://127.0.0.1:8080 --snapshot before.json',
    '<%= config.bin %> final-validation --target http://127.0.0.1:8080 --snapshot before.json --post-upgrade',
  ];
  static override flags = {
    profile: Flags.option({ options: ['quick', 'standard', 'full'] as const })({
      summary: 'How much: the heart of it, everything, everything for longer',
      default: 'standard',
    }),
    baseline: Flags.string({ summary: 'Measures to compare the load with', helpValue: 'FILE' }),
    'save-baseline': Flags.string({ summary: 'Keep the measures of this run', helpValue: 'FILE' }),
    'max-regression': Flags.integer({
      summary: 'With --baseline: how much worse fails, percent',
      helpValue: 'PERCENT',
      default: 50,
      min: 1,
    }),
    snapshot: Flags.string({
      summary: 'With --target: keep its tasks and due times before an upgrade, or compare with them after it',
      helpValue: 'FILE',
      dependsOn: ['target'],
    }),
    'post-upgrade': Flags.boolean({
      summary: 'Compare with the snapshot instead of making it',
      dependsOn: ['snapshot'],
    }),
    ...SUITE_FLAGS,
    ...TARGET_FLAGS,
  };

  async run(): Promise<unknown> {
    const [{ finalValidation }, { baselineOf, readBaseline, readSnapshot }] = await Promise.all([
      import('../checks/final-validation/suite.js'),
      import('../checks/final-validation/baseline.js'),
    ]);
    const { profile, baseline, snapshot, 'post-upgrade': postUpgrade, 'save-baseline': save } = this.flags;
    const at = (file: string) => resolve(this.process.cwd, file);
    const before =
      postUpgrade && snapshot !== undefined ? { file: snapshot, ...readSnapshot(at(snapshot)) } : null;
    const options = {
      profile: profile as Profile,
      baseline: baseline === undefined ? null : { file: baseline, ...readBaseline(at(baseline), profile) },
      maxRegressionPercent: this.flags['max-regression'],
      before,
    };
    if (snapshot !== undefined && !postUpgrade && !this.flags.list) await this.#takeSnapshot(at(snapshot));
    const result = await this.runSuite(finalValidation(options.profile, postUpgrade), options);
    if (save !== undefined && 'totals' in result) {
      const kept = baselineOf(result as SuiteReport, profile);
      writeFileSync(at(save), `${JSON.stringify(kept, null, 2)}\n`);
      this.out.note(`Baseline: ${save}`);
    }
    return result;
  }

  async #takeSnapshot(file: string): Promise<void> {
    const [{ takeSnapshot }, { PaoClient }] = await Promise.all([
      import('../checks/final-validation/upgrade.js'),
      import('../client/pao-client.js'),
    ]);
    const target = this.target();
    if (target === null) return;
    const snapshot = await takeSnapshot(new PaoClient(target), this.signal);
    writeFileSync(file, `${JSON.stringify(snapshot, null, 2)}\n`);
    this.out.note(`Snapshot of ${snapshot.tasks.length} tasks: ${file}`);
  }
}
