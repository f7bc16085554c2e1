import { BaseCommand } from '../../cli/base-command.js';
import { Flags } from '../../cli/flags.js';
import { deliveryColumns } from '../../cli/render/delivery-lines.js';
import type { DeliveryObject, ListPage } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Lists messages. */
export default class DeliveryList extends BaseCommand<typeof DeliveryList> {
  static override summary = 'List messages and what became of them, the latest first';
  static override examples = [
    '<%= config.bin %> delivery list',
    '<%= config.bin %> delivery list --status failed,unknown',
    '<%= config.bin %> delivery list --channel channel.phone --status deferred',
  ];
  static override flags = {
    status: Flags.string({ summary: 'Only those, such as failed,unknown' }),
    run: Flags.string({ summary: 'Only of this run', helpValue: 'ID' }),
    channel: Flags.string({ summary: 'Only to this channel or tool', helpValue: 'ADDRESS' }),
    limit: Flags.integer({ summary: 'How many', default: 20, min: 1, max: 1000 }),
    cursor: Flags.string({ summary: 'Go on where a list ended (next_cursor)' }),
  };

  async run(): Promise<ListPage<DeliveryObject>> {
    const { status, run, channel, limit, cursor } = this.flags;
    const page = await new PaoClient(this.connection()).listDeliveries({
      limit,
      cursor,
      signal: this.signal,
      ...(status === undefined ? {} : { status }),
      ...(run === undefined ? {} : { runId: run }),
      ...(channel === undefined ? {} : { channel }),
    });
    const isFiltered = [status, run, channel, cursor].some((one) => one !== undefined);
    this.out.table(
      page.items,
      deliveryColumns(this.out),
      isFiltered ? 'No message is like that: pao delivery list' : 'No message was written yet.',
    );
    if (page.next_cursor !== null)
      this.out.hint(`There are more: pao delivery list --cursor ${page.next_cursor}`);
    return page;
  }
}
