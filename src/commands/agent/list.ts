import { BaseCommand } from '../../cli/base-command.js';
import { Flags } from '../../cli/flags.js';
import { AGENT_COLUMNS, ALL_AGENT_COLUMNS } from '../../cli/render/agent-details.js';
import type { AgentObject } from '../../client/api-objects.js';
import { PaoClient, pages } from '../../client/pao-client.js';

/** Lists the agents. */
export default class AgentList extends BaseCommand<typeof AgentList> {
  static override summary = 'List the agents and what they may do';
  static override examples = ['<%= config.bin %> agent list', '<%= config.bin %> agent list --json'];
  static override flags = { all: Flags.boolean({ summary: 'Also the agents that were revoked' }) };

  async run(): Promise<{ items: AgentObject[] }> {
    const client = new PaoClient(this.connection());
    const items: AgentObject[] = [];
    const page = (cursor: string | undefined) =>
      client.listAgents({ limit: 100, cursor, signal: this.signal });
    for await (const agent of pages(page)) {
      if (this.flags.all || agent.disabled_at === null) items.push(agent);
    }
    const columns = this.flags.all ? ALL_AGENT_COLUMNS : AGENT_COLUMNS;
    this.out.table(items, columns, 'There are no agents: pao agent create NAME');
    return { items };
  }
}
