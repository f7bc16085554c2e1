import { conflict } from '../domain/errors.js';
import type { CliProcess } from './cli-config.js';
import type { Connection } from './connection.js';
import { noSuchSecret, openLocalSecrets } from './local-secrets.js';
import type { Output } from './output.js';
import { recordSecretChange } from './record-secret-change.js';

/** Who gets the right to use a secret, or loses it. */
export interface SecretRight {
  name: string;
  agent: string | undefined;
  tool: string | undefined;
}

/**
 * Grants or revokes: an agent by its scope, which the server keeps; a tool in the encrypted store, which keeps the limit.
 * @returns whether the audit log has it, and whether the agent had the right already, by the scope admin.
 * @throws PaoError when there is no such agent or stored secret, or the tool was not among those it is limited to.
 */
export async function changeSecretRights(
  change: 'grant' | 'revoke',
  { name, agent, tool }: SecretRight,
  connection: () => Connection,
  place: Pick<CliProcess, 'env' | 'signal'> & { home: string; out: Output },
): Promise<{ audited: boolean; already: boolean }> {
  let isRecorded = true;
  let already = false;
  if (tool !== undefined) {
    const store = await openLocalSecrets(place.home, place);
    const found = await store.limit(
      name,
      ({ tools, agents }) => {
        if (change === 'grant') return { tools: [...new Set([...(tools ?? []), tool])], agents };
        if (tools?.includes(tool) !== true) {
          throw conflict(
            tools === undefined ? `${name} is not limited to tools.` : `${tool} is not among its tools.`,
            [`pao secret grant ${name} --tool ADDRESS limits it`, 'pao secret list'],
          );
        }
        return { tools: tools.filter((one) => one !== tool), agents };
      },
      Date.now(),
    );
    if (!found) throw await noSuchSecret(store, name);
    const { tools } = (await store.list()).find((one) => one.name === name) ?? {};
    const changed = { change: 'limited' as const, name, ...(tools && { tools: [...tools] }) };
    isRecorded = await recordSecretChange(changed, connection, place);
  }
  if (agent !== undefined) {
    const { PaoClient } = await import('../client/pao-client.js');
    const client = new PaoClient(connection());
    const { signal } = place;
    const { id, scopes } = await client.findAgent(agent, { signal });
    const others = scopes.filter((scope) => scope !== `secrets:use:${name}`);
    // An administrator uses every secret, with this scope or without it.
    already = scopes.includes('admin');
    if (!already || change === 'revoke')
      await client.updateAgent(
        id,
        { scopes: change === 'grant' ? [...others, `secrets:use:${name}`] : others },
        { signal },
      );
  }
  return { audited: isRecorded, already };
}
