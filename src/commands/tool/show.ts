import { BaseCommand } from '../../cli/base-command.js';
import { Args } from '../../cli/flags.js';
import { showTool } from '../../cli/render/tool-details.js';
import type { ToolObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Shows one tool. */
export default class ToolShow extends BaseCommand<typeof ToolShow> {
  static override summary = 'Show a tool: what it takes, what it gives, how it is reached';
  static override examples = ['<%= config.bin %> tool show weather.forecast'];
  static override args = { address: Args.string({ description: 'Its address', required: true }) };

  async run(): Promise<ToolObject> {
    const client = new PaoClient(this.connection());
    const tool = await client.getTool(this.args.address, { signal: this.signal });
    showTool(this.out, tool);
    return tool;
  }
}
