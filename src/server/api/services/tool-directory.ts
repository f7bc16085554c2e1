import type { Tool } from '../../../domain/tool.js';
import type { Store, StoredTool } from '../../store/store.js';

/** A tool as the API knows it; built-in ones have no record in the store. */
export interface ListedTool {
  tool: Tool;
  stored: StoredTool | null;
}

/** The catalog as the API sees it: built-in tools and stored ones, kept in memory as long as the store says it is current. */
export class ToolDirectory {
  #tools = new Map<string, ListedTool>();
  #addresses: string[] = [];
  #version = -1;

  constructor(
    private readonly store: Store,
    private readonly builtin: readonly Tool[],
  ) {}

  /** Brings the copy up to date; one cheap read when nothing changed. */
  async refresh(): Promise<void> {
    const version = await this.store.toolsVersion();
    if (version === this.#version) return;
    const tools = new Map<string, ListedTool>(
      this.builtin.map((tool) => [tool.address, { tool, stored: null }]),
    );
    let cursor: string | undefined;
    do {
      const page = await this.store.listTools({ limit: 500, cursor });
      for (const stored of page.items) tools.set(stored.tool.address, { tool: stored.tool, stored });
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    this.#tools = tools;
    this.#addresses = [...tools.keys()].sort();
    this.#version = version;
  }

  find(address: string): ListedTool | null {
    return this.#tools.get(address) ?? null;
  }

  isBuiltin(address: string): boolean {
    return this.builtin.some((tool) => tool.address === address);
  }

  /** All addresses, sorted. */
  addresses(): string[] {
    return this.#addresses;
  }
}
