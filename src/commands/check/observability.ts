import { Flags } from '../../cli/flags.js';
import { SuiteCommand } from '../../cli/suite-command.js';
import { SUITE_FLAGS, TARGET_FLAGS } from '../../cli/suite-flags.js';

/** Whether metrics, logs, traces and alerts are true. */
export default class CheckObservability extends SuiteCommand<typeof CheckObservability> {
  static override summary = 'Prove that metrics, logs, traces and alerts say what happens';
  static override description =
    'Starts a system of its own, provokes successes, failures and timeouts, and holds what it says about itself to what was done. With --prometheus self a real Prometheus scrapes it until an alert fires and is resolved; with --prometheus URL and --target the one that watches that system is held to the shipped rules.';
  static override examples = [
    '<%= config.bin %> check observability',
    '<%= config.bin %> check observability --prometheus self',
    '<%= config.bin %> check observability --prometheus http://127.0.0.1:9090 --target http://127.0.0.1:8080',
    '<%= config.bin %> check observability --target http://127.0.0.1:8080 --only metrics.*',
  ];
  static override flags = {
    ...SUITE_FLAGS,
    ...TARGET_FLAGS,
    prometheus: Flags.string({
      summary: 'With a Prometheus: self starts the one that is installed, URL is one that scrapes --target',
      helpValue: 'self|URL',
    }),
  };

  async run(): Promise<unknown> {
    const { observability } = await import('../../checks/observability/suite.js');
    return this.runSuite(observability, { prometheus: this.flags.prometheus ?? null });
  }
}
