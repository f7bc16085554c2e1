import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { systemClock } from '../../../src/domain/clock.js';
import { Redactor } from '../../../src/domain/redact.js';
import { type Tool, type ToolInput, toolSchema } from '../../../src/domain/tool.js';
import { ToolError } from '../../../src/domain/tool-error.js';
import type { ToolCallContext } from '../../../src/server/tools/caller.js';
import { createSecretSource } from '../../../src/server/tools/secrets.js';
import { createToolCallers, type ToolCallerOptions } from '../../../src/server/tools/tool-callers.js';

/** Callers over a system with the given secrets in its environment. */
export function someCallers(secrets: Record<string, string> = {}, options: Partial<ToolCallerOptions> = {}) {
  const redactor = new Redactor();
  const environment = Object.fromEntries(
    Object.entries(secrets).map(([name, value]) => [`PAO_SECRET_${name}`, value]),
  );
  const callers = createToolCallers({
    clock: systemClock,
    secrets: createSecretSource({ environment, redactor }),
    redactor,
    version: '1.2.3',
    ...options,
  });
  return Object.assign(callers, { redactor });
}

/** With a time limit that a busy machine does not reach: who wants to see one reached names a shorter one. */
export function someContext(more: Partial<ToolCallContext> = {}): ToolCallContext {
  return { signal: new AbortController().signal, timeoutMs: 50_000, ...more };
}

export function someTool(input: ToolInput): Tool {
  return toolSchema.parse(input);
}

/** The ToolError a promise ends with; anything else fails the test. */
export async function failureOf(work: Promise<unknown>): Promise<ToolError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ToolError) return error;
    throw error;
  }
  throw new Error('the call was expected to fail, and succeeded');
}

export interface ReceivedRequest {
  method: string;
  /** As it came over the wire. */
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

export interface TestServer {
  url: string;
  /** `127.0.0.1:<port>`, as a grant. */
  target: string;
  requests: ReceivedRequest[];
  sockets: Set<Socket>;
  server: Server;
  close(): Promise<void>;
}

/** A real HTTP server on a free port that keeps what it received. */
export async function startServer(
  answer: (request: ReceivedRequest, response: ServerResponse, raw: IncomingMessage) => void,
): Promise<TestServer> {
  const requests: ReceivedRequest[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((raw, response) => {
    const chunks: Buffer[] = [];
    raw.on('data', (chunk: Buffer) => chunks.push(chunk));
    raw.on('end', () => {
      const request = {
        method: raw.method ?? '',
        url: raw.url ?? '',
        headers: raw.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      };
      requests.push(request);
      answer(request, response, raw);
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    target: `127.0.0.1:${port}`,
    requests,
    sockets,
    server,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Answers with JSON. */
export function json(
  response: ServerResponse,
  value: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
}

/** Waits until something holds, at most 5 s. */
export async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 5000;
  while (!holds()) {
    if (performance.now() > end) throw new Error('it did not come to hold within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
