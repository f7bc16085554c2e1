import type { Tool } from '../../domain/tool.js';
import type { Store } from '../store/store.js';

/** The worker's copy of the catalog: one cheap read tells whether it is stale, a changed tool is read again. */
export class ToolCatalog {
  #tools = new Map<string, Tool>();
  #version = -1;
  #checkedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly options: {
      store: Store;
      /** Tools that are always there. */
      builtin: readonly Tool[];
      /** Milliseconds that only ever grow. */
      monotonic: () => number;
      /** How old the copy may be, milliseconds. */
      maxAgeMs?: number;
    },
  ) {}

  /** Brings the copy up to date when it may be stale; called once a batch. */
  async refresh(): Promise<void> {
    const age = this.options.monotonic() - this.#checkedAt;
    if (age >= (this.options.maxAgeMs ?? 100)) await this.#look();
  }

  find(address: string): Tool | null {
    return this.#tools.get(address) ?? null;
  }

  /** A tool that the copy does not have: it may be a moment old. */
  async findNew(address: string): Promise<Tool | null> {
    await this.#look();
    return this.find(address);
  }

  async #look(): Promise<void> {
    const now = this.options.monotonic();
    const version = await this.options.store.toolsVersion();
    this.#checkedAt = now;
    if (version === this.#version) return;
    const tools = new Map(this.options.builtin.map((tool) => [tool.address, tool]));
    let cursor: string | undefined;
    do {
      const page = await this.options.store.listTools({ limit: 1000, cursor });
      for (const { tool } of page.items) tools.set(tool.address, tool);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    this.#tools = tools;
    this.#version = version;
  }
}
