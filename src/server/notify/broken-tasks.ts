import { BROKEN_PREFIX } from '../../domain/paused-by-pao.js';
import type { Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';
import { noticeOfBroken } from './notice.js';
import { logNotice, oneOfSeveral, type PutNotice } from './put-notice.js';

/** Tasks told of in one look. */
const MOST = 100;

/** Tells people of tasks that were paused because they can not be scheduled: the store leaves word of each. */
export class BrokenTasks {
  constructor(private readonly options: { store: Store; logger: Logger; put: PutNotice }) {}

  async runOnce(): Promise<void> {
    const { store, logger } = this.options;
    for (const { key, value } of await store.listMeta(BROKEN_PREFIX, MOST)) {
      const id = key.slice(BROKEN_PREFIX.length);
      await oneOfSeveral(logger, { task_id: id }, async () => {
        await this.#tell(id, value);
        // Last: a crash before it tells again, and the same notice is the same message.
        await store.swapMeta(key, value, null);
      });
    }
  }

  async #tell(id: string, value: string): Promise<void> {
    const { store, logger, put } = this.options;
    const task = await store.getTask(id);
    // One that a person has canceled or resumed since is theirs.
    if (task?.state !== 'paused') return;
    const notice = noticeOfBroken(task, (task.stateReason ?? '').replace(/^error: /, ''));
    logNotice(logger, notice);
    await put(notice, { task, agentId: task.agentId }, `${notice.kind}/${id}/broken/${value}`);
  }
}
