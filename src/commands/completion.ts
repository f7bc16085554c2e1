import { BaseCommand, LOCAL_FLAGS } from '../cli/base-command.js';
import { Args } from '../cli/flags.js';

const INSTALL = {
  bash: 'echo \'eval "$(pao completion bash)"\' >> ~/.bashrc',
  zsh: 'pao completion zsh > "${fpath[1]}/_pao"',
  fish: 'pao completion fish > ~/.config/fish/completions/pao.fish',
} as const;

/** Prints a completion script for a shell, made from the manifest. */
export default class Completion extends BaseCommand<typeof Completion> {
  static override summary = 'Print a script that completes commands and flags in your shell';
  static override description = Object.entries(INSTALL)
    .map(([shell, line]) => `${shell}: ${line}`)
    .join('\n');
  static override examples = ['<%= config.bin %> completion bash'];
  static override baseFlags = LOCAL_FLAGS;
  static override args = {
    shell: Args.string({
      description: 'The shell',
      required: true,
      options: Object.keys(INSTALL),
    }),
  };

  async run(): Promise<{ shell: string; script: string; install: string }> {
    const { completionScript } = await import('../cli/completion-script.js');
    const shell = this.args.shell as keyof typeof INSTALL;
    const script = completionScript(shell, this.config.commands);
    this.out.raw(script);
    return { shell, script, install: INSTALL[shell] };
  }
}
