import { FailureWatch, type FailureWatchOptions } from './failure-watch.js';
import { noticeDelivery } from './notice-delivery.js';

/** Starts the watch over failing tasks, which tells people by messages of the outbox. */
export function startFailureWatch(options: Omit<FailureWatchOptions, 'deliver'>): FailureWatch {
  const { store, bus, clock, notify } = options;
  const watch = new FailureWatch({
    ...options,
    async deliver(notice, task, key) {
      const about = { task, agentId: task.agentId };
      const message = await noticeDelivery(notice, about, key, { store, notify, now: clock.now() });
      if (message === null) return null;
      await store.enqueueDeliveries([message]);
      bus.publish('delivery', { count: 1 });
      return message.key;
    },
  });
  watch.start();
  return watch;
}
