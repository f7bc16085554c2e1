import type { Observer } from '../../domain/observability/observer.js';
import type { Store } from '../store/store.js';

/** Counts what became of runs whose worker was lost; those that ended by it are read for what started them. */
export async function reportReclaimed(
  { requeued, dead, canceled }: { requeued: string[]; dead: string[]; canceled: string[] },
  { store, observer }: { store: Pick<Store, 'getRun'>; observer: Observer },
): Promise<void> {
  observer.add('lease_expirations_total', {}, requeued.length + dead.length + canceled.length);
  observer.add('run_retries_total', { reason: 'lease_expired' }, requeued.length);
  observer.add('dead_letters_total', { reason: 'poison' }, dead.length);
  for (const id of [...dead, ...canceled]) {
    const run = await store.getRun(id);
    if (run !== null) observer.add('runs_total', { outcome: run.status, trigger: run.trigger });
  }
}
