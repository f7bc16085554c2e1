import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { PaoError } from '../domain/errors.js';
import { FaultQueue, type HttpFault } from './faults.js';

const MAX_BODY_BYTES = 1024 * 1024;
/** A demo runs for days: only the newest requests are kept for inspection. */
const MAX_KEPT_REQUESTS = 1000;
const LOOPBACK_HOSTS = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** One request a demo server received, kept for tests and for people who look at the demo. */
export interface ReceivedRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: string;
  /** The client closed the connection before it had an answer. */
  aborted: boolean;
}

/** How a demo server answers; an object is sent as JSON, text as it is. */
export interface DemoReply {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

/** A running demo server on 127.0.0.1. */
export interface LoopbackServer<Fault> {
  url: string;
  port: number;
  /** The newest requests, oldest first. */
  requests: ReceivedRequest[];
  faults: FaultQueue<Fault | HttpFault>;
  /** Stops listening and cuts open connections. Safe to call twice. */
  close(): Promise<void>;
}

export interface LoopbackOptions<Fault> {
  /** Shown at `GET /demo`, by which `pao init briefing --stop-demo` knows its own processes. */
  name: string;
  /** 0 takes a free port. */
  port: number;
  /** Answers one request; a fault of the server's own kind is handed over. `null`: the handler wrote the answer itself. */
  answer(
    request: ReceivedRequest,
    fault: Fault | null,
    raw: { request: IncomingMessage; response: ServerResponse },
  ): Promise<DemoReply | null> | DemoReply | null;
  /** Requests whose body the handler reads itself (the MCP SDK does). */
  readsBody?: (path: string) => boolean;
  /** Requests that are for people to look at: no fault applies and they are not recorded. */
  isInspection?: (method: string, path: string) => boolean;
}

const isHttpFault = (fault: { kind: string } | null): fault is HttpFault =>
  fault !== null && ['hang', 'drop', 'accept_then_drop', 'accept_then_hang', 'respond'].includes(fault.kind);

/**
 * Starts an HTTP server on 127.0.0.1 with what all demo servers share: requests kept for inspection, faults on demand,
 * and a refusal of foreign `Host` headers, so that a web page can not reach it by DNS rebinding.
 * @throws PaoError PAO_PORT_IN_USE when the port is taken.
 */
export async function startLoopbackServer<Fault extends { kind: string } = HttpFault>(
  options: LoopbackOptions<Fault>,
): Promise<LoopbackServer<Fault>> {
  const faults = new FaultQueue<Fault | HttpFault>();
  const requests: ReceivedRequest[] = [];
  const sockets = new Set<Socket>();

  const serve = async (raw: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!LOOPBACK_HOSTS.has((raw.headers.host ?? '').replace(/:\d+$/, ''))) {
      reply(response, {
        status: 403,
        body: { error: 'This demo server only answers to 127.0.0.1 and localhost.' },
      });
      return;
    }
    const url = new URL(raw.url ?? '/', 'http://127.0.0.1');
    const method = raw.method ?? 'GET';
    if (method === 'GET' && url.pathname === '/demo') {
      reply(response, { status: 200, body: { demo: options.name, pid: process.pid } });
      return;
    }
    const request: ReceivedRequest = {
      method,
      path: url.pathname,
      query: url.searchParams,
      headers: raw.headers,
      body: options.readsBody?.(url.pathname) ? '' : await readBody(raw),
      aborted: false,
    };
    if (options.isInspection?.(method, url.pathname)) {
      const answer = await options.answer(request, null, { request: raw, response });
      if (answer) reply(response, answer);
      return;
    }
    requests.push(request);
    if (requests.length > MAX_KEPT_REQUESTS) requests.shift();
    response.on('close', () => {
      request.aborted = !response.writableFinished;
    });

    const fault = faults.take();
    if (isHttpFault(fault)) {
      if (fault.kind === 'hang') return;
      if (fault.kind === 'drop') {
        raw.socket.destroy();
        return;
      }
      if (fault.kind === 'respond') {
        reply(response, { status: fault.status, body: fault.body ?? '', headers: fault.headers ?? {} });
        return;
      }
    }
    const answer = await options.answer(request, isHttpFault(fault) ? null : fault, {
      request: raw,
      response,
    });
    if (fault?.kind === 'accept_then_drop') raw.socket.destroy();
    else if (answer && fault?.kind !== 'accept_then_hang') reply(response, answer);
  };

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else {
        const status = error instanceof PaoError ? error.status : 500;
        reply(response, { status, body: { error: error instanceof Error ? error.message : String(error) } });
      }
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await listen(server, options.port, options.name);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    faults,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Reads a body of at most 1 MiB as text. */
async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) {
      throw new PaoError('PAO_BODY_TOO_LARGE', 'The body is larger than 1 MiB.', { status: 413 });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function reply(response: ServerResponse, { status, body, headers = {} }: DemoReply): void {
  const isText = typeof body === 'string';
  response.writeHead(status, {
    'content-type': isText ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8',
    ...headers,
  });
  response.end(isText ? body : JSON.stringify(body));
}

async function listen(server: Server, port: number, name: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new PaoError('PAO_PORT_IN_USE', `Port ${port} for the ${name} demo server is already in use.`, {
              exitCode: 3,
              hints: ['Give another port: --port 0 takes a free one'],
              cause: error,
            })
          : error,
      );
    });
    server.listen(port, '127.0.0.1', resolve);
  });
}
