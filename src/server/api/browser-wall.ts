import type { IncomingHttpHeaders } from 'node:http';
import { PaoError } from '../../domain/errors.js';

const LOCAL = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Refuses what a web page in a person's browser could send to a local server: foreign Host (DNS rebinding), foreign Origin,
 * cross-site requests (security.md C2.3). Comes before anything else, also before /health.
 * @param rawHeaders to see two Host headers, which the parsed form hides.
 * @throws PaoError 403 or 421
 */
export function checkBrowserWall(
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
  url: string,
  allowedHosts: readonly string[],
): void {
  const hosts = rawHeaders.filter(
    (_, index) => index % 2 === 0 && rawHeaders[index]?.toLowerCase() === 'host',
  ).length;
  if (hosts !== 1 || !url.startsWith('/'))
    throw refuse('The request must have one Host header and an origin-form target.', 400);
  const host = headers.host ?? '';
  if (!isOurs(host, allowedHosts)) throw refuse(`The Host "${host.slice(0, 60)}" is not this server's.`, 421);
  const { origin } = headers;
  if (origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host)) {
    throw refuse('Requests from other origins are refused.', 403);
  }
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    throw refuse('Cross-site requests are refused.', 403);
}

function isOurs(host: string, allowed: readonly string[]): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return LOCAL.has(name) || allowed.includes(name) || allowed.includes(host);
}

const refuse = (message: string, status: number) =>
  new PaoError('PAO_REQUEST_REFUSED', message, {
    status,
    hints: ['Further names are set by allowed_hosts in pao.config.yaml'],
  });
