import type { IncomingMessage, ServerResponse } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { type AuthInfo, createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { hasScope } from '../../../domain/agent.js';
import { traceOfRequest } from '../../../domain/observability/trace.js';
import type { ApiServices, Caller, Operation } from '../operation.js';
import type { OperationRunner } from '../operation-runner.js';
import { type BoundTool, bindTools } from './bound-tools.js';
import type { McpEndpoint } from './endpoint.js';
import { Persons } from './person.js';
import { registerPrompts, registerResources } from './resources.js';
import { callWithPerson, mayAskWith } from './with-person.js';

const INSTRUCTIONS = [
  'pao schedules and runs tasks of tool calls, and records every run and every occurrence that did not run.',
  'Before task_create call schedule_preview with the time zone of the person, and read its words and warnings.',
  'tool_list says what a pipeline may call. Everything a person should know stands in words, reason and warnings.',
].join(' ');

/** Serves MCP for callers that signed in already: each sees the tools its token has the scopes for. */
export function createMcp(
  operations: readonly Operation[],
  services: ApiServices,
  runner: OperationRunner,
): McpEndpoint {
  const tools = bindTools(operations);
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  const persons = new Persons();
  const handler = createMcpHandler(
    ({ authInfo }) => {
      const { caller, canAsk } = (authInfo as AuthInfo).extra as { caller: Caller; canAsk: boolean };
      const server = new McpServer(
        { name: 'pao', title: 'pao, the Personal Agent Orchestrator', version: services.version },
        { instructions: INSTRUCTIONS },
      );
      for (const tool of tools) {
        const { scope } = tool.operation;
        const asksPerson = tool.name === 'approval_decide' && canAsk && mayAskWith(caller);
        if (scope !== null && !hasScope(caller.scopes, scope) && !asksPerson) continue;
        const { title, description, inputSchema, outputSchema, annotations } = tool;
        server.registerTool(
          tool.name,
          { title, description, inputSchema, outputSchema, annotations },
          (given, context) =>
            callWithPerson(tool, (given ?? {}) as Record<string, unknown>, {
              caller,
              services,
              runner,
              signal: context.mcpReq.signal,
              trace: traceOfRequest(
                context.mcpReq._meta?.['traceparent'],
                context.mcpReq._meta?.['tracestate'],
              ),
              person: persons.of(server, context, caller),
              findTool: (name) => byName.get(name) as BoundTool,
            }),
        );
      }
      registerResources(server, { caller, services });
      registerPrompts(server);
      return server;
    },
    { onerror: (error) => services.logger.debug({ err: error }, 'MCP request refused') },
  );
  const serve = toNodeHandler(handler) as (
    request: IncomingMessage,
    response: ServerResponse,
    body?: unknown,
  ) => Promise<void>;
  return {
    async serve(request, response, body, caller) {
      if (persons.takeAnswer(body, caller)) {
        response.writeHead(202).end();
        return;
      }
      const session = persons.sessionOf(body);
      if (session !== null) response.setHeader('mcp-session-id', session);
      const auth = {
        // Not the secret: nothing behind this line may see or pass it on.
        token: caller.token.id,
        clientId: caller.agent.id,
        scopes: caller.scopes,
        expiresAt: Math.ceil((caller.token.expiresAt ?? Number.MAX_SAFE_INTEGER) / 1000),
        extra: { caller, canAsk: persons.canAsk(body, request.headers['mcp-session-id']) },
      };
      await serve(Object.assign(request, { auth }), response, body);
    },
    close: () => handler.close(),
  };
}
