import { BaseCommand } from '../../cli/base-command.js';
import { Args } from '../../cli/flags.js';
import { showAgent } from '../../cli/render/agent-details.js';
import type { AgentObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Shows one agent and its tokens. */
export default class AgentShow extends BaseCommand<typeof AgentShow> {
  static override summary = 'Show an agent and its tokens, without their secrets';
  static override examples = ['<%= config.bin %> agent show mailer'];
  static override args = { name: Args.string({ description: 'Its name or id', required: true }) };

  async run(): Promise<AgentObject> {
    const client = new PaoClient(this.connection());
    const agent = await client.findAgent(this.args.name, { signal: this.signal });
    showAgent(this.out, agent);
    return agent;
  }
}
