import { createHash, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RANDOM_LENGTH = 40;
const SUM_LENGTH = 6;
const FORM = /^pao_([aobw])_([0-9A-Za-z]{40})([0-9A-Za-z]{6})$/;

/** Who a token is for: agent, operator, bootstrap, worker (security.md C2.1). */
export type TokenKind = 'a' | 'o' | 'b' | 'w';

/** Makes a secret of 238 random bits, `pao_<kind>_<40 Base62><6 Base62 CRC32>`; it is shown once and never stored. */
export function createToken(kind: TokenKind): string {
  let random = '';
  while (random.length < RANDOM_LENGTH) random += ALPHABET[randomInt(ALPHABET.length)];
  const body = `pao_${kind}_${random}`;
  return body + checksum(body);
}

/** Whether a text can be a token at all; a mistyped or invented one is refused without a look in the database. */
export function checkTokenFormat(token: string): boolean {
  const match = FORM.exec(token);
  return match !== null && checksum(token.slice(0, -SUM_LENGTH)) === match[3];
}

/** SHA-256, hex: how a token is stored and looked up. Enough for 238 random bits (ASVS 6.5.2). */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function checksum(text: string): string {
  let rest = crc32(text);
  let sum = '';
  while (sum.length < SUM_LENGTH) {
    sum = ALPHABET[rest % ALPHABET.length] + sum;
    rest = Math.floor(rest / ALPHABET.length);
  }
  return sum;
}
