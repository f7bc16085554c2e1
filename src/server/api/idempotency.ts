import { createHash } from 'node:crypto';
import { invalidInput, PaoError } from '../../domain/errors.js';
import type { Store } from '../store/store.js';
import type { Operation, OperationResult } from './operation.js';

/** How long an answer is given again; retention deletes it later. */
const KEEP_ANSWERS_MS = 24 * 3_600_000;

/** Longest key, characters. draft-ietf-httpapi-idempotency-key has no bound; a longer one is refused, never cut: two would be one. */
export const MAX_IDEMPOTENCY_KEY = 255;

/** @throws PaoError 422 when it is empty or too long. */
export function checkKey(key: string): void {
  if (key !== '' && key.length <= MAX_IDEMPOTENCY_KEY) return;
  throw invalidInput('The Idempotency-Key is not valid.', [
    {
      pointer: '',
      message: `Idempotency-Key must have 1 to ${MAX_IDEMPOTENCY_KEY} characters, not ${key.length}`,
      hint: 'A UUID for each request will do; of a longer text send a hash',
    },
  ]);
}

interface Kept {
  body_hash: string;
  status: number;
  body: unknown;
  location?: string;
}

/**
 * `Idempotency-Key`: the same key of the same token on the same route gives the first answer again for 24 hours, also after a
 * restart. Two at the same time: the second is told to come back.
 */
export class IdempotencyKeys {
  readonly #busy = new Set<string>();

  constructor(
    private readonly store: Store,
    private readonly now: () => number,
  ) {}

  /** Does it once: gives the first answer again, or makes it and keeps it. An answer that is an error is not kept. */
  async once(
    scope: string,
    key: string,
    body: unknown,
    one: Operation,
    call: () => Promise<OperationResult>,
  ): Promise<OperationResult> {
    const id = sha256(`${scope}\n${key}`);
    const hash = sha256(JSON.stringify(body ?? null));
    if (this.#busy.has(id))
      throw new PaoError('PAO_IDEMPOTENCY_BUSY', 'A request with this Idempotency-Key is under way.', {
        status: 409,
      });
    this.#busy.add(id);
    try {
      const kept = await this.#kept(id);
      if (kept !== null) return again(kept, hash, one);
      const result = await call();
      const answer: Kept = {
        body_hash: hash,
        status: result.status ?? one.status,
        // A token's secret is never stored, here neither.
        body: one.holdsSecret === true ? null : result.body,
        ...(result.location === undefined ? {} : { location: result.location }),
      };
      await this.store.keepAnswer(id, JSON.stringify(answer), this.now());
      return result;
    } finally {
      this.#busy.delete(id);
    }
  }

  async #kept(id: string): Promise<Kept | null> {
    const found = await this.store.getAnswer(id);
    return found === null || this.now() - found.at > KEEP_ANSWERS_MS
      ? null
      : (JSON.parse(found.answer) as Kept);
  }
}

function again(kept: Kept, hash: string, one: Operation): OperationResult {
  if (kept.body_hash !== hash) {
    throw new PaoError('PAO_IDEMPOTENCY_REUSED', 'This Idempotency-Key was used with another body.', {
      status: 422,
      hints: ['Use a new key for a new request'],
    });
  }
  if (one.holdsSecret === true) {
    throw new PaoError(
      'PAO_IDEMPOTENCY_SECRET',
      'This request was answered already; its secret is shown only once.',
      { status: 409, hints: ['pao agent rotate NAME makes a new token'] },
    );
  }
  const { status, body, location } = kept;
  return { status, body, ...(location === undefined ? {} : { location }) };
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
