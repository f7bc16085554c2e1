import type { NewTokenObject } from '../client/api-objects.js';
import { LINK_TOKEN, TAB_SECONDS, TAB_TOKEN } from '../domain/dashboard-token.js';
import { Api, type Me, whoAmI } from './api.js';
import { session } from './session.js';

/** Somebody is signed in. */
export interface SignedIn {
  api: Api;
  me: Me;
}

/**
 * Signs in with a token. One of a link (`pao dashboard`) was in an address, and so in arguments of programs and on a screen:
 * it is exchanged for one that only this tab knows, and ended.
 * @throws Refused 401 when the token is none, or was used or expired.
 */
export async function signIn(token: string): Promise<SignedIn> {
  const api = new Api(token);
  const me = await whoAmI(api);
  if (me.label !== LINK_TOKEN) {
    session.keep(token);
    return { api, me };
  }
  const own = await api.post<NewTokenObject>('v1/agents/me/tokens', {
    label: TAB_TOKEN,
    expires_in_seconds: TAB_SECONDS,
  });
  session.keep(own.secret);
  await api.delete(`v1/agents/me/tokens/${me.tokenId}`).catch(() => {
    // It ends by itself within minutes.
  });
  const next = new Api(own.secret);
  return { api: next, me: await whoAmI(next) };
}

/** Forgets the token of this tab, and ends it if it was made for it. */
export async function signOut(signedIn: SignedIn): Promise<void> {
  session.forget();
  await endOwnToken(signedIn);
}

/** Ends a token that was made for this tab; others are not the tab's to end. */
export async function endOwnToken({ api, me }: SignedIn): Promise<void> {
  if (me.label !== TAB_TOKEN || me.tokenId === null) return;
  await api.delete(`v1/agents/me/tokens/${me.tokenId}`).catch(() => {
    // Whoever can not reach the server is signed out here all the same; the token ends by itself.
  });
}
