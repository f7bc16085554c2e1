import type { PaoClient } from '../../client/pao-client.js';

/**
 * Puts the names of agents in place of their ids (`agent:agt_…`) where a person reads; who may not see agents sees ids.
 * @returns a function for a text, which leaves all else as it is.
 */
export async function agentNames(client: PaoClient, signal: AbortSignal): Promise<(text: string) => string> {
  const { items } = await client.listAgents({ limit: 1000, signal }).catch(() => ({ items: [] }));
  signal.throwIfAborted();
  const names = new Map(items.map(({ id, name }) => [id, name]));
  return (text) =>
    text.replace(/(?:agent:)?(agt_[0-9a-f]{32})/g, (whole, id: string) => names.get(id) ?? whole);
}
