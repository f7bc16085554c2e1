import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiServices, Caller, Operation } from '../operation.js';
import type { OperationRunner } from '../operation-runner.js';

/** The MCP server at `/mcp`: streamable HTTP, both eras of the protocol, no session to lose. */
export interface McpEndpoint {
  serve(request: IncomingMessage, response: ServerResponse, body: unknown, caller: Caller): Promise<void>;
  close(): Promise<void>;
}

/** The MCP packages are loaded by the first request: a system nobody speaks MCP to does not carry them. */
export function createMcpEndpoint(
  operations: readonly Operation[],
  services: ApiServices,
  runner: OperationRunner,
): McpEndpoint {
  let loaded: Promise<McpEndpoint> | null = null;
  return {
    async serve(request, response, body, caller) {
      loaded ??= import('./server.js').then(({ createMcp }) => createMcp(operations, services, runner));
      await (await loaded).serve(request, response, body, caller);
    },
    async close() {
      await (await loaded)?.close();
    },
  };
}
