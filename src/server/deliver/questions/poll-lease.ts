import type { Store } from '../../store/store.js';

const PREFIX = 'telegram-poll:';
/** So long a process that died keeps others away, milliseconds. */
export const POLL_LEASE_MS = 30_000;
const MOST_BOTS = 100;

interface Held {
  owner: string;
  /** Epoch milliseconds. */
  until: number;
}

type MetaStore = Pick<Store, 'getMeta' | 'swapMeta' | 'listMeta'>;

/**
 * Takes or renews the right to ask Telegram for the updates of a bot: one process at a time has it, over all that share the
 * store. That saves requests that Telegram would refuse (409); what a tap decides is exact without it.
 */
export async function takePollLease(
  store: MetaStore,
  bot: string,
  owner: string,
  now: number,
): Promise<boolean> {
  const text = await store.getMeta(PREFIX + bot);
  const held = text === null ? null : (JSON.parse(text) as Held);
  if (held !== null && held.owner !== owner && held.until > now) return false;
  return store.swapMeta(
    PREFIX + bot,
    text,
    JSON.stringify({ owner, until: now + POLL_LEASE_MS } satisfies Held),
  );
}

/** Lets go of the bots that a process asks for, so that others need not wait. @param bot only this one. */
export async function leavePollLeases(store: MetaStore, owner: string, bot?: string): Promise<number> {
  let left = 0;
  for (const { key, value } of await store.listMeta(PREFIX, MOST_BOTS)) {
    const isMeant =
      (JSON.parse(value) as Held).owner === owner && (bot === undefined || key === PREFIX + bot);
    if (isMeant && (await store.swapMeta(key, value, null))) left++;
  }
  return left;
}
