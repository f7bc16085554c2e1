import { BaseCommand } from '../../cli/base-command.js';
import { TOOL_COLUMNS } from '../../cli/render/tool-details.js';
import type { ToolObject } from '../../client/api-objects.js';
import { PaoClient, pages } from '../../client/pao-client.js';
import { CHANNEL_PREFIX } from '../../domain/channel.js';

/** Lists the channels of the configuration. */
export default class ChannelList extends BaseCommand<typeof ChannelList> {
  static override summary = 'List the channels of pao.config.yaml';
  static override examples = ['<%= config.bin %> channel list'];

  async run(): Promise<{ items: ToolObject[] }> {
    const client = new PaoClient(this.connection());
    const items: ToolObject[] = [];
    const page = (cursor: string | undefined) =>
      client.listTools({ prefix: CHANNEL_PREFIX, limit: 100, cursor, signal: this.signal });
    for await (const tool of pages(page)) items.push(tool);
    this.out.table(items, TOOL_COLUMNS, 'There are no channels: name them in pao.config.yaml under channels');
    return { items };
  }
}
