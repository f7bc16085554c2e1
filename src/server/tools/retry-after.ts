/**
 * Reads a `Retry-After` header: seconds or an HTTP date (RFC 9110 10.2.3).
 * @param now epoch milliseconds, for the date form.
 * @returns milliseconds to wait from now, 0 or more; undefined when there is no usable value.
 */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d{1,9}(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  // Date.parse also takes `12`, `-1` and the like; an HTTP date has a name of a day or month in it.
  if (!/[A-Za-z]{3}/.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** The wait that Telegram's Bot API puts into the body of a 429: `parameters.retry_after`, seconds. */
export function retryAfterInBody(body: unknown): number | undefined {
  if (body === null || typeof body !== 'object') return undefined;
  const parameters = (body as { parameters?: unknown }).parameters;
  if (parameters === null || typeof parameters !== 'object') return undefined;
  const seconds = (parameters as { retry_after?: unknown }).retry_after;
  return typeof seconds === 'number' && seconds >= 0 && seconds < 1e9 ? Math.ceil(seconds * 1000) : undefined;
}
