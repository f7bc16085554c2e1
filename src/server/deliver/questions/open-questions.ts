import type { Store } from '../../store/store.js';

const PREFIX = 'telegram-question:';
const MOST = 500;

/** A question that was sent with buttons, until its message says how it ended. */
export interface OpenQuestion {
  approvalId: string;
  agentId: string;
  /** Name of the channel. */
  channel: string;
}

type MetaStore = Pick<Store, 'swapMeta' | 'listMeta' | 'getMeta'>;

/** Notes a question, before it is sent: whatever becomes of this process, its buttons are listened to. */
export async function noteQuestion(store: MetaStore, { approvalId, ...rest }: OpenQuestion): Promise<void> {
  await store.swapMeta(PREFIX + approvalId, null, JSON.stringify(rest));
}

/** Those that are noted, oldest first, 500 at most. */
export async function listQuestions(store: MetaStore): Promise<OpenQuestion[]> {
  const rows = await store.listMeta(PREFIX, MOST);
  return rows.map(({ key, value }) => ({
    approvalId: key.slice(PREFIX.length),
    ...(JSON.parse(value) as Omit<OpenQuestion, 'approvalId'>),
  }));
}

/** Nothing is to be done for it any more. */
export async function dropQuestion(
  store: MetaStore,
  { approvalId }: Pick<OpenQuestion, 'approvalId'>,
): Promise<void> {
  const key = PREFIX + approvalId;
  const text = await store.getMeta(key);
  if (text !== null) await store.swapMeta(key, text, null);
}
