import { BaseCommand } from '../../cli/base-command.js';
import { Args } from '../../cli/flags.js';
import { PaoClient } from '../../client/pao-client.js';

/** Takes one tool out of the catalog. */
export default class ToolDelete extends BaseCommand<typeof ToolDelete> {
  static override summary = 'Take a tool out of the catalog';
  static override description = 'Tasks whose pipelines call it fail at that step until it is imported again.';
  static override examples = ['<%= config.bin %> tool delete weather.forecast'];
  static override args = { address: Args.string({ description: 'Its address', required: true }) };

  async run(): Promise<{ address: string; deleted: true }> {
    const { address } = this.args;
    await new PaoClient(this.connection()).deleteTool(address, { signal: this.signal });
    this.out.success(`Took ${address} out of the catalog`);
    return { address, deleted: true };
  }
}
