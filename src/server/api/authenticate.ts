import { intersectScopes } from '../../domain/agent.js';
import { EXIT, PaoError } from '../../domain/errors.js';
import type { ApiServices, Caller } from './operation.js';
import { checkTokenFormat, hashToken } from './tokens.js';

/** last_used_at is written at most this often, milliseconds. */
const TOUCH_EVERY_MS = 60_000;

/** @throws PaoError 401 that tells missing, malformed, unknown, expired and revoked apart. */
export async function authenticate(header: string | undefined, services: ApiServices): Promise<Caller> {
  if (header === undefined) throw refuse(services, 'missing', 'No token was given.');
  const token = /^Bearer ([\x21-\x7e]+)$/i.exec(header)?.[1];
  if (token === undefined || !checkTokenFormat(token))
    throw refuse(services, 'malformed', 'This is not a token of pao.');
  const found = await services.store.findToken(hashToken(token));
  if (found === null) throw refuse(services, 'unknown', 'This token is not known here.');
  const { token: stored, agent } = found;
  const now = services.clock.now();
  if (stored.revokedAt !== null || agent.disabledAt !== null)
    throw refuse(services, 'revoked', 'This token was revoked.');
  if (stored.expiresAt !== null && stored.expiresAt <= now)
    throw refuse(services, 'expired', 'This token has expired.');
  if (now - (stored.lastUsedAt ?? 0) > TOUCH_EVERY_MS) await services.store.touchToken(stored.id, now);
  return {
    agent,
    token: stored,
    scopes: intersectScopes(stored.scopes, agent.scopes),
    actor: `agent:${agent.id}`,
  };
}

function refuse(services: ApiServices, reason: string, message: string): PaoError {
  services.metrics.record([{ name: 'auth_failures_total', labels: { reason }, values: [1] }]);
  return new PaoError('PAO_UNAUTHENTICATED', message, {
    exitCode: EXIT.forbidden,
    status: 401,
    hints: ['Send Authorization: Bearer pao_…', 'pao agent create NAME'],
  });
}
