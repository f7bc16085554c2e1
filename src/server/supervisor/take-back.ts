import type { Observer } from '../../domain/observability/observer.js';
import type { Bus } from '../bus/bus.js';
import type { Config } from '../config.js';
import { leavePollLeases } from '../deliver/questions/poll-lease.js';
import { takeBackDeliveries } from '../deliver/take-back.js';
import { tellTrouble } from '../notify/tell-trouble.js';
import type { Store } from '../store/store.js';
import { reportReclaimed } from '../telemetry/report-reclaimed.js';

/** What a worker has whose process is known to be gone: its leases need not run out first. Never throws. */
export async function takeBackWork(options: {
  store: Store;
  workerId: string;
  slot: string;
  /** Epoch milliseconds. */
  now: number;
  observer: Observer;
  bus: Pick<Bus, 'publish'>;
  notify: Config['notify'];
  say: (level: 'warn' | 'error', msg: string, fields: object) => void;
}): Promise<void> {
  const { store, workerId, slot, now, observer, bus, notify, say } = options;
  try {
    const logger = {
      warn: (fields: object, message: string) => say('warn', message, fields),
      error: (fields: object, message: string) => say('error', message, fields),
    };
    const result = await store.reclaim({ now, workerId, limit: 10_000, maxDeaths: 3 });
    const messages = await takeBackDeliveries({
      store,
      now,
      owner: workerId,
      observer,
      onTrouble: tellTrouble({ store, bus, notify, logger, now: () => now }),
    });
    if (messages.requeued.length + messages.unknown.length > 0) {
      say('warn', 'messages that a dead worker was sending were taken back', { slot, ...messages });
      bus.publish('delivery', { count: messages.requeued.length });
    }
    if ((await leavePollLeases(store, workerId)) > 0) bus.publish('approval', { ids: [] });
    await store.forgetWorker(workerId);
    const { requeued, dead, canceled } = result;
    const changed = [...requeued, ...dead];
    if (changed.length === 0 && canceled.length === 0) return;
    say('warn', 'work of a dead worker was taken back', { slot, run_ids: requeued, dead });
    await reportReclaimed(result, { store, observer });
    if (requeued.length > 0) bus.publish('work', { count: requeued.length });
    if (changed.length > 0) bus.publish('run', { runIds: changed });
  } catch (error) {
    say('error', 'work of a dead worker could not be taken back yet', { slot, reason: String(error) });
  }
}
