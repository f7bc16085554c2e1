import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { changeSecretRights } from '../../cli/secret-rights.js';
import { requireSecretName } from '../../domain/secret-name.js';

/** Takes the right to use a secret from an agent or a tool. */
export default class SecretRevoke extends BaseCommand<typeof SecretRevoke> {
  static override summary = 'Take the right to use a secret from an agent or a tool';
  static override description =
    'At once, also for tasks that are there: a run that needs it fails at that step. When the last tool is taken, no tool may use it.';
  static override examples = [
    '<%= config.bin %> secret revoke TELEGRAM_TOKEN --agent planner',
    '<%= config.bin %> secret revoke TELEGRAM_TOKEN --tool "telegram.*"',
  ];
  static override args = { name: Args.string({ description: 'Name of the secret', required: true }) };
  static override flags = {
    agent: Flags.string({ summary: 'Name of the agent', helpValue: 'NAME', atLeastOne: ['agent', 'tool'] }),
    tool: Flags.string({ summary: 'Address of the tool, as it was granted', helpValue: 'ADDRESS' }),
  };

  async run(): Promise<{
    name: string;
    agent: string | null;
    tool: string | null;
    audited: boolean;
  }> {
    const { name } = this.args;
    requireSecretName(name);
    const { agent, tool } = this.flags;
    const { audited, already } = await changeSecretRights(
      'revoke',
      { name, agent, tool },
      () => this.connection(),
      {
        ...this.process,
        home: this.dataDirectory(),
        out: this.out,
      },
    );
    if (already) this.out.warn(`${agent} has the scope admin, so it may still use every secret`);
    else if (agent !== undefined) this.out.success(`${agent} may no longer use ${name}`);
    if (tool !== undefined) this.out.success(`${name} may no longer go to ${tool}`);
    return { name, agent: agent ?? null, tool: tool ?? null, audited };
  }
}
