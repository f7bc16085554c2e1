import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { changeSecretRights } from '../../cli/secret-rights.js';
import { requireSecretName } from '../../domain/secret-name.js';

/** Lets an agent or a tool use a secret. */
export default class SecretGrant extends BaseCommand<typeof SecretGrant> {
  static override summary = 'Let an agent or a tool use a secret';
  static override description =
    'An agent gets the scope secrets:use:NAME. Its token needs it as well (pao agent rotate), and tasks it made before have it once they are applied again. A tool is added to the tools a stored secret is limited to; one that was not limited is limited from then on.';
  static override examples = [
    '<%= config.bin %> secret grant TELEGRAM_TOKEN --agent planner',
    '<%= config.bin %> secret grant TELEGRAM_TOKEN --tool "telegram.*"',
  ];
  static override args = { name: Args.string({ description: 'Name of the secret', required: true }) };
  static override flags = {
    agent: Flags.string({ summary: 'Name of the agent', helpValue: 'NAME', atLeastOne: ['agent', 'tool'] }),
    tool: Flags.string({ summary: 'Address of the tool, or telegram.*', helpValue: 'ADDRESS' }),
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
      'grant',
      { name, agent, tool },
      () => this.connection(),
      {
        ...this.process,
        home: this.dataDirectory(),
        out: this.out,
      },
    );
    if (already)
      this.out.note(`${agent} has the scope admin, so it may use every secret; nothing was changed`);
    else if (agent !== undefined) {
      this.out.success(`${agent} has the scope secrets:use:${name}`);
      this.out.hint(`pao agent rotate ${agent}   for a token that has it too`);
    }
    if (tool !== undefined) this.out.success(`${name} may go to ${tool}`);
    return { name, agent: agent ?? null, tool: tool ?? null, audited };
  }
}
