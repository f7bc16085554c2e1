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

  async run(): Promise<{ help: string }> {
    const [{ PaoHelp }, { CliConfig }] = await Promise.all([
      import('../cli/help.js'),
      import('../cli/cli-config.js'),
    ]);
    const parts: string[] = [];
    if (this.config instanceof CliConfig) {
      await new PaoHelp(this.config, (text) => void parts.push(text)).showHelp(this.argv);
    }
    const help = parts.join('\n').trimEnd();
    this.out.line(help);
    return { help };
  }
}
