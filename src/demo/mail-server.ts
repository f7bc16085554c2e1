import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import {
  createMcpHandler,
  McpServer,
  OAuthError,
  OAuthErrorCode,
  verifyBearerToken,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { systemClock } from '../domain/clock.js';
import type { HttpFault } from './faults.js';
import { type LoopbackServer, startLoopbackServer } from './loopback-server.js';
import type { MailSource } from './mail-source.js';

const MAX_KEPT_CALLS = 1000;

export interface MailServerOptions {
  port: number;
  source: MailSource;
  /** The bearer token a client must send. */
  token: string;
}

export interface MailServer extends LoopbackServer<HttpFault> {
  /** The address of the MCP endpoint. */
  mcpUrl: string;
  /** The input of each `top_unread` call, oldest first. */
  calls: { count: number }[];
}

const inputSchema = z.object({
  count: z.number().int().min(1).max(50).describe('How many messages at most'),
});
const outputSchema = z.object({
  emails: z.array(z.object({ from: z.string(), subject: z.string(), date: z.string(), snippet: z.string() })),
  total_unread: z.number().int(),
});

/**
 * Starts the mail demo server: MCP over streamable HTTP at `/mcp` behind a bearer token, with one tool, `top_unread`.
 * Both eras of MCP are served.
 */
export async function startMailServer(options: MailServerOptions): Promise<MailServer> {
  const calls: { count: number }[] = [];
  const handler = createMcpHandler(() => createMailServer(options.source, calls));
  const serveMcp = toNodeHandler(handler) as (
    request: IncomingMessage,
    response: ServerResponse,
  ) => Promise<void>;
  const server = await startLoopbackServer<HttpFault>({
    name: 'mail',
    port: options.port,
    readsBody: (path) => path === '/mcp',
    answer: async (request, _fault, raw) => {
      if (request.path !== '/mcp') return { status: 404, body: { error: 'The MCP endpoint is /mcp.' } };
      try {
        const auth = await verifyBearerToken(request.headers.authorization, {
          verifier: { verifyAccessToken: async (token) => verifyToken(token, options.token) },
        });
        await serveMcp(Object.assign(raw.request, { auth }), raw.response);
        return null;
      } catch (error) {
        if (!(error instanceof OAuthError)) throw error;
        return {
          status: 401,
          body: { error: error.code, error_description: error.message },
          headers: { 'www-authenticate': `Bearer error="${error.code}"` },
        };
      }
    },
  });
  return {
    ...server,
    mcpUrl: `${server.url}/mcp`,
    calls,
    close: async () => {
      await handler.close();
      await server.close();
    },
  };
}

function verifyToken(token: string, expected: string) {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  if (!timingSafeEqual(digest(token), digest(expected))) {
    throw new OAuthError(OAuthErrorCode.InvalidToken, 'The token is not valid.');
  }
  // The SDK refuses a token without an expiry; this one lives as long as the demo does.
  return { token, clientId: 'pao', scopes: [], expiresAt: Math.floor(systemClock.now() / 1000) + 3600 };
}

function createMailServer(source: MailSource, calls: { count: number }[]): McpServer {
  const server = new McpServer({ name: 'pao-demo-mail', version: '1.0.0' }, { capabilities: { tools: {} } });
  server.registerTool(
    'top_unread',
    {
      title: 'Top unread mail',
      description: 'The newest unread messages, newest first, and how many are unread in all',
      inputSchema,
      outputSchema,
      annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: true },
    },
    async ({ count }) => {
      calls.push({ count });
      if (calls.length > MAX_KEPT_CALLS) calls.shift();
      const { emails, totalUnread } = await source.topUnread(count);
      const output = { emails, total_unread: totalUnread };
      return { content: [{ type: 'text', text: JSON.stringify(output) }], structuredContent: output };
    },
  );
  return server;
}
