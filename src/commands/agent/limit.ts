import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import type { AgentObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Bounds how many tasks an agent may have. */
export default class AgentLimit extends BaseCommand<typeof AgentLimit> {
  static override summary = 'Bound how many tasks an agent may have';
  static override description =
    'Canceled tasks do not count. Those it has above the bound stay; it can not add one. Without a bound of its own it has that of the configuration (limits.tasks_per_agent, 10000).';
  static override examples = [
    '<%= config.bin %> agent limit planner --tasks 50',
    '<%= config.bin %> agent limit planner --none',
  ];
  static override args = { name: Args.string({ description: 'Its name or id', required: true }) };
  static override flags = {
    tasks: Flags.integer({ summary: 'Tasks it may have', min: 0, exactlyOne: ['tasks', 'none'] }),
    none: Flags.boolean({ summary: 'Take its own bound away' }),
  };

  async run(): Promise<AgentObject> {
    const client = new PaoClient(this.connection());
    const options = { signal: this.signal };
    const { id } = await client.findAgent(this.args.name, options);
    const agent = await client.updateAgent(id, { max_tasks: this.flags.tasks ?? null }, options);
    this.out.success(
      this.flags.tasks === undefined
        ? `${agent.name} has the bound of the configuration`
        : `${agent.name} may have ${this.flags.tasks} tasks`,
    );
    return agent;
  }
}
