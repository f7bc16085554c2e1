import { BaseCommand } from '../../cli/base-command.js';
import { Args } from '../../cli/flags.js';
import { findDeliveryId } from '../../cli/render/delivery-find.js';
import type { DeliveryObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Sends a message once more. */
export default class DeliveryResend extends BaseCommand<typeof DeliveryResend> {
  static override summary = 'Send a message now, or once more';
  static override description =
    'One of unknown outcome may arrive twice: look at the other side first. It keeps its idempotency key, so that a receiver that knows it drops the repeat. Quiet times hold it as before.';
  static override examples = ['<%= config.bin %> delivery resend dlv_019ab3f2c5d87c2e9a4b1d3e5f607182'];
  static override args = {
    id: Args.string({ summary: 'Its id, the beginning of one, or latest', required: true }),
  };

  async run(): Promise<DeliveryObject> {
    const client = new PaoClient(this.connection());
    const id = await findDeliveryId(client, this.args.id, this.signal);
    const delivery = await client.resendDelivery(id, { signal: this.signal });
    this.out.success(`${delivery.channel}: it goes out now, unless quiet times hold it`);
    this.out.hint(`pao delivery show ${delivery.id}`);
    return delivery;
  }
}
