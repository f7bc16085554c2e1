import { createHash } from 'node:crypto';
import { PaoError } from '../../domain/errors.js';
import type { Store } from '../store/store.js';

const KEEP_MS = 24 * 3_600_000;

interface Kept {
  body_hash: string;
  status: number;
  body: unknown;
  location?: string;
  at: number;
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

  /** @returns the first answer, or null: then {@link keep} must be called, or {@link release}. */
  async begin(
    scope: string,
    key: string,
    body: unknown,
  ): Promise<{ id: string; hash: string; kept: Kept | null }> {
    const id = `idempotency/${createHash('sha256').update(`${scope}\n${key}`).digest('hex')}`;
    const hash = createHash('sha256')
      .update(JSON.stringify(body ?? null))
      .digest('hex');
    if (this.#busy.has(id))
      throw new PaoError('PAO_IDEMPOTENCY_BUSY', 'A request with this Idempotency-Key is under way.', {
        status: 409,
      });
    this.#busy.add(id);
    try {
      const text = await this.store.getMeta(id);
      const kept = text === null ? null : (JSON.parse(text) as Kept);
      if (kept === null || this.now() - kept.at > KEEP_MS) return { id, hash, kept: null };
      this.#busy.delete(id);
      if (kept.body_hash !== hash) {
        throw new PaoError('PAO_IDEMPOTENCY_REUSED', 'This Idempotency-Key was used with another body.', {
          status: 422,
          hints: ['Use a new key for a new request'],
        });
      }
      return { id, hash, kept };
    } catch (error) {
      this.#busy.delete(id);
      throw error;
    }
  }

  async keep(
    id: string,
    hash: string,
    answer: { status: number; body: unknown; location?: string },
  ): Promise<void> {
    try {
      await this.store.setMeta(
        id,
        JSON.stringify({ ...answer, body_hash: hash, at: this.now() } satisfies Kept),
      );
    } finally {
      this.#busy.delete(id);
    }
  }

  release(id: string): void {
    this.#busy.delete(id);
  }
}
