import type { Task } from '../../domain/task.js';
import type { Bus } from '../bus/bus.js';
import type { Config } from '../config.js';
import type { Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';
import type { Notice } from './notice.js';
import { noticeDelivery } from './notice-delivery.js';

export interface NoticeOutbox {
  store: Store;
  bus: Pick<Bus, 'publish'>;
  now: () => number;
  notify: Config['notify'];
  logger: Pick<Logger, 'warn' | 'error'>;
}

/** Whom a notice is about: it goes where the task says, else where the configuration says. */
export interface NoticeSubject {
  task: Task | null;
  agentId: string;
}

/**
 * Puts a notice into the outbox, once for its key.
 * @returns the key of its message, or null when nobody is to be told.
 */
export type PutNotice = (notice: Notice, about: NoticeSubject, key: string) => Promise<string | null>;

export function openNoticeOutbox({ store, bus, now, notify, logger }: NoticeOutbox): PutNotice {
  return async (notice, about, key) => {
    const message = await noticeDelivery(notice, about, key, { store, notify, logger, now: now() });
    if (message === null) return null;
    await store.enqueueDeliveries([message]);
    bus.publish('delivery', { count: 1 });
    return message.key;
  };
}

/**
 * As {@link PutNotice}, and says it in the log; never fails: a notice that can not be written is only logged.
 * @returns whether it was written, or nobody is to be told.
 */
export function openNoticeDesk(options: NoticeOutbox) {
  const put = openNoticeOutbox(options);
  const { logger } = options;
  return async (notice: Notice, about: NoticeSubject, key: string): Promise<boolean> => {
    logNotice(logger, notice);
    try {
      await put(notice, about, key);
      return true;
    } catch (error) {
      logger.warn({ notice: notice.kind, key, err: error }, 'a notice could not be put into the outbox');
      return false;
    }
  };
}

/**
 * Does one thing of several, so that what is wrong with it does not keep the others from being told.
 * @returns whether it worked; if not, it is to be tried again.
 */
export async function oneOfSeveral(
  logger: Logger,
  fields: Record<string, unknown>,
  work: () => Promise<void>,
): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    logger.warn({ ...fields, err: error }, 'what people are to be told of could not be told; trying again');
    return false;
  }
}

/** A line for those who read the log, whoever else is told. */
export function logNotice(logger: Pick<Logger, 'warn'>, notice: Notice): void {
  const { kind, task, task_id, last_run_id, failures, text } = notice;
  logger.warn(
    {
      notice: kind,
      ...(task_id === '' ? {} : { task_id, task }),
      run_id: last_run_id,
      ...(failures === undefined ? {} : { failures }),
    },
    text,
  );
}
