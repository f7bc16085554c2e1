import { ToolError, type ToolErrorKind } from '../../domain/tool-error.js';
import type { HttpResponse } from './http-request.js';
import { parseRetryAfter, retryAfterInBody } from './retry-after.js';

/** Statuses that mean "not now" although they are in the 4xx range. */
const TEMPORARY = new Set([408, 423, 425]);
/** A gateway gave up waiting: what is behind it may have done the work. */
const GATEWAY = new Set([502, 504]);

/**
 * The error that an HTTP answer stands for.
 * @param who name for the message, for example the host.
 * @param body the answer's body as JSON when it was JSON, else text.
 * @param now epoch milliseconds.
 * @param retryOn further statuses that a retry may mend.
 */
export function statusError(
  who: string,
  response: Pick<HttpResponse, 'status' | 'headers'>,
  body: unknown,
  now: number,
  retryOn: readonly number[] = [],
): ToolError {
  const { status, headers } = response;
  const said = reasonIn(body);
  const retryAfterMs = parseRetryAfter(headers['retry-after'], now) ?? retryAfterInBody(body);
  const kind = kindOf(status);
  const retryable =
    retryOn.includes(status) ||
    kind === 'rate_limited' ||
    kind === 'overloaded' ||
    TEMPORARY.has(status) ||
    (status >= 500 && status !== 501 && status !== 505);
  const redirect = status >= 300 && status < 400 ? ' (a redirect, which is not followed)' : '';
  return new ToolError(kind, `${who} answered ${status}${redirect}${said === '' ? '.' : `: ${said}`}`, {
    retryable,
    outcomeKnown: !GATEWAY.has(status),
    details: { status },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function kindOf(status: number): ToolErrorKind {
  if (status === 401 || status === 403 || status === 407) return 'auth';
  if (status === 429) return 'rate_limited';
  if (status === 503 || status === 529) return 'overloaded';
  return 'tool_error';
}

/** What an error answer says went wrong, at most 300 characters on one line; looks where APIs usually put it. */
export function reasonIn(body: unknown): string {
  if (typeof body === 'string') return oneLine(body);
  if (body === null || typeof body !== 'object') return '';
  const fields = body as Record<string, unknown>;
  for (const name of ['detail', 'description', 'message', 'error_description', 'reason', 'title']) {
    const text = fields[name];
    if (typeof text === 'string' && text !== '') return oneLine(text);
  }
  const nested = fields['error'];
  if (typeof nested === 'string') return oneLine(nested);
  if (nested !== null && typeof nested === 'object') return reasonIn(nested);
  return '';
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters of a stranger do not belong in our messages
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, ' ').trim();
  return line.length > 300 ? `${line.slice(0, 299)}…` : line;
}
