import type { Store } from '../../store/store.js';

const PREFIX = 'channel-problem:';
const MOST = 500;

/** Why answers do not come in by a channel. */
export interface ChannelProblem {
  kind: 'conflict' | 'webhook' | 'auth';
  message: string;
  /** What to do. */
  hint: string;
  /** Epoch milliseconds. */
  since: number;
}

type MetaStore = Pick<Store, 'getMeta' | 'swapMeta' | 'listMeta'>;

/** Says what is wrong with a channel. @returns whether that is news. */
export async function noteChannelProblem(
  store: MetaStore,
  channel: string,
  problem: ChannelProblem,
): Promise<boolean> {
  const text = await store.getMeta(PREFIX + channel);
  if (text !== null && (JSON.parse(text) as ChannelProblem).kind === problem.kind) return false;
  return store.swapMeta(PREFIX + channel, text, JSON.stringify(problem));
}

/** All is well with a channel. @returns whether that is news. */
export async function clearChannelProblem(store: MetaStore, channel: string): Promise<boolean> {
  const text = await store.getMeta(PREFIX + channel);
  return text !== null && (await store.swapMeta(PREFIX + channel, text, null));
}

/** What is wrong, by the names of channels. */
export async function listChannelProblems(
  store: Pick<Store, 'listMeta'>,
): Promise<Map<string, ChannelProblem>> {
  const rows = await store.listMeta(PREFIX, MOST);
  return new Map(
    rows.map(({ key, value }) => [key.slice(PREFIX.length), JSON.parse(value) as ChannelProblem]),
  );
}
