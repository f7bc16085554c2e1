import { EXIT, PaoError } from '../../domain/errors.js';
import { RunTokens } from '../tools/run-token.js';
import { authenticate, inNamedRun, SignInError } from './authenticate.js';
import type { ApiServices, Caller } from './operation.js';
import { RefusalLedger } from './refusal-ledger.js';
import { TokenBuckets } from './token-buckets.js';

const FAILURES_PER_MINUTE = 100;

/** What signing in takes of a service. */
export type SignInServices = Pick<ApiServices, 'store' | 'clock' | 'logger' | 'config'> & {
  metrics: Pick<ApiServices['metrics'], 'observer'>;
};

/** Lets callers in by their token: rate limits per token, failures limited per address, counted and audited. */
export class SignIn {
  readonly #runTokens: RunTokens;
  readonly #requests: TokenBuckets;
  readonly #failures: TokenBuckets;
  readonly #ledger: RefusalLedger;

  constructor(private readonly services: SignInServices) {
    const { config, clock, store } = services;
    this.#runTokens = new RunTokens(store);
    const monotonic = () => clock.monotonic();
    this.#requests = new TokenBuckets(config.rate_limit.per_second, config.rate_limit.burst, monotonic);
    this.#failures = new TokenBuckets(FAILURES_PER_MINUTE / 60, FAILURES_PER_MINUTE, monotonic);
    this.#ledger = new RefusalLedger(services);
  }

  /**
   * @param authorization the header as it came.
   * @param address where the request comes from.
   * @param run its `Pao-Run` header.
   * @throws PaoError 401, or 429 when the token or the address asks too often.
   */
  async caller(authorization: string | undefined, address: string, run?: string): Promise<Caller> {
    try {
      const caller = await authenticate(authorization, {
        ...this.services,
        runTokens: this.#runTokens,
      });
      if (!this.#requests.take(caller.token.id)) throw tooMany('Too many requests with this token.');
      return await inNamedRun(caller, run, this.services);
    } catch (error) {
      if (!(error instanceof SignInError)) throw error;
      const { reason, token } = error;
      this.services.metrics.observer.add('auth_failures_total', { reason });
      await this.#ledger.note({ reason, address, target: token?.id ?? null });
      if (!this.#failures.take(address)) throw tooMany('Too many failed sign-ins from this address.');
      throw error;
    }
  }

  /** Writes what was only counted so far. */
  close(): Promise<void> {
    return this.#ledger.flush();
  }
}

const tooMany = (message: string) =>
  new PaoError('PAO_RATE_LIMITED', message, { status: 429, exitCode: EXIT.unavailable });
