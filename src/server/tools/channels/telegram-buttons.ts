import { createHmac, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { Question } from '../caller.js';

const ID = /^apr_([0-9a-f]{32})$/;
/** `a` or `d`, the id without its prefix, and a code: 57 of the 64 bytes that Telegram keeps. */
const DATA = /^([ad]):([0-9a-f]{32}):([\w-]{22})$/;

/** What a tap on one of pao's buttons says. */
export interface Tap {
  approvalId: string;
  decision: 'approve' | 'deny';
}

/** The keyboard below a question; null where the question can not be named in one. */
export function questionKeyboard(token: string, { approvalId, link }: Question): object | null {
  const hex = ID.exec(approvalId)?.[1];
  if (hex === undefined) return null;
  const data = (letter: 'a' | 'd') => `${letter}:${hex}:${codeOf(token, letter, hex)}`;
  const rows: object[][] = [
    [
      { text: 'Approve', callback_data: data('a') },
      { text: 'Deny', callback_data: data('d') },
    ],
  ];
  if (link !== undefined && isPublic(link)) rows.push([{ text: 'Open', url: link }]);
  return { inline_keyboard: rows };
}

/**
 * Reads the data of a tap. Clients may send any data for a message, so it has a code that only who knows the token of the
 * bot can make.
 * @returns null when it is not from a button of pao.
 */
export function readTap(token: string, data: unknown): Tap | null {
  const [, letter, hex = '', code = ''] = (typeof data === 'string' ? DATA.exec(data) : null) ?? [];
  if (letter !== 'a' && letter !== 'd') return null;
  const expected = Buffer.from(codeOf(token, letter, hex));
  const given = Buffer.from(code);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  return { approvalId: `apr_${hex}`, decision: letter === 'a' ? 'approve' : 'deny' };
}

const codeOf = (token: string, letter: string, hex: string): string =>
  createHmac('sha256', `pao approval\0${token}`)
    .update(`${letter}:${hex}`)
    .digest()
    .subarray(0, 16)
    .toString('base64url');

/** Telegram refuses a message with a button whose URL has no public host. */
function isPublic(link: string): boolean {
  if (!URL.canParse(link)) return false;
  const { protocol, hostname } = new URL(link);
  return (
    /^https?:$/.test(protocol) &&
    hostname.includes('.') &&
    isIP(hostname) === 0 &&
    !/\.(local|localhost|internal)$/.test(hostname)
  );
}
