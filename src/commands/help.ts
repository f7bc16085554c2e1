import { BaseCommand, LOCAL_FLAGS } from '../cli/base-command.js';

/** Shows help; the same as `--help`. */
export default class HelpCommand extends BaseCommand<typeof HelpCommand> {
  static override summary = 'Explain a command, or the exit codes';
  static override examples = [
    '<%= config.bin %> help',
    '<%= config.bin %> help task apply',
    '<%= config.bin %> help exit-codes',
  ];
  static override baseFlags = LOCAL_FLAGS;
  static override strict = false;

  async run(): Promise<unknown> {
    const { PaoHelp } = await import('../cli/help.js');
    const { CliConfig } = await import('../cli/cli-config.js');
    if (this.config instanceof CliConfig) await new PaoHelp(this.config).showHelp(this.argv);
    return undefined;
  }
}
