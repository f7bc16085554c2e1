import { Flags } from '../../cli/flags.js';
import { EXIT, PaoError } from '../../domain/errors.js';
import StartSystem from './system.js';

/** `pao start --local` is `pao start local`, and `--system` is `pao start system`, for those who type it that way. */
export default class Start extends StartSystem {
  static override summary = 'Run the orchestrator';
  static override description =
    'pao start local runs everything on this machine; pao start --local is the same. pao start system (or --system) looks for PostgreSQL and Redis first.';
  static override examples = ['<%= config.bin %> start local', '<%= config.bin %> start --local --detach'];
  static override flags = {
    ...StartSystem.flags,
    local: Flags.boolean({ summary: 'The same as pao start local', exclusive: ['system'] }),
    system: Flags.boolean({ summary: 'The same as pao start system' }),
  };

  override async run(): Promise<unknown> {
    const { local, system } = this.flags as { local?: boolean; system?: boolean };
    if (system || local) return this.startLocal();
    return this.#explain();
  }

  protected override reach(): ReturnType<StartSystem['reach']> {
    return (this.flags as { system?: boolean }).system ? super.reach() : null;
  }

  async #explain(): Promise<unknown> {
    if (this.jsonEnabled() || Object.keys(this.flags).some((name) => name in StartSystem.flags)) {
      throw new PaoError(
        'PAO_USAGE',
        'pao start wants to know what: local, or system with PostgreSQL and Redis.',
        {
          exitCode: EXIT.usage,
          hints: [['pao start local', ...this.argv].join(' ')],
        },
      );
    }
    const [{ PaoHelp }, { CliConfig }] = await Promise.all([
      import('../../cli/help.js'),
      import('../../cli/cli-config.js'),
    ]);
    if (this.config instanceof CliConfig) await new PaoHelp(this.config).showHelp(['start']);
    return undefined;
  }
}
