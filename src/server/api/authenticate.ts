import { type AgentToken, intersectScopes } from '../../domain/agent.js';
import { EXIT, invalidInput, isUnavailable, PaoError } from '../../domain/errors.js';
import { maySee } from './causes.js';
import type { ApiServices, Caller } from './operation.js';
import { RunTokens } from '../tools/run-token.js';
import { callerOfRun } from './inside-run.js';
import { checkTokenFormat, hashToken } from './tokens.js';

/** last_used_at is written at most this often, milliseconds. */
const TOUCH_EVERY_MS = 60_000;

/** HTTP 401: who asks is not known, or no longer. */
export class SignInError extends PaoError {
  constructor(
    /** `missing`, `malformed`, `unknown`, `expired`, `revoked`. */
    readonly reason: string,
    message: string,
    /** The token that was used, when there is such a one. */
    readonly token?: AgentToken,
  ) {
    super('PAO_UNAUTHENTICATED', message, {
      exitCode: EXIT.forbidden,
      status: 401,
      hints: ['Send Authorization: Bearer pao_…', 'pao agent create NAME'],
    });
  }
}

/** @throws SignInError that tells missing, malformed, unknown, expired and revoked apart. */
export async function authenticate(
  header: string | undefined,
  services: Pick<ApiServices, 'store' | 'clock'> & { runTokens?: RunTokens },
): Promise<Caller> {
  if (header === undefined) throw new SignInError('missing', 'No token was given.');
  const token = /^Bearer ([\x21-\x7e]+)$/i.exec(header)?.[1];
  if (token !== undefined && RunTokens.is(token)) return signInRun(token, services);
  if (token === undefined || !checkTokenFormat(token))
    throw new SignInError('malformed', 'This is not a token of pao.');
  const found = await services.store.findToken(hashToken(token));
  if (found === null) throw new SignInError('unknown', 'This token is not known here.');
  const { token: stored, agent } = found;
  const now = services.clock.now();
  if (stored.revokedAt !== null || agent.disabledAt !== null)
    throw new SignInError('revoked', 'This token was revoked.', stored);
  if (stored.expiresAt !== null && stored.expiresAt <= now)
    throw new SignInError('expired', 'This token has expired.', stored);
  if (now - (stored.lastUsedAt ?? 0) > TOUCH_EVERY_MS) {
    await services.store.touchToken(stored.id, now).catch((error: unknown) => {
      // A note for people: reads go on without it when the disk is full.
      if (!isUnavailable(error)) throw error;
    });
  }
  return {
    agent,
    token: stored,
    scopes: intersectScopes(stored.scopes, agent.scopes),
    actor: `agent:${agent.id}`,
  };
}

/** A tool that was handed the token of the run it works for. */
async function signInRun(
  token: string,
  services: Pick<ApiServices, 'store'> & { runTokens?: RunTokens },
): Promise<Caller> {
  const runId = await (services.runTokens ?? new RunTokens(services.store)).read(token);
  if (runId === null) throw new SignInError('unknown', 'This token is not known here.');
  const caller = await callerOfRun(runId, services);
  if (caller === null) throw new SignInError('expired', 'The run of this token has ended.');
  return caller;
}

/**
 * The caller, in the run that its `Pao-Run` header names.
 * @throws PaoError 422 when there is no such run, or it is another agent's.
 */
export async function inNamedRun(
  caller: Caller,
  header: string | undefined,
  { store }: Pick<ApiServices, 'store'>,
): Promise<Caller> {
  if (header === undefined || caller.run !== undefined) return caller;
  const run = /^run_[0-9a-f]{32}$/.test(header) ? await store.getRun(header) : null;
  if (run !== null && maySee(run, caller)) return { ...caller, run };
  throw invalidInput('The header Pao-Run names no run that this token may see.', [
    { pointer: '', message: 'Pao-Run must be the id of the run the request comes from' },
  ]);
}
