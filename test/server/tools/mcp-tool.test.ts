import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer as LegacyServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ServerImport, ToolInput } from '../../../src/domain/tool.js';
import { failureOf, someCallers, someContext, someTool, until } from './a-tool-system.js';

const FIXTURE = fileURLToPath(new URL('fixtures/stdio-server.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'pao-mcp-'));
const open: (() => Promise<unknown> | undefined)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

function callersWith(...given: Parameters<typeof someCallers>) {
  const callers = someCallers(...given);
  open.push(() => callers.close());
  return callers;
}

function stdio(
  tool: string,
  more: { env?: Record<string, string>; era?: 'auto' | 'legacy' | 'modern' } = {},
) {
  const notes = join(folder, `${randomUUID()}.ndjson`);
  writeFileSync(notes, '');
  return {
    notes: () =>
      readFileSync(notes, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    named: (name: string) =>
      someTool({
        address: `test.${name}`,
        kind: 'mcp',
        input_schema: { type: 'object' },
        mcp: {
          server: {
            name: 'test',
            transport: 'stdio',
            command: process.execPath,
            args: [FIXTURE],
            env: { NOTES: notes, ...more.env },
          },
          tool: name,
          ...(more.era === undefined ? {} : { era: more.era }),
        },
      }),
    get tool() {
      return this.named(tool);
    },
  };
}

const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('a tool on a stdio server', () => {
  it('gives structured content, and carries the idempotency key and the trace along', async () => {
    const server = stdio('add');
    const context = someContext({ idempotencyKey: 'k-1', traceparent: '00-aa-bb-01', tracestate: 'a=1' });
    expect((await callersWith().call(server.tool, { a: 1, b: 2 }, context)).output).toEqual({ sum: 3 });
    const meta = server.notes().find((line) => 'meta' in line)?.['meta'];
    expect(meta).toMatchObject({
      'pao/idempotency-key': 'k-1',
      traceparent: '00-aa-bb-01',
      tracestate: 'a=1',
    });
  });

  it('gives text that is JSON as JSON, other text as {text}, and other content beside it', async () => {
    const server = stdio('say');
    const callers = callersWith();
    expect((await callers.call(server.named('put.value'), { value: 'x' }, someContext())).output).toEqual({
      put: 'x',
    });
    expect((await callers.call(server.named('say'), { text: 'hello' }, someContext())).output).toEqual({
      text: 'hello',
    });
    expect((await callers.call(server.named('say'), { text: '[not json' }, someContext())).output).toEqual({
      text: '[not json',
    });
    expect((await callers.call(server.named('picture'), {}, someContext())).output).toEqual({
      text: 'a picture',
      content: [{ type: 'image', data: 'aGk=', mimeType: 'image/png' }],
    });
  });

  it('shares one process between all its calls, and ends it on close', async () => {
    const server = stdio('say');
    const callers = someCallers();
    await Promise.all(['a', 'b', 'c'].map((text) => callers.call(server.tool, { text }, someContext())));
    const started = server.notes().filter((line) => 'started' in line);
    expect(started).toHaveLength(1);
    const pid = started[0]?.['started'] as number;
    expect(alive(pid)).toBe(true);
    await callers.close();
    await until(() => !alive(pid));
    expect(await failureOf(callers.call(server.tool, { text: 'a' }, someContext()))).toMatchObject({
      kind: 'transport',
    });
  });

  it('sees only the environment it was given', async () => {
    process.env['PAO_SECRET_NOT_FOR_YOU'] = 'x';
    open.push(async () => delete process.env['PAO_SECRET_NOT_FOR_YOU'] && undefined);
    const server = stdio('environment', { env: { API_KEY: '${secrets.MAIL}' } });
    const { output } = await callersWith({ MAIL: 'mail-secret' }).call(server.tool, {}, someContext());
    expect(output).toMatchObject({ API_KEY: 'mail-secret', PATH: process.env['PATH'] });
    expect(Object.keys(output as object).filter((name) => /PAO_|VITEST|NODE_OPTIONS/.test(name))).toEqual([]);
  });

  it.each(['auto', 'modern'] as const)('can be spoken to in the newer revision (%s)', async (era) => {
    const server = stdio('add', { era });
    expect((await callersWith().call(server.tool, { a: 2, b: 2 }, someContext())).output).toEqual({ sum: 4 });
  });
});

describe('what goes wrong on a stdio server', () => {
  it('is never success: a tool that says no, throws, or gets the wrong input', async () => {
    const server = stdio('refuse');
    const callers = callersWith();
    expect(await failureOf(callers.call(server.named('refuse'), {}, someContext()))).toMatchObject({
      kind: 'tool_error',
      message: 'test.refuse failed: The mailbox is locked.',
      outcomeKnown: true,
    });
    expect(await failureOf(callers.call(server.named('fail'), {}, someContext()))).toMatchObject({
      kind: 'tool_error',
    });
    expect(await failureOf(callers.call(server.named('add'), { a: 'x' }, someContext()))).toMatchObject({
      kind: 'tool_error',
    });
  });

  it('is a mistake in the catalog when the tool or the program is not there', async () => {
    const server = stdio('no_such_tool');
    const callers = callersWith();
    expect(await failureOf(callers.call(server.tool, {}, someContext()))).toMatchObject({
      kind: 'config_error',
      retryable: false,
    });
    const missing = someTool({
      address: 'x.y',
      kind: 'mcp',
      mcp: { server: { name: 'x', transport: 'stdio', command: '/no/such/program' }, tool: 'y' },
    });
    expect(await failureOf(callers.call(missing, {}, someContext()))).toMatchObject({
      kind: 'config_error',
      outcomeKnown: true,
    });
  });

  it('is told as timeout or canceled, whoever ended it, and the server is told to stop', async () => {
    const server = stdio('hang');
    const callers = callersWith();
    await callers.call(server.named('say'), { text: 'started' }, someContext());
    const count = (key: string) => server.notes().filter((line) => key in line).length;
    expect(await failureOf(callers.call(server.tool, {}, someContext({ timeoutMs: 100 })))).toMatchObject({
      kind: 'timeout',
      outcomeKnown: false,
    });
    await until(() => count('aborted') === 1);
    const controller = new AbortController();
    const second = failureOf(callers.call(server.tool, {}, someContext({ signal: controller.signal })));
    await until(() => count('hanging') === 2);
    controller.abort();
    expect(await second).toMatchObject({ kind: 'canceled' });
    await until(() => count('aborted') === 2);
  });

  it('is a loss of transport when the server dies in the middle; the next call starts it again', async () => {
    const server = stdio('die');
    const callers = callersWith();
    const error = await failureOf(callers.call(server.tool, {}, someContext()));
    expect(error).toMatchObject({ kind: 'transport', retryable: true, outcomeKnown: false });
    expect(error.message).toContain('out of memory, goodbye');
    expect((await callers.call(server.named('say'), { text: 'back' }, someContext())).output).toEqual({
      text: 'back',
    });
    expect(server.notes().filter((line) => 'started' in line)).toHaveLength(2);
  });

  it('is known to have had no effect when the server does not start, and says its last words without secrets', async () => {
    const server = stdio('say', { env: { BROKEN: '/var/${secrets.PLACE}' } });
    const callers = callersWith({ PLACE: 'secret-place' });
    for (let attempt = 0; attempt < 2; attempt++) {
      const error = await failureOf(callers.call(server.tool, { text: 'x' }, someContext()));
      expect(error).toMatchObject({ kind: 'transport', outcomeKnown: true });
      expect(error.message).toContain('cannot open /var/***');
    }
    expect(server.notes()).toHaveLength(2);
  });

  it('includes an answer that is too large', async () => {
    const error = await failureOf(callersWith().call(stdio('big').tool, {}, someContext()));
    expect(['transport', 'too_large']).toContain(error.kind);
  });
});

interface HttpMcp {
  url: string;
  target: string;
  requests: { method: string; headers: Record<string, unknown>; body: string }[];
  sessions: () => number;
  forget(): void;
  answerWith: { status: number; headers?: Record<string, string> } | null;
}

/** A server on the v1 SDK: sessions, the older revision, a bearer token. */
async function legacyHttp(token: string): Promise<HttpMcp> {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  return serveHttp(
    token,
    async (request, response, body) => {
      const id = request.headers['mcp-session-id'] as string | undefined;
      let transport = id === undefined ? undefined : sessions.get(id);
      if (!transport) {
        if (id !== undefined) {
          response.writeHead(404, { 'content-type': 'application/json' });
          response.end('{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}');
          return;
        }
        const created = new StreamableHTTPServerTransport({
          sessionIdGenerator: () => randomUUID(),
          onsessioninitialized: (session) => void sessions.set(session, created),
        });
        transport = created;
        const server = new LegacyServer({ name: 'legacy', version: '1.0.0' });
        server.registerTool('top_unread', { inputSchema: { count: z.number() } }, async ({ count }) => ({
          content: [{ type: 'text', text: JSON.stringify({ total_unread: count }) }],
        }));
        await server.connect(created as never);
      }
      await transport.handleRequest(request, response, body === '' ? undefined : JSON.parse(body));
    },
    sessions,
  );
}

async function modernHttp(token: string): Promise<HttpMcp> {
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: 'modern', version: '1.0.0' }, { capabilities: { tools: {} } });
    server.registerTool(
      'top_unread',
      { inputSchema: z.object({ count: z.number() }) },
      async ({ count }) => ({
        content: [{ type: 'text', text: '' }],
        structuredContent: { total_unread: count },
      }),
    );
    server.registerTool('big', { inputSchema: z.object({}) }, async () => ({
      content: [{ type: 'text', text: 'x'.repeat(6_000_000) }],
    }));
    return server;
  });
  open.push(() => handler.close());
  const serve = toNodeHandler(handler);
  return serveHttp(
    token,
    (request, response, body) =>
      serve(request as never, response, body === '' ? undefined : JSON.parse(body)) as Promise<void>,
  );
}

