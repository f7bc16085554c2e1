import type { IncomingMessage } from 'node:http';
import { PaoError } from '../../domain/errors.js';

const LOCAL = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Refuses what a web page in a person's browser could send to a local server: foreign Host (DNS rebinding), foreign Origin,
 * cross-site requests (security.md C2.3). Comes before anything else, also before /health.
 * @param allowedHosts further names: `pao.example.org` on any port (behind a proxy), `localhost:9000` on that one.
 * @throws PaoError 400, 403 or 421
 */
export function checkBrowserWall(request: IncomingMessage, allowedHosts: readonly string[]): void {
  const { headers, rawHeaders, url = '', socket } = request;
  if (countHosts(rawHeaders) !== 1 || !url.startsWith('/'))
    throw refuse('The request must have one Host header and an origin-form target.', 400);
  const host = (headers.host ?? '').toLowerCase();
  if (!isOurs(host, socket, allowedHosts)) {
    const shown = host.slice(0, 60);
    throw refuse(`The Host "${shown}" is not this server's.`, 421, [
      `If it is meant, add "${shown}" to allowed_hosts in pao.config.yaml`,
    ]);
  }
  const { origin } = headers;
  if (origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === withoutDefaultPort(host))) {
    throw refuse('Requests from other origins are refused.', 403);
  }
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !opensThePage(request))
    throw refuse('Cross-site requests are refused.', 403);
}

/**
 * A person follows a link to the dashboard, from a mail or a chat in the browser. The page is the same for everybody and
 * holds nothing; it comes alone in its tab, never in a frame, and no other path is opened this way.
 */
function opensThePage({ method, url, headers }: IncomingMessage): boolean {
  return (
    method === 'GET' &&
    url === '/' &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document'
  );
}

function isOurs(host: string, socket: IncomingMessage['socket'], allowed: readonly string[]): boolean {
  const [, name = host, port = '80'] = /^(.*?)(?::(\d+))?$/.exec(host) ?? [];
  const isHere = LOCAL.has(name) || name === literal(socket.localAddress);
  return (isHere && Number(port) === socket.localPort) || allowed.includes(name) || allowed.includes(host);
}

/** The address that was connected to, as a URL has it: no name was asked for it that others could point here. */
function literal(address = ''): string {
  const v4 = address.replace(/^::ffff:/, '');
  return v4.includes(':') ? `[${v4}]` : v4;
}

/** As URLs are written: without `:80`. */
const withoutDefaultPort = (host: string) => host.replace(/:80$/, '');

/**
 * The wall in front of `/hooks/…`: deliveries come from other machines, under whatever name those reach this one by, and
 * never from a browser, which says so in each POST.
 * @throws PaoError 400 or 403
 */
export function checkHookWall({ headers, rawHeaders, url = '' }: IncomingMessage): void {
  if (countHosts(rawHeaders) !== 1 || !url.startsWith('/'))
    throw refuse('The request must have one Host header and an origin-form target.', 400);
  const site = headers['sec-fetch-site'];
  if (headers.origin !== undefined || (site !== undefined && site !== 'none'))
    throw refuse('Hooks take nothing from a browser.', 403);
}

/** The parsed form hides a second Host header. */
const countHosts = (rawHeaders: string[]): number =>
  rawHeaders.filter((_, index) => index % 2 === 0 && rawHeaders[index]?.toLowerCase() === 'host').length;

const refuse = (message: string, status: number, hints: string[] = []) =>
  new PaoError('PAO_REQUEST_REFUSED', message, { status, hints });
