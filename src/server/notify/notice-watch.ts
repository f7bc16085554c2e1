import { Looker } from '../../domain/looker.js';
import type { Bus } from '../bus/bus.js';
import type { Logger } from '../telemetry/logger.js';

/** How long runs are waited for that end together, milliseconds. */
const SETTLE_MS = 300;
/** A look underneath the bus, milliseconds. */
const EVERY_MS = 10_000;

/**
 * Looks for what people are to be told of, when something happened and every ten seconds. Level-triggered: each look is at
 * what stands in the store, so that a restart or a lost message changes nothing.
 */
export class NoticeWatch {
  readonly #looker = new Looker(async () => {
    for (const look of this.options.looks) {
      await look.runOnce().catch((error: unknown) => {
        const fields = { look: look.constructor.name, err: error };
        this.options.logger.warn(fields, 'what people are to be told of could not be looked at');
      });
    }
    return EVERY_MS;
  });
  readonly #unsubscribe: (() => void)[] = [];
  #soon: NodeJS.Timeout | null = null;

  constructor(
    private readonly options: {
      bus: Pick<Bus, 'subscribe'>;
      logger: Logger;
      looks: readonly { runOnce(): Promise<void> }[];
    },
  ) {}

  start(): void {
    const soon = () => {
      this.#soon ??= setTimeout(() => this.#wake(), SETTLE_MS).unref();
    };
    const { bus } = this.options;
    this.#unsubscribe.push(bus.subscribe('run', soon), bus.subscribe('notice', soon));
    this.#looker.start();
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    if (this.#soon !== null) clearTimeout(this.#soon);
    await this.#looker.stop();
  }

  #wake(): void {
    this.#soon = null;
    this.#looker.wake();
  }
}
