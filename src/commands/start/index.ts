import { Flags } from '../../cli/flags.js';
import { EXIT, PaoError } from '../../domain/errors.js';
import StartLocal from './local.js';

/** `pao start --local` is `pao start local`, for those who type it that way. */
export default class Start extends StartLocal {
  static override summary = 'Run the orchestrator';
  static override description =
    'pao start local runs everything on this machine; pao start --local is the same.';
  static override examples = ['<%= config.bin %> start local', '<%= config.bin %> start --local --detach'];
  static override flags = {
    ...StartLocal.flags,
    local: Flags.boolean({ summary: 'The same as pao start local', exclusive: ['system'] }),
    system: Flags.boolean({ summary: 'Services on PostgreSQL, for more than one machine' }),
  };

  override async run(): Promise<unknown> {
    const { local, system } = this.flags as { local?: boolean; system?: boolean };
    if (system) {
      throw new PaoError(
        'PAO_SYSTEM_UNSUPPORTED',
        'This version runs on one machine with SQLite; --system comes with PostgreSQL support.',
        { exitCode: EXIT.usage, hints: ['pao start local'] },
      );
    }
    if (local) return this.startLocal();
    return this.#explain();
  }

  async #explain(): Promise<unknown> {
    if (this.jsonEnabled() || Object.keys(this.flags).some((name) => name in StartLocal.flags)) {
      throw new PaoError('PAO_USAGE', 'pao start wants to know where: on this machine is local.', {
        exitCode: EXIT.usage,
        hints: [['pao start local', ...this.argv].join(' ')],
      });
    }
    const [{ PaoHelp }, { CliConfig }] = await Promise.all([
      import('../../cli/help.js'),
      import('../../cli/cli-config.js'),
    ]);
    if (this.config instanceof CliConfig) await new PaoHelp(this.config).showHelp(['start']);
    return undefined;
  }
}
