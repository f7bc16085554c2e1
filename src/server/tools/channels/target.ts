import { ToolError } from '../../../domain/tool-error.js';
import { targetOf } from '../egress-guard.js';

/** The address of a channel. @throws ToolError `config_error` */
export function readUrl(text: string): URL {
  try {
    return new URL(text);
  } catch {
    throw new ToolError('config_error', 'The address of this channel is not a URL.');
  }
}

/** `host:port` of a URL, as grants are written. */
export const targetOfUrl = (text: string): string => targetOf(readUrl(text));

/** Where a mail server is reached: `smtps://` on 465, `smtp://` on 587 (RFC 8314) unless it says otherwise. */
export function mailServer(text: string): { host: string; port: number; secure: boolean } {
  const { hostname, port, protocol } = readUrl(text);
  const secure = protocol === 'smtps:';
  const host = hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(port === '' ? (secure ? 465 : 587) : port), secure };
}

/** `host:port` of a mail server. */
export function targetOfServer(text: string): string {
  const { host, port } = mailServer(text);
  return `${host}:${port}`;
}
