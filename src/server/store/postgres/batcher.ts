interface Waiting<I, O> {
  item: I;
  resolve: (value: O) => void;
  reject: (error: unknown) => void;
}

/** Items written together at most. */
const MAX_BATCH = 200;

/**
 * Collects what is asked for while a write is under way and writes it together, in the order it came. For what must be
 * written one after the other anyway: numbered events, the audit chain.
 */
export class Batcher<I, O> {
  #waiting: Waiting<I, O>[] = [];
  #running = false;

  /** @param write takes items in order and gives their results in the same order; each may be an Error of its own. */
  constructor(private readonly write: (items: I[]) => Promise<(O | Error)[]>) {}

  add(item: I): Promise<O> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // A turn of the event loop lets those that come together go together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MAX_BATCH);
      try {
        const results = await this.write(batch.map(({ item }) => item));
        for (const [at, { resolve, reject }] of batch.entries()) {
          const result = results[at] as O | Error;
          if (result instanceof Error) reject(result);
          else resolve(result);
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#running = false;
  }
}
