import type { ApiServices } from './operation.js';

const WINDOW_MS = 10 * 60_000;
/** Kinds of failure told apart at once; the rest is one more. */
const MAX_KINDS = 20;

interface Refusal {
  /** `missing`, `malformed`, `unknown`, `expired`, `revoked`. */
  reason: string;
  address: string;
  /** The token, when it is known. */
  target: string | null;
}

/**
 * Failed sign-ins (or refused deliveries of hooks) in the audit log, bounded: the first of a kind (reason, address, token) is a row at once, what follows
 * within ten minutes is one row with its count. A guesser fills 42 rows in ten minutes at most, whatever it tries.
 */
export class RefusalLedger {
  readonly #open = new Map<string, Refusal & { count: number }>();
  #timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly services: Pick<ApiServices, 'store' | 'clock' | 'logger'>,
    private readonly action: 'auth.failed' | 'hook.refused' = 'auth.failed',
  ) {}

  async note(refusal: Refusal): Promise<void> {
    const known = Object.values(refusal).join('\n');
    const kind = this.#open.has(known) || this.#open.size < MAX_KINDS ? known : '';
    const entry = this.#open.get(kind);
    if (entry !== undefined) {
      entry.count += 1;
      return;
    }
    const noted = kind === '' ? { reason: 'various', address: 'various', target: null } : refusal;
    this.#open.set(kind, { ...noted, count: 0 });
    this.#timer ??= setTimeout(() => void this.flush(), WINDOW_MS).unref();
    await this.#write(noted, 1);
  }

  /** Ends the window: writes what was counted in it. */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const counted = [...this.#open.values()].filter(({ count }) => count > 0);
    this.#open.clear();
    for (const entry of counted) await this.#write(entry, entry.count);
  }

  async #write({ reason, address, target }: Refusal, count: number): Promise<void> {
    const { store, clock, logger } = this.services;
    try {
      const details = { reason, address, count };
      await store.appendAudit({ at: clock.now(), actor: 'unknown', action: this.action, target, details });
    } catch (error) {
      // The caller is refused all the same; that must not turn into an error of ours.
      logger.error({ err: error, reason, address }, 'a refusal could not be audited');
    }
  }
}
