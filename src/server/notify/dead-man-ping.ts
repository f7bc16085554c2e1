import type { Logger } from '../telemetry/logger.js';

/** Gets a URL and takes no notice of what it says. */
export type Ping = (url: string) => Promise<void>;

/**
 * Asks for a URL at most every so often, for as long as it is told to: when it stays away, the service behind it (such as
 * healthchecks.io) tells people. A ping that fails is said once and changes nothing here.
 */
export class DeadManPing {
  #last = Number.NEGATIVE_INFINITY;
  #failing = false;

  constructor(
    private readonly options: {
      ping: Ping;
      url: string;
      everyMs: number;
      monotonic: () => number;
      logger: Logger;
    },
  ) {}

  /** The thing that is watched just did its work. */
  beat(): void {
    const { monotonic, everyMs, ping, url, logger } = this.options;
    const now = monotonic();
    if (now - this.#last < everyMs) return;
    this.#last = now;
    ping(url).then(
      () => {
        this.#failing = false;
      },
      (error: unknown) => {
        if (!this.#failing) logger.warn({ err: error }, 'the dead-man ping did not arrive');
        this.#failing = true;
      },
    );
  }
}
