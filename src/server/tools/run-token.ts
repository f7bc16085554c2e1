import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Where the key of run tokens is kept: what signs in the name of runs lies beside the runs. */
const KEY = 'run_token_key';
const FORM = /^pao_r_([0-9a-f]{32})_([A-Za-z0-9_-]{43})$/;
const BEGINNING = 'pao_r_';
const HEX = Buffer.from(BEGINNING).toString('hex');
const LENGTH = BEGINNING.length + 32 + 1 + 43;

/**
 * Source of a regular expression that finds any such token in text: as it is (also URL-encoded and in JSON, where it is the
 * same), as hexadecimal, and as base64 for each of 3 alignments. Every run has another one, so they are hidden by their form.
 */
export const RUN_TOKEN_FORMS: string = [
  FORM.source.slice(1, -1).replaceAll('(', '(?:'),
  `(?:${HEX}|${HEX.toUpperCase()})[0-9a-fA-F]{${2 * (LENGTH - BEGINNING.length)}}`,
  ...[0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), Buffer.from(BEGINNING)]).toString('base64');
    const known = Math.floor(((offset + BEGINNING.length) * 8) / 6);
    const whole = Math.floor(((offset + LENGTH) * 8) / 6);
    return `${text.slice(offset === 0 ? 0 : offset + 1, known)}[A-Za-z0-9+/_-]{${whole - known}}`;
  }),
].join('|');

interface KeyStore {
  getMeta(key: string): Promise<string | null>;
  swapMeta(key: string, before: string | null, after: string | null): Promise<boolean>;
}

/**
 * Tokens that stand for one run while it goes on: `pao_r_<run>_<HMAC>`. A tool that is to call back into pao gets one, as
 * `${call.run_token}` in its headers, instead of a token of its agent; it ends with the run, and is stored nowhere.
 */
export class RunTokens {
  #key: Promise<Buffer> | null = null;

  constructor(private readonly store: KeyStore) {}

  async mint(runId: string): Promise<string> {
    const run = runId.replace(/^run_/, '');
    return `pao_r_${run}_${sign(await this.#load(), run)}`;
  }

  /** @returns the id of the run; null when it is not a token that was minted here. */
  async read(token: string): Promise<string | null> {
    const match = FORM.exec(token);
    if (match === null) return null;
    const [, run = '', given = ''] = match;
    const expected = sign(await this.#load(), run);
    return timingSafeEqual(Buffer.from(given), Buffer.from(expected)) ? `run_${run}` : null;
  }

  /** Whether a text has the form of such a token. */
  static is(token: string): boolean {
    return FORM.test(token);
  }

  #load(): Promise<Buffer> {
    this.#key ??= this.#find().catch((error: unknown) => {
      this.#key = null;
      throw error;
    });
    return this.#key;
  }

  async #find(): Promise<Buffer> {
    const known = await this.store.getMeta(KEY);
    if (known !== null) return Buffer.from(known, 'base64');
    // Of several processes that make one at once, the first is right.
    await this.store.swapMeta(KEY, null, randomBytes(32).toString('base64'));
    return Buffer.from((await this.store.getMeta(KEY)) as string, 'base64');
  }
}

const sign = (key: Buffer, run: string): string =>
  createHmac('sha256', key).update(`pao run token 1:${run}`).digest('base64url');
