import type { Clock } from '../../domain/clock.js';
import { newId } from '../../domain/ids.js';
import type { Store } from '../store/store.js';
import { createToken, hashToken } from './tokens.js';

/**
 * Makes the admin agent on the first start, and a token for it when the credentials file is not there.
 * @returns the secret of a new token, or null when there is one already.
 */
export async function bootstrapAdmin(options: {
  store: Store;
  clock: Clock;
  hasCredentials: boolean;
}): Promise<string | null> {
  const { store, clock, hasCredentials } = options;
  const now = clock.now();
  const existing = await store.findAgentByName('admin');
  if (existing !== null && hasCredentials) return null;
  const secret = createToken('o');
  const agentId = existing?.id ?? newId('agt', now);
  const token = {
    id: newId('tok', now),
    agentId,
    hash: hashToken(secret),
    prefix: secret.slice(0, 12),
    label: 'credentials.json',
    scopes: ['admin'],
    createdAt: now,
    // The operator's own token lies in a file only the operator can read, beside the database itself.
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null,
  };
  if (existing !== null) await store.createToken(token);
  else {
    await store.createAgent(
      {
        id: agentId,
        name: 'admin',
        title: 'Local administrator',
        scopes: ['admin'],
        budget: null,
        maxTasks: null,
        disabledAt: null,
        createdAt: now,
        updatedAt: now,
      },
      token,
    );
  }
  await store.appendAudit({
    at: now,
    actor: 'system',
    action: 'token.created',
    target: token.id,
    details: { agent: 'admin' },
  });
  return secret;
}
