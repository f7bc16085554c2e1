import { BaseCommand } from '../../cli/base-command.js';
import { perDayFlag } from '../../cli/budget-flag.js';
import { Args, durationFlag, Flags } from '../../cli/flags.js';
import { showNewToken } from '../../cli/render/agent-token.js';
import type { CreatedAgentObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Makes an agent and its first token. */
export default class AgentCreate extends BaseCommand<typeof AgentCreate> {
  static override summary = 'Make an agent and print its token, once';
  static override description =
    'Without --scope it may work with its own tasks, runs and events and see the tools, but call none: give it tool:ADDRESS or tool:PREFIX* for those its pipelines call.';
  static override examples = [
    '<%= config.bin %> agent create mailer --scope tasks:write --scope "tool:mail.*"',
    '<%= config.bin %> agent create mailer --per-day usd=2,runs=50',
    'PAO_TOKEN=$(<%= config.bin %> agent create mailer --expires 30d)',
  ];
  static override args = { name: Args.string({ description: 'Its name', required: true }) };
  static override flags = {
    scope: Flags.string({
      summary: 'What it may do; may be repeated',
      helpValue: 'SCOPE',
      multiple: true,
      multipleNonGreedy: true,
    }),
    'per-day': perDayFlag(),
    title: Flags.string({ summary: 'Its name for people', helpValue: 'TEXT' }),
    expires: durationFlag({ summary: 'How long its token is good for, such as 90d' }),
  };

  async run(): Promise<CreatedAgentObject> {
    const { scope, title, expires, 'per-day': per_day } = this.flags;
    const agent = await new PaoClient(this.connection()).createAgent(
      {
        name: this.args.name,
        title,
        scopes: scope,
        ...(per_day === undefined ? {} : { budget: { per_day } }),
        expires_in_seconds: expires === undefined ? undefined : Math.ceil(expires / 1000),
      },
      { signal: this.signal },
    );
    this.out.success(`Made the agent ${agent.name} (${agent.id}) with the scopes ${agent.scopes.join(' ')}`);
    showNewToken(this.out, agent.token);
    return agent;
  }
}
