import { BaseCommand } from '../../cli/base-command.js';
import { perDayFlag } from '../../cli/budget-flag.js';
import { Args, Flags } from '../../cli/flags.js';
import { showAgentBudget } from '../../cli/render/agent-details.js';
import type { AgentObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Shows or sets what all tasks of an agent together may use in a day. */
export default class AgentBudget extends BaseCommand<typeof AgentBudget> {
  static override summary = 'Show or set what an agent may use in a day';
  static override description =
    'Holds over all its tasks, and is checked before each call. What is given takes the place of the budget it has.';
  static override examples = [
    '<%= config.bin %> agent budget mailer',
    '<%= config.bin %> agent budget mailer --per-day usd=2,runs=50',
    '<%= config.bin %> agent budget mailer --none',
  ];
  static override args = { name: Args.string({ description: 'Its name or id', required: true }) };
  static override flags = {
    'per-day': perDayFlag({ exclusive: ['none'] }),
    'on-exceed': Flags.string({
      summary: 'What becomes of a task that would go above it',
      options: ['skip', 'pause'],
      dependsOn: ['per-day'],
    }),
    timezone: Flags.string({
      summary: "Whose midnight it is; the system's when left out",
      helpValue: 'ZONE',
      dependsOn: ['per-day'],
    }),
    none: Flags.boolean({ summary: 'Take its budget away' }),
  };

  async run(): Promise<AgentObject> {
    const { none, timezone } = this.flags;
    const { 'per-day': per_day, 'on-exceed': on_exceed } = this.flags;
    const client = new PaoClient(this.connection());
    const options = { signal: this.signal };
    const agent = await client.findAgent(this.args.name, options);
    if (!none && per_day === undefined) {
      showAgentBudget(this.out, agent);
      return agent;
    }
    const budget = per_day === undefined ? null : { per_day, on_exceed, timezone };
    await client.updateAgent(agent.id, { budget }, options);
    const changed = await client.getAgent(agent.id, options);
    this.out.success(none ? `${agent.name} has no budget` : `${agent.name} has a budget`);
    showAgentBudget(this.out, changed);
    if (budget?.per_day.usd !== undefined)
      this.out.note('A model that has no price in prices.yaml is not asked under a budget in dollars.');
    return changed;
  }
}
