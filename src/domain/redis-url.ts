/** Whether a URL names a Redis (`memory://` names none). */
export const isRedisUrl = (url: string): boolean => /^rediss?:\/\//.test(url);

/** A Redis URL for people: without its password. */
export function shownRedisUrl(url: string): string {
  if (!URL.canParse(url)) return url;
  const shown = new URL(url);
  if (shown.password !== '') shown.password = '***';
  return shown.href;
}
