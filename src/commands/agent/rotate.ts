import { BaseCommand } from '../../cli/base-command.js';
import { Args, durationFlag } from '../../cli/flags.js';
import { showNewToken } from '../../cli/render/agent-token.js';
import type { NewTokenObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';
import { formatDuration } from '../../domain/duration.js';

/** Gives an agent a new token and ends its others. */
export default class AgentRotate extends BaseCommand<typeof AgentRotate> {
  static override summary = 'Give an agent a new token; the ones it has end after a while';
  static override examples = [
    '<%= config.bin %> agent rotate mailer',
    '<%= config.bin %> agent rotate mailer --grace 0s',
  ];
  static override args = { name: Args.string({ description: 'Its name or id', required: true }) };
  static override flags = {
    grace: durationFlag({
      summary: 'How long its other tokens stay good; 24h when left out, 0s ends them at once',
      default: 24 * 3_600_000,
      defaultHelp: async () => '24h',
    }),
    expires: durationFlag({ summary: 'How long the new token is good for, such as 90d' }),
  };

  async run(): Promise<NewTokenObject> {
    const { grace, expires } = this.flags;
    const client = new PaoClient(this.connection());
    const agent = await client.findAgent(this.args.name, { signal: this.signal });
    // Asked first: afterwards our own token may be one of those that have ended.
    const me = await client.getAgent('me', { signal: this.signal });
    const token = await client.createToken(
      agent.id,
      {
        revoke_others_after_seconds: Math.ceil(grace / 1000),
        expires_in_seconds: expires === undefined ? undefined : Math.ceil(expires / 1000),
      },
      { signal: this.signal },
    );
    this.out.success(
      grace === 0
        ? `${agent.name} has a new token; its other tokens have ended`
        : `${agent.name} has a new token; its other tokens end in ${formatDuration(grace)}`,
    );
    showNewToken(this.out, token);
    if (me.id === agent.id) {
      this.out.warn('This is the agent you are signed in as: the token your commands use is one that ends.');
    }
    return token;
  }
}
