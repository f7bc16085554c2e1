import type { Delivery } from '../../domain/delivery.js';
import { noticeOfMessage } from './notice.js';
import { type NoticeOutbox, openNoticeOutbox } from './put-notice.js';

/**
 * Tells people of messages that did not arrive, or of which nobody knows. Where there is one channel it is told by that
 * one too: it has taken the message, or did not take what stood in it, as is most often the case; a plain notice may arrive.
 * Of notices that do not arrive nobody is told by another. Never fails: what became of the other messages is still to be told.
 */
export function tellTrouble(options: NoticeOutbox): (delivery: Delivery) => Promise<void> {
  const put = openNoticeOutbox(options);
  return async (delivery) => {
    if (delivery.origin === 'notice' || delivery.origin === 'test') return;
    try {
      const task = delivery.taskId === null ? null : await options.store.getTask(delivery.taskId);
      const notice = noticeOfMessage(delivery, task);
      await put(
        notice,
        { task, agentId: delivery.agentId },
        `${notice.kind}/${delivery.id}/${delivery.attempts}`,
      );
    } catch (error) {
      const fields = { delivery_id: delivery.id, status: delivery.status, reason: String(error) };
      options.logger.warn(fields, 'people could not be told what became of a message');
    }
  };
}
