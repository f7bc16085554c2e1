import { BaseCommand } from '../../cli/base-command.js';
import { CHANNEL_COLUMNS, sayChannelProblems } from '../../cli/render/channel-lines.js';
import type { ChannelObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Lists the channels of the configuration. */
export default class ChannelList extends BaseCommand<typeof ChannelList> {
  static override summary = 'List the channels of pao.config.yaml';
  static override examples = ['<%= config.bin %> channel list'];

  async run(): Promise<{ items: ChannelObject[] }> {
    const client = new PaoClient(this.connection());
    const { items } = await client.listChannels({ signal: this.signal });
    this.out.table(
      items,
      CHANNEL_COLUMNS,
      'There are no channels: name them in pao.config.yaml under channels',
    );
    sayChannelProblems(items, this.out);
    return { items };
  }
}
