import { BaseCommand } from '../../cli/base-command.js';
import { Args } from '../../cli/flags.js';
import { showDelivery } from '../../cli/render/delivery-lines.js';
import { findDeliveryId } from '../../cli/render/delivery-find.js';
import type { DeliveryObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Shows a message. */
export default class DeliveryShow extends BaseCommand<typeof DeliveryShow> {
  static override summary = 'Show a message: where it is, its attempts, what the other side answered';
  static override examples = [
    '<%= config.bin %> delivery show latest',
    '<%= config.bin %> delivery show dlv_019ab3f2c5d87c2e9a4b1d3e5f607182',
  ];
  static override args = {
    id: Args.string({ summary: 'Its id, the beginning of one, or latest', required: true }),
  };

  async run(): Promise<DeliveryObject> {
    const client = new PaoClient(this.connection());
    const id = await findDeliveryId(client, this.args.id, this.signal);
    const delivery = await client.getDelivery(id, { signal: this.signal });
    showDelivery(delivery, this.out);
    return delivery;
  }
}
