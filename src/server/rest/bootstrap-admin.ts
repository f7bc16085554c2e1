import type { Clock } from '../../domain/clock.js';
import { newId } from '../../domain/ids.js';
import type { Store } from '../store/store.js';
import { createToken, hashToken, tokenPrefix } from './tokens.js';

/** Name of the agent that the person at the keyboard acts as. */
export const ADMIN_NAME = 'admin';

/**
 * Makes the admin agent and its token on the first start; makes a new token when the credentials file is lost.
 * @returns the secret, which can be read this once; null when there is nothing to make.
 */
export async function bootstrapAdmin(options: {
  store: Store;
  clock: Clock;
  /** Whether an earlier secret is still at hand. */
  hasCredentials?: boolean;
}): Promise<string | null> {
  const { store, clock } = options;
  const known = await store.findAgentByName(ADMIN_NAME);
  if (known !== null && options.hasCredentials !== false) return null;
  const now = clock.now();
  const secret = createToken('o');
  const agentId = known?.id ?? newId('agt', now);
  const token = {
    id: newId('tok', now),
    agentId,
    hash: hashToken(secret),
    prefix: tokenPrefix(secret),
    label: 'made by pao start',
    scopes: [],
    createdAt: now,
    // It never leaves this machine's 0600 file; an expiry would only stop a local system after three months.
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null,
  };
  if (known === null) {
    const agent = { id: agentId, name: ADMIN_NAME, title: 'Operator of this system', scopes: ['admin'] };
    await store.createAgent({ ...agent, disabledAt: null, createdAt: now, updatedAt: now }, token);
  } else await store.createToken(token);
  await store.appendAudit({
    at: now,
    actor: 'system',
    action: known === null ? 'agent.bootstrapped' : 'token.created',
    target: agentId,
    details: { token_id: token.id },
  });
  return secret;
}
