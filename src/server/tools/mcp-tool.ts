import type { CallToolResult, Tool as RemoteTool } from '@modelcontextprotocol/client';
import type { McpServer, ServerImport } from '../../domain/tool.js';
import { ToolError } from '../../domain/tool-error.js';
import { sanitizeToolOutput } from '../../domain/json.js';
import { parseToolJson } from './answer.js';
import { blockOf, type ConnectorAnswer, type ConnectorCall, type ConnectorServices } from './connector.js';
import { fillText, parseTemplate, secretsIn } from './connector-template.js';
import type { Deadline } from './deadline.js';
import { ConnectFailure, type McpConnection, McpConnections, type ResolvedServer } from './mcp-connection.js';
import { mcpError, sessionIsGone } from './mcp-error.js';

/** A tool as an MCP server describes it. */
export type DiscoveredTool = Pick<
  RemoteTool,
  'name' | 'title' | 'description' | 'inputSchema' | 'outputSchema' | 'annotations'
>;

/** Calls tools of MCP servers over connections that are kept. */
export class McpCaller {
  readonly #services: ConnectorServices;
  readonly #connections: McpConnections;

  constructor(services: ConnectorServices) {
    this.#services = services;
    this.#connections = new McpConnections(services);
  }

  /** Calls a tool of kind `mcp`. Throws ToolError. */
  async call(call: ConnectorCall): Promise<ConnectorAnswer> {
    const { server, tool, era, run_token } = blockOf(call.tool, 'mcp');
    // Only a server that asked for it gets what acts for the run, and each run its own: it is no part of the connection.
    const runToken = run_token === true ? await call.context.runToken?.() : undefined;
    const target = await this.#resolve(server, era, call.tool.grants, call.tool.address, call.context.agent);
    const result = await this.#request(target, call.deadline, `${server.name}.${tool}`, ({ client }) =>
      client.callTool(
        {
          name: tool,
          arguments: (call.input ?? {}) as Record<string, unknown>,
          ...metaOf(call, runToken),
        },
        {
          ...this.#options(call.deadline),
          ...(runToken === undefined ? {} : { headers: { 'pao-run-token': runToken } }),
          toolDefinition: { name: tool, inputSchema: { ...call.tool.input_schema, type: 'object' } },
        },
      ),
    );
    return { output: readResult(`${server.name}.${tool}`, result) };
  }

  /** Lists the tools of a server, all pages. Throws ToolError. */
  async discover(server: ServerImport, deadline: Deadline): Promise<DiscoveredTool[]> {
    const { era, grants, timeout: _timeout, run_token: _token, side_effect: _sideEffect, ...reach } = server;
    const target = await this.#resolve(reach, era, grants, `${server.name}.*`, undefined);
    const { tools } = await this.#request(target, deadline, server.name, ({ client }) =>
      client.listTools(undefined, this.#options(deadline)),
    );
    return tools;
  }

  /** Ends connections and child processes. */
  close(): Promise<void> {
    return this.#connections.close();
  }

  #options(deadline: Deadline) {
    const timeout = Math.max(1, Math.ceil(deadline.remaining()));
    // Ours fires first; theirs is only there because they would otherwise give up after a minute.
    return { signal: deadline.signal, timeout: timeout + 1000, maxTotalTimeout: timeout + 1000 };
  }

  async #request<T>(
    target: ResolvedServer,
    deadline: Deadline,
    name: string,
    ask: (connection: McpConnection) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      let sent = false;
      let stderr = () => '';
      try {
        return await untilAborted(
          deadline,
          () => sent,
          () =>
            this.#connections.with(target, (connection) => {
              stderr = connection.stderr;
              if (deadline.signal.aborted) throw deadline.error(false);
              sent = true;
              return ask(connection);
            }),
        );
      } catch (error) {
        if (deadline.signal.aborted) throw deadline.error(sent);
        // The server forgot our session (it was restarted) and did nothing: a new connection may ask again.
        if (attempt === 1 && sent && sessionIsGone(error)) {
          await this.#connections.drop(target);
          continue;
        }
        const known =
          error instanceof ConnectFailure
            ? mcpError(error.cause, name, false, error.stderr)
            : mcpError(error, name, sent, stderr());
        if (known.kind === 'transport') await this.#connections.drop(target);
        throw known;
      }
    }
  }

  async #resolve(
    server: McpServer,
    era: ResolvedServer['era'] | undefined,
    grants: readonly string[] | undefined,
    tool: string,
    agent: string | undefined,
  ): Promise<ResolvedServer> {
    const fill = async (values: Record<string, string> | undefined): Promise<Record<string, string>> => {
      const filled: Record<string, string> = {};
      for (const [key, value] of Object.entries(values ?? {})) {
        const template = parseTemplate(value);
        const secrets = new Map<string, string>();
        for (const name of secretsIn(template)) {
          secrets.set(name, await this.#services.secrets.resolve(name, { tool, agent }));
        }
        // The input is not in scope: a connection is shared, and what differs per call has no place in it.
        filled[key] = fillText(template, { input: undefined, secrets, call: {} });
      }
      return filled;
    };
    if (server.transport === 'http') {
      return {
        server: { ...server, headers: await fill(server.headers) },
        era: era ?? 'auto',
        grants: grants ?? [],
      };
    }
    return { server: { ...server, env: await fill(server.env) }, era: era ?? 'legacy', grants: [] };
  }
}

/** Ends the wait for a shared connection when this call is aborted; the connection goes on for the others. */
function untilAborted<T>(deadline: Deadline, sent: () => boolean, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(deadline.error(sent()));
    deadline.signal.addEventListener('abort', onAbort, { once: true });
    work()
      .then(resolve, reject)
      .finally(() => deadline.signal.removeEventListener('abort', onAbort));
  });
}

function metaOf(call: ConnectorCall, runToken: string | undefined): { _meta?: Record<string, unknown> } {
  const { traceparent, tracestate, idempotencyKey } = call.context;
  const meta = {
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tracestate === undefined ? {} : { tracestate }),
    ...(idempotencyKey === undefined ? {} : { 'pao/idempotency-key': idempotencyKey }),
    ...(runToken === undefined ? {} : { 'pao/run-token': runToken }),
  };
  return Object.keys(meta).length === 0 ? {} : { _meta: meta };
}

function readResult(name: string, result: CallToolResult): unknown {
  const content = result.content ?? [];
  const text = content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
  // A tool that says no answers normally; taking that for success is the classic false success.
  if (result.isError) {
    throw new ToolError(
      'tool_error',
      `${name} failed: ${text.replace(/\s+/g, ' ').slice(0, 500) || 'it did not say why'}`,
    );
  }
  if (result.structuredContent !== undefined) return sanitizeToolOutput(result.structuredContent).value;
  const others = content.filter((part) => part.type !== 'text');
  if (others.length > 0) return sanitizeToolOutput({ text, content: others }).value;
  if (/^\s*[[{]/.test(text)) {
    try {
      return parseToolJson(text);
    } catch {
      // Text that only begins like JSON is text.
    }
  }
  return { text: sanitizeToolOutput(text).value };
}
