import type { Store } from '../../store/store.js';

/** The name of an actor (`agent:<id>`) that is an agent; null for others, and for one that is not there any more. */
export async function agentName(
  store: Pick<Store, 'getAgent'>,
  actor: string | null,
): Promise<string | null> {
  const id = /^agent:(.+)$/.exec(actor ?? '')?.[1];
  return id === undefined ? null : ((await store.getAgent(id))?.name ?? null);
}
