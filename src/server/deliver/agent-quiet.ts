import type { QuietTimes } from '../../domain/quiet-times.js';
import type { Store } from '../store/store.js';

const keyOf = (agentId: string): string => `quiet:${agentId}`;

/** The quiet times of an agent; null when it has none. */
export async function readAgentQuiet(
  store: Pick<Store, 'getMeta'>,
  agentId: string,
): Promise<QuietTimes | null> {
  const text = await store.getMeta(keyOf(agentId));
  return text === null ? null : (JSON.parse(text) as QuietTimes);
}

/** Writes the quiet times of an agent, in place of what it had. */
export async function writeAgentQuiet(
  store: Pick<Store, 'setMeta'>,
  agentId: string,
  times: QuietTimes,
): Promise<void> {
  await store.setMeta(keyOf(agentId), JSON.stringify(times));
}
