const KEY = 'pao.token';

/** The token of this tab; it goes when the tab does. */
export const session = {
  get token(): string | null {
    return sessionStorage.getItem(KEY);
  },
  keep(token: string): void {
    sessionStorage.setItem(KEY, token);
  },
  forget(): void {
    sessionStorage.removeItem(KEY);
  },
};

/**
 * The token that a link carries in its fragment (`#token=…`), which no server sees. It is taken out of the address, and so
 * out of the history, before anything else; what follows it stays (`#token=…&approval=…`).
 */
export function takeToken(): string | null {
  const given = new URLSearchParams(location.hash.slice(1));
  const token = given.get('token');
  if (token === null) return null;
  given.delete('token');
  history.replaceState(null, '', `${location.pathname}${location.search}#${given.size > 0 ? given : 'now'}`);
  return token.trim() === '' ? null : token.trim();
}
