import type { Task } from '../../domain/task.js';
import type { Bus } from '../bus/bus.js';
import type { Config } from '../config.js';
import type { Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';
import { noticeOfBudget } from './notice.js';
import { noticeDelivery } from './notice-delivery.js';

/** Tells people that a budget paused a task, where they are told of failures too; once for each time it is paused. */
export function tellBudgetPause(options: {
  store: Store;
  bus: Pick<Bus, 'publish'>;
  logger: Logger;
  now: () => number;
  notify: Config['notify'];
}): (task: Task, why: { words: string; day: string | null; runId: string | null }) => Promise<void> {
  const { store, bus, logger, now, notify } = options;
  return async (task, why) => {
    bus.publish('schedule', { reason: 'task' });
    const notice = noticeOfBudget(task, why);
    logger.warn({ task_id: task.id, task: task.name, run_id: why.runId, notice: notice.kind }, notice.text);
    try {
      // The version it had: paused again later, it has another.
      const key = `budget_paused/${task.id}/${task.version}`;
      const about = { task, agentId: task.agentId };
      const message = await noticeDelivery(notice, about, key, { store, notify, now: now() });
      if (message === null) return;
      await store.enqueueDeliveries([message]);
      bus.publish('delivery', { count: 1 });
    } catch (error) {
      // It is paused all the same, and says why.
      logger.warn({ task_id: task.id, err: error }, 'a notice could not be put into the outbox');
    }
  };
}
