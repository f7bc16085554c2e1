import type { Observer } from '../../domain/observability/observer.js';
import type { Delivery } from '../../domain/delivery.js';
import type { Store } from '../store/store.js';

/**
 * Takes back what was being sent by a process that is gone, or whose lease ran out; of what may not be repeated nobody
 * knows whether it arrived: that is counted, and told.
 */
export async function takeBackDeliveries(options: {
  store: Store;
  now: number;
  /** A process that is known to be gone; without it, leases that ran out. */
  owner?: string;
  observer: Observer;
  onTrouble?: ((delivery: Delivery) => Promise<void>) | undefined;
}): Promise<{ requeued: string[]; unknown: string[] }> {
  const { store, now, owner, observer, onTrouble } = options;
  const result = await store.reclaimDeliveries({ now, owner });
  for (const id of result.unknown) {
    observer.add('deliveries_total', { outcome: 'unknown' });
    const delivery = onTrouble === undefined ? null : await store.getDelivery(id);
    if (delivery !== null) await onTrouble?.(delivery);
  }
  return result;
}
