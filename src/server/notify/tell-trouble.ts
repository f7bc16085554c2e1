import type { Delivery } from '../../domain/delivery.js';
import type { Bus } from '../bus/bus.js';
import type { Config } from '../config.js';
import type { Store } from '../store/store.js';
import { noticeOfMessage } from './notice.js';
import { noticeDelivery } from './notice-delivery.js';

/** Tells people of messages that did not arrive, by another way than the one that failed; of notices it does not. */
export function tellTrouble(options: {
  store: Store;
  bus: Pick<Bus, 'publish'>;
  now: () => number;
  notify: Config['notify'];
}): (delivery: Delivery) => Promise<void> {
  const { store, bus, now, notify } = options;
  return async (delivery) => {
    if (delivery.origin === 'notice' || delivery.origin === 'test') return;
    const task = delivery.taskId === null ? null : await store.getTask(delivery.taskId);
    const notice = noticeOfMessage(delivery, task);
    const about = { task, agentId: delivery.agentId };
    const key = `${notice.kind}/${delivery.id}/${delivery.attempts}`;
    const message = await noticeDelivery(notice, about, key, { store, notify, now: now() });
    if (message === null || message.channel === delivery.channel) return;
    await store.enqueueDeliveries([message]);
    bus.publish('delivery', { count: 1 });
  };
}
