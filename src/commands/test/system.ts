import { SuiteCommand } from '../../cli/suite-command.js';
import { SUITE_FLAGS, TARGET_FLAGS } from '../../cli/suite-flags.js';

/** Whether a system works at all, in a few seconds. */
export default class TestSystem extends SuiteCommand<typeof TestSystem> {
  static override summary = 'Test in a few seconds whether the system works';
  static override description =
    'Starts a system of its own in a temporary directory and leaves nothing behind; with --target it checks one that runs, and removes what it made there.';
  static override examples = [
    '<%= config.bin %> test system',
    '<%= config.bin %> test system --target http://127.0.0.1:8080 --junit report.xml',
    '<%= config.bin %> test system --only health.*',
  ];
  static override flags = { ...SUITE_FLAGS, ...TARGET_FLAGS };

  async run(): Promise<unknown> {
    const { testSystem } = await import('../../checks/test-system/suite.js');
    return this.runSuite(testSystem, {});
  }
}
