import { Flags } from '../../cli/flags.js';
import { SuiteCommand } from '../../cli/suite-command.js';
import { SUITE_FLAGS, TARGET_FLAGS } from '../../cli/suite-flags.js';

const { token, 'token-file': tokenFile } = TARGET_FLAGS;
const target = Flags.string({
  summary: 'Ask this running system over HTTP; otherwise this data directory is looked at',
  helpValue: 'URL',
});

/** Who could get at this pao, and how. */
export default class CheckSecurity extends SuiteCommand<typeof CheckSecurity> {
  static override summary = 'Check who could get at this pao, and how';
  static override description =
    'Looks at the data directory and, when it runs, asks the server itself: listening address, Host and Origin, tokens and scopes, secrets written out, tools, files, audit chain, Node.js. With --target only what can be asked over HTTP. Changes nothing.';
  static override examples = [
    '<%= config.bin %> check security',
    '<%= config.bin %> check security --strict --junit security.xml',
    '<%= config.bin %> check security --target https://pao.example.org',
  ];
  static override flags = { ...SUITE_FLAGS, target, token, 'token-file': tokenFile };

  async run(): Promise<unknown> {
    const { checkSecurity } = await import('../../checks/check-security/suite.js');
    const { cwd, userHome } = this.process;
    return this.runSuite(checkSecurity, { home: this.dataDirectory(), userHome, cwd });
  }
}