type Serve = (request: IncomingMessage, response: ServerResponse, body: string) => Promise<void>;

async function serveHttp(
  token: string,
  serve: Serve,
  sessions = new Map<string, unknown>(),
): Promise<HttpMcp> {
  const requests: HttpMcp['requests'] = [];
  const mcp: HttpMcp = {
    url: '',
    target: '',
    requests,
    answerWith: null,
    sessions: () => sessions.size,
    forget: () => sessions.clear(),
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      requests.push({ method: request.method ?? '', headers: request.headers, body });
      if (request.headers.authorization !== `Bearer ${token}`) {
        response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":"invalid_token"}');
      } else if (mcp.answerWith) {
        response.writeHead(mcp.answerWith.status, mcp.answerWith.headers).end();
      } else {
        void serve(request as never, response, body);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  mcp.target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  mcp.url = `http://${mcp.target}/mcp`;
  return mcp;
}

function httpTool(server: HttpMcp, tool: string, more: Partial<ToolInput> = {}) {
  return someTool({
    address: `mail.${tool}`,
    kind: 'mcp',
    grants: [server.target],
    mcp: {
      server: {
        name: 'mail',
        transport: 'http',
        url: server.url,
        headers: { authorization: 'Bearer ${secrets.MAIL}' },
      },
      tool,
    },
    ...more,
  });
}

describe('a tool on an HTTP server', () => {
  it.each([
    ['of the older revision', legacyHttp],
    ['of the newer revision', modernHttp],
  ])('%s is called with its token', async (_which, start) => {
    const server = await start('mail-secret');
    const callers = callersWith({ MAIL: 'mail-secret' });
    const tool = httpTool(server, 'top_unread');
    expect((await callers.call(tool, { count: 5 }, someContext())).output).toEqual({ total_unread: 5 });
    const before = server.requests.length;
    expect((await callers.call(tool, { count: 6 }, someContext())).output).toEqual({ total_unread: 6 });
    expect(server.requests.slice(before).filter((one) => one.method === 'POST')).toHaveLength(1);
  });

  it.each([
    ['of the older revision', legacyHttp],
    ['of the newer revision', modernHttp],
  ])('%s gets the token of each run where the catalog says so, and no other does', async (_which, start) => {
    const server = await start('mail-secret');
    const callers = callersWith({ MAIL: 'mail-secret' });
    const plain = httpTool(server, 'top_unread');
    const asking = { ...plain, mcp: { ...plain.mcp, run_token: true } } as typeof plain;
    const call = async (tool: typeof plain, runToken?: string) => {
      const context = someContext(runToken === undefined ? {} : { runToken: async () => runToken });
      await callers.call(tool, { count: 1 }, context);
      const { headers, body } = server.requests.findLast((one) => one.body.includes('tools/call')) ?? {};
      const { params } = JSON.parse(body ?? '') as { params: { _meta?: Record<string, unknown> } };
      return [headers?.['pao-run-token'], params._meta?.['pao/run-token']];
    };
    expect(await call(asking, 'pao_r_one')).toEqual(['pao_r_one', 'pao_r_one']);
    expect(await call(asking, 'pao_r_two')).toEqual(['pao_r_two', 'pao_r_two']);
    expect(await call(plain, 'pao_r_three')).toEqual([undefined, undefined]);
    expect(await call(asking)).toEqual([undefined, undefined]);
    expect(JSON.stringify(server.requests)).not.toContain('pao_r_three');
  });

  it('ends as auth when the token is wrong, with the token hidden', async () => {
    for (const start of [legacyHttp, modernHttp]) {
      const server = await start('right-token');
      const error = await failureOf(
        callersWith({ MAIL: 'wrong-token' }).call(
          httpTool(server, 'top_unread'),
          { count: 1 },
          someContext(),
        ),
      );
      expect(error).toMatchObject({ kind: 'auth', retryable: false, outcomeKnown: true });
      expect(`${error.message}${error.stack}`).not.toContain('wrong-token');
    }
  });

  it('opens a new session when the server forgot ours', async () => {
    const server = await legacyHttp('t0ken');
    const callers = callersWith({ MAIL: 't0ken' });
    const tool = httpTool(server, 'top_unread');
    await callers.call(tool, { count: 1 }, someContext());
    server.forget();
    expect((await callers.call(tool, { count: 2 }, someContext())).output).toEqual({ total_unread: 2 });
    expect(server.sessions()).toBe(1);
  });

  it('keeps the wait that a 429 asks for, and what kind of no it was', async () => {
    const server = await legacyHttp('t0ken');
    const callers = callersWith({ MAIL: 't0ken' });
    const tool = httpTool(server, 'top_unread');
    await callers.call(tool, { count: 1 }, someContext());
    server.answerWith = { status: 429, headers: { 'retry-after': '7' } };
    expect(await failureOf(callers.call(tool, { count: 1 }, someContext()))).toMatchObject({
      kind: 'rate_limited',
      retryAfterMs: 7000,
    });
    server.answerWith = { status: 503 };
    expect(await failureOf(callers.call(tool, { count: 1 }, someContext()))).toMatchObject({
      kind: 'overloaded',
    });
    server.answerWith = null;
    expect((await callers.call(tool, { count: 3 }, someContext())).output).toEqual({ total_unread: 3 });
  });

  it('is not reached without a grant', async () => {
    const server = await legacyHttp('t0ken');
    const tool = httpTool(server, 'top_unread', { grants: [] });
    expect(
      await failureOf(callersWith({ MAIL: 't0ken' }).call(tool, { count: 1 }, someContext())),
    ).toMatchObject({
      kind: 'blocked',
      outcomeKnown: true,
    });
    expect(server.requests).toEqual([]);
  });

  it('is known to have done nothing when nobody listens', async () => {
    const server = await modernHttp('t0ken');
    for (const close of open.splice(0)) await close();
    expect(
      await failureOf(
        callersWith({ MAIL: 't0ken' }).call(httpTool(server, 'top_unread'), { count: 1 }, someContext()),
      ),
    ).toMatchObject({
      kind: 'transport',
      retryable: true,
      outcomeKnown: true,
    });
  });

  it('is cut off at 5 MiB', async () => {
    const server = await modernHttp('t0ken');
    const error = await failureOf(
      callersWith({ MAIL: 't0ken' }).call(httpTool(server, 'big'), {}, someContext()),
    );
    expect(error.kind).toBe('too_large');
  });
});

describe('discovering', () => {
  it('lists all tools with their schemas', async () => {
    const server = stdio('say').named('say').mcp?.server as ServerImport;
    const tools = await callersWith().discover(server);
    expect(tools.map((tool) => tool.name).sort()).toEqual([
      'add',
      'big',
      'die',
      'environment',
      'fail',
      'hang',
      'picture',
      'put.value',
      'refuse',
      'say',
    ]);
    expect(tools.find((tool) => tool.name === 'add')).toMatchObject({
      title: 'Add',
      inputSchema: { required: ['a', 'b'] },
      outputSchema: { required: ['sum'] },
      annotations: { readOnlyHint: true },
    });
  });
});
