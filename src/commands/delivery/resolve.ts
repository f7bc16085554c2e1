import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { findDeliveryId } from '../../cli/render/delivery-find.js';
import type { DeliveryObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Says how a message ended. */
export default class DeliveryResolve extends BaseCommand<typeof DeliveryResolve> {
  static override summary =
    'Say how a message of unknown outcome ended, or that a waiting one is not to be sent';
  static override examples = [
    '<%= config.bin %> delivery resolve dlv_019ab3f2c5d87c2e9a4b1d3e5f607182 --as delivered -m "seen in the chat"',
    '<%= config.bin %> delivery resolve dlv_019ab3f2c5d87c2e9a4b1d3e5f607182 --as suppressed',
  ];
  static override args = {
    id: Args.string({ summary: 'Its id, the beginning of one, or latest', required: true }),
  };
  static override flags = {
    as: Flags.string({
      summary: 'How it ended; suppressed: it is not sent',
      options: ['delivered', 'failed', 'suppressed'],
      required: true,
    }),
    comment: Flags.string({ char: 'm', summary: 'Why; it is recorded', helpValue: 'TEXT' }),
  };

  async run(): Promise<DeliveryObject> {
    const { as: status, comment } = this.flags;
    const client = new PaoClient(this.connection());
    const id = await findDeliveryId(client, this.args.id, this.signal);
    const delivery = await client.resolveDelivery(
      id,
      {
        status: status as 'delivered' | 'failed' | 'suppressed',
        ...(comment === undefined ? {} : { comment }),
      },
      { signal: this.signal },
    );
    this.out.success(`${delivery.channel}: ${delivery.status}`);
    return delivery;
  }
}
