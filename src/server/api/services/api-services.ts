import type { Clock } from '../../../domain/clock.js';
import type { Tool } from '../../../domain/tool.js';
import type { Bus } from '../../bus/bus.js';
import type { Store } from '../../store/store.js';
import type { Logger } from '../../telemetry/logger.js';
import type { ToolCallContext, ToolResult } from '../../tools/caller.js';
import type { ToolDirectory } from './tool-directory.js';
import type { RunWatch } from './run-watch.js';

/** Makes the tools a catalog document describes. */
export type ImportCatalog = (document: unknown) => Promise<{ tools: Tool[]; warnings?: unknown[] }>;

/** What the business rules of the API work with; nothing of HTTP. */
export interface ApiServices {
  store: Store;
  bus: Bus;
  clock: Clock;
  logger: Logger;
  version: string;
  tools: ToolDirectory;
  runWatch: RunWatch;
  callTool: (tool: Tool, input: unknown, context: ToolCallContext) => Promise<ToolResult>;
  importCatalog: ImportCatalog;
  /** Moves the clock of a test system; undefined in any other. @returns the new time, epoch milliseconds. */
  advanceClock?: ((ms: number) => number) | undefined;
}
