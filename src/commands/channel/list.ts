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
    await this.#sayFile();
    sayChannelProblems(items, this.out);
    return { items };
  }
  /** Which file counts is not plain where the one of this folder is not the one pao was started with. */
  async #sayFile(): Promise<void> {
    if ((this.flags as { url?: string }).url !== undefined) return;
    const { readRunFile } = await import('../../server/supervisor/run-file.js');
    const file = readRunFile(this.dataDirectory())?.config_file;
    if (file === undefined) return;
    const { visible } = await import('../../cli/visible.js');
    this.out.note(
      file === null
        ? 'pao found no pao.config.yaml where it was started; it reads one at its start alone'
        : `pao read ${visible(file)} at its start; what is changed there counts from the next one`,
    );
  }
}
