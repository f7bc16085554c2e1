import { parseDuration } from '../../domain/duration.js';
import { catalogFileSchema, type SideEffect } from '../../domain/tool.js';
import type { Config } from '../../server/config.js';
import { channelTools } from '../../server/tools/channels/channel-tools.js';
import { builtinTools } from '../../server/tools/builtin-tools.js';

/** What is known about a tool without asking a server. */
export interface KnownTool {
  inputSchema: unknown;
  sideEffect: SideEffect | null;
  /** Milliseconds; null when a call may take as long as its step allows. */
  timeoutMs: number | null;
  /** Answers inside the worker: nothing outside can hold it up. */
  isLocal: boolean;
}

/** The tools of the catalogs that lie beside the tasks, the channels of the project, and those built in. */
export class ToolKnowledge {
  readonly #tools = new Map<string, KnownTool>();
  /** Servers and documents whose tools are known only once they are imported. */
  readonly #imports = new Map<
    string,
    { timeoutMs: number | null; sideEffects: Record<string, SideEffect> }
  >();

  /**
   * @param channels of `pao.config.yaml`.
   * @param notify of it; null where there is none, or it does not matter.
   */
  constructor(
    readonly channels: Config['channels'] = {},
    readonly notify: Pick<Config['notify'], 'approvals'> | null = null,
  ) {
    for (const tool of [...builtinTools, ...channelTools(channels)]) {
      this.#tools.set(tool.address, {
        inputSchema: tool.input_schema,
        sideEffect: tool.side_effect,
        timeoutMs: null,
        isLocal: tool.side_effect === 'read',
      });
    }
  }

  /** Takes in a document when it is a catalog (`tools`, `servers`, `openapi`); one at fault is left to `pao tool import`. */
  add(document: unknown): void {
    const parsed = catalogFileSchema.safeParse(document);
    if (!parsed.success) return;
    for (const tool of parsed.data.tools ?? []) {
      this.#tools.set(tool.address, {
        inputSchema: tool.input_schema,
        sideEffect: tool.side_effect,
        timeoutMs: tool.timeout === undefined ? null : parseDuration(tool.timeout),
        isLocal: false,
      });
    }
    for (const source of [...(parsed.data.servers ?? []), ...(parsed.data.openapi ?? [])]) {
      this.#imports.set(source.name, {
        timeoutMs: source.timeout === undefined ? null : parseDuration(source.timeout),
        sideEffects: source.side_effect ?? {},
      });
    }
  }

  find(address: string): KnownTool | null {
    const known = this.#tools.get(address);
    if (known !== undefined) return known;
    const dot = address.lastIndexOf('.');
    const imported = this.#imports.get(address.slice(0, dot));
    if (imported === undefined) return null;
    const name = address.slice(dot + 1);
    const sideEffect = Object.hasOwn(imported.sideEffects, name) ? imported.sideEffects[name] : undefined;
    return { inputSchema: {}, sideEffect: sideEffect ?? null, timeoutMs: imported.timeoutMs, isLocal: false };
  }

  /** Addresses of the same group that are known: what a mistyped address is compared with. */
  inGroupOf(address: string): string[] {
    const group = `${address.slice(0, address.lastIndexOf('.'))}.`;
    return [...this.#tools.keys()].filter((known) => known.startsWith(group));
  }
}
