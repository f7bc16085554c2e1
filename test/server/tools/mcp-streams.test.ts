import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { failureOf, someCallers, someContext, someTool, until } from './a-tool-system.js';

const closing: (() => Promise<unknown> | undefined)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

type Serve = (response: ServerResponse, request: IncomingMessage, id: unknown) => void;

/** A server of 2025-11-25, by hand: what it does with a call, and with a stream that is asked for. */
async function server({ onCall, onGet }: { onCall: Serve; onGet: Serve }) {
  const seen: string[] = [];
  let called: unknown = null;
  const http = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      if (request.method === 'GET') {
        seen.push(`GET ${request.headers['last-event-id'] ?? '-'}`);
        return onGet(response, request, called);
      }
      const { id, method } = JSON.parse(body) as { id?: unknown; method: string };
      seen.push(`POST ${method}`);
      if (method === 'tools/call') {
        called = id;
        return onCall(response, request, id);
      }
      if (id === undefined) return void response.writeHead(202).end();
      const answer =
        method === 'initialize'
          ? {
              result: {
                protocolVersion: '2025-11-25',
                serverInfo: { name: 'old', version: '1' },
                capabilities: { tools: {} },
              },
            }
          : { error: { code: -32601, message: 'no' } };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  });
  const host = `127.0.0.1:${(http.address() as AddressInfo).port}`;
  const tool = someTool({
    address: 'old.pay',
    kind: 'mcp',
    grants: [host],
    mcp: { server: { name: 'old', transport: 'http', url: `http://${host}/mcp` }, tool: 'pay' },
  });
  const callers = someCallers();
  closing.push(() => callers.close());
  return { seen, call: () => callers.call(tool, {}, someContext({ timeoutMs: 60_000 })) };
}

const stream = (response: ServerResponse, text: string) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(text);
  return response;
};
const primed = (response: ServerResponse) => stream(response, 'id: e1\nretry: 10\ndata: \n\n');
const calls = (seen: string[]) => seen.filter((one) => one === 'POST tools/call');

describe('the stream of a call that ends early', () => {
  it('is gone on with where the server can, is no second call, and is closed after the answer', async () => {
    let isOpen = true;
    const { seen, call } = await server({
      onCall: (response) => primed(response).end(),
      onGet(response, _request, id) {
        response.on('close', () => (isOpen = false));
        const result = { content: [{ type: 'text', text: 'paid' }] };
        stream(response, `id: e2\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, result })}\n\n`);
      },
    });
    expect((await call()).output).toEqual({ text: 'paid' });
    expect(calls(seen)).toHaveLength(1);
    // No stream for what the server may say unasked: the only one is that of the call.
    expect(seen.filter((one) => one.startsWith('GET'))).toEqual(['GET e1']);
    await until(() => !isOpen);
  });

  it.each<[string, Serve, Serve]>([
    [
      'when its events had no ids',
      (response) => stream(response, ': hello\n\n').end(),
      (response) => response.writeHead(405).end(),
    ],
    [
      'when it breaks off and the server does not go on with it',
      (response) => primed(response).write('', () => response.destroy()),
      (response) => response.writeHead(404).end(),
    ],
    [
      'when the server knows no going on',
      (response) => primed(response).end(),
      (r) => r.writeHead(405).end(),
    ],
  ])('is an unknown outcome, at once and without a second call, %s', async (_when, onCall, onGet) => {
    const { seen, call } = await server({ onCall, onGet });
    expect(await failureOf(call())).toMatchObject({ kind: 'transport', outcomeKnown: false });
    expect(calls(seen)).toHaveLength(1);
  });
});
