import type { Tool } from '../../domain/tool.js';
import type { ToolCallContext, ToolResult } from '../tools/caller.js';
import { deliverNotice } from './deliver-notice.js';
import { FailureWatch, type FailureWatchOptions } from './failure-watch.js';

/** Starts the watch over failing tasks, which tells people through the tool callers and their egress guard. */
export function startFailureWatch(
  options: Omit<FailureWatchOptions, 'deliver'> & {
    builtinTools: readonly Tool[];
    callTool: (tool: Tool, input: unknown, context: ToolCallContext) => Promise<ToolResult>;
  },
): { stop(): Promise<void> } {
  const { builtinTools, callTool, store, notify } = options;
  const webhook = builtinTools.find(({ address }) => address === 'notify.webhook') as Tool;
  const closing = new AbortController();
  const watch = new FailureWatch({
    ...options,
    deliver: (notice, task, key) =>
      deliverNotice(notice, task, key, {
        store,
        notify,
        webhook,
        builtinTools,
        callTool,
        signal: closing.signal,
      }),
  });
  watch.start();
  return {
    async stop() {
      closing.abort();
      await watch.stop();
    },
  };
}
