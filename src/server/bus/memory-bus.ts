import type { Bus, BusMessages, BusTopic } from './bus.js';

type Handler = (message: never) => void;

/** The bus of services that share one process; also the local end of the other buses. */
export class MemoryBus implements Bus {
  readonly backend: Bus['backend'] = 'memory';
  readonly #handlers = new Map<BusTopic, Set<Handler>>();

  publish<T extends BusTopic>(topic: T, message: BusMessages[T]): void {
    // Delivered in a later turn: a publisher never runs its subscribers' code inside its own transaction or loop.
    setImmediate(() => this.deliver(topic, message));
  }

  subscribe<T extends BusTopic>(topic: T, handler: (message: BusMessages[T]) => void): () => void {
    const handlers = this.#handlers.get(topic) ?? new Set();
    this.#handlers.set(topic, handlers);
    handlers.add(handler as Handler);
    return () => handlers.delete(handler as Handler);
  }

  /** Hands a message to this process's subscribers now. One that throws does not keep it from the others. */
  deliver<T extends BusTopic>(topic: T, message: BusMessages[T]): void {
    for (const handler of [...(this.#handlers.get(topic) ?? [])]) {
      try {
        (handler as (message: BusMessages[T]) => void)(message);
      } catch (error) {
        process.emitWarning(`bus subscriber of "${topic}" failed: ${String(error)}`, 'PaoBusWarning');
      }
    }
  }

  async close(): Promise<void> {
    this.#handlers.clear();
  }
}
