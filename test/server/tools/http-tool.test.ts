import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/domain/clock.js';
import type { ToolInput } from '../../../src/domain/tool.js';
import { ToolError } from '../../../src/domain/tool-error.js';
import {
  failureOf,
  json,
  someCallers,
  someContext,
  someTool,
  startServer,
  type TestServer,
  until,
} from './a-tool-system.js';

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function serve(answer: Parameters<typeof startServer>[0]): Promise<TestServer> {
  const server = await startServer(answer);
  open.push(server);
  return server;
}

function callersWith(...given: Parameters<typeof someCallers>) {
  const callers = someCallers(...given);
  open.push(callers);
  return callers;
}

function httpTool(
  server: TestServer,
  http: Omit<ToolInput['http'] & object, 'url'> & { path?: string },
  more: Partial<ToolInput> = {},
) {
  const { path = '/', ...rest } = http;
  return someTool({
    address: 'some.tool',
    kind: 'http',
    grants: [server.target],
    http: { url: server.url + path, ...rest },
    ...more,
  });
}

describe('a request of an HTTP tool', () => {
  it('fills in path, query, headers and body, encoding what comes from the input', async () => {
    const server = await serve((_request, response) => json(response, { ok: true }));
    const callers = callersWith({ KEY: 's3cret/key' });
    const tool = httpTool(server, {
      method: 'POST',
      path: '/v1/${input.place}/items?fixed=1',
      query: {
        q: '${input.q}',
        tag: '${input.tags}',
        missing: '${input.nothing?}',
        none: null,
        n: '${input.n}',
      },
      headers: { 'X-Key': 'k=${secrets.KEY}', 'X-Optional': '${input.nothing?}' },
      body: {
        all: '${input.n}',
        text: 'n is ${input.n}',
        list: ['${input.tags}', '${input.nothing?}'],
        gone: '${input.nothing?}',
      },
    });
    const input = { place: 'a/b ?#é', q: 'x&y=z', tags: ['one', 'two'], n: 7 };
    const context = someContext({
      idempotencyKey: 'briefing/2026-11-24',
      traceparent: '00-aa-bb-01',
      tracestate: 'a=1',
    });
    const result = await callers.call(tool, input, context);
    expect(result).toMatchObject({ output: { ok: true }, status: 200 });
    const [request] = server.requests;
    expect(request?.url).toBe('/v1/a%2Fb%20%3F%23%C3%A9/items?fixed=1&q=x%26y%3Dz&tag=one&tag=two&n=7');
    expect(JSON.parse(request?.body ?? '')).toEqual({ all: 7, text: 'n is 7', list: [['one', 'two']] });
    expect(request?.headers).toMatchObject({
      'x-key': 'k=s3cret/key',
      'content-type': 'application/json',
      'idempotency-key': 'briefing/2026-11-24',
      traceparent: '00-aa-bb-01',
      tracestate: 'a=1',
      'user-agent': 'pao/1.2.3',
    });
    expect(request?.headers).not.toHaveProperty('x-optional');
  });

  it('sends a token in the path as Telegram wants it, and hides it in errors', async () => {
    const server = await serve((_request, response) =>
      json(response, { ok: false, description: 'bot123456:TOKEN-x is unknown' }, 404),
    );
    const tool = httpTool(server, {
      method: 'POST',
      path: '/bot${secrets.BOT}/sendMessage',
      body: '${input}',
    });
    const error = await failureOf(
      callersWith({ BOT: '123456:TOKEN-x' }).call(tool, { text: 'hi' }, someContext()),
    );
    expect(server.requests[0]).toMatchObject({
      url: '/bot123456:TOKEN-x/sendMessage',
      body: '{"text":"hi"}',
    });
    expect(error.message).toContain('bot*** is unknown');
    expect(`${error.message} ${error.stack} ${JSON.stringify(error.details)}`).not.toContain('TOKEN-x');
  });

  it('writes forms and plain text', async () => {
    const server = await serve((_request, response) => response.end());
    const callers = callersWith();
    const form = httpTool(server, {
      method: 'POST',
      body_type: 'form',
      body: { a: '${input.a}', b: ['x', 'y'] },
    });
    expect((await callers.call(form, { a: '1 & 2' }, someContext())).output).toBeNull();
    const text = httpTool(server, { method: 'PUT', body_type: 'text', body: 'Hello ${input.a}' });
    await callers.call(text, { a: 'ä' }, someContext());
    expect(server.requests.map((one) => [one.headers['content-type'], one.body])).toEqual([
      ['application/x-www-form-urlencoded', 'a=1+%26+2&b=x&b=y'],
      ['text/plain; charset=utf-8', 'Hello ä'],
    ]);
  });

  it('sends the hash of an idempotency key that a header cannot carry, and none with GET', async () => {
    const server = await serve((_request, response) => json(response, {}));
    const callers = callersWith();
    await callers.call(
      httpTool(server, { method: 'POST' }),
      {},
      someContext({ idempotencyKey: 'schlüssel\n' }),
    );
    await callers.call(httpTool(server, { method: 'GET' }), {}, someContext({ idempotencyKey: 'k' }));
    expect(server.requests[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f]{64}$/);
    expect(server.requests[1]?.headers).not.toHaveProperty('idempotency-key');
  });

  it.each([
    ['a line break in a header', { a: 'x\r\nEvil: 1', b: 'x' }],
    ['a parent directory in the path', { a: 'x', b: '..' }],
    ['half a surrogate pair in the path', { a: 'x', b: '\ud800' }],
    ['a missing value', { a: 'x' }],
  ])('refuses %s and sends nothing', async (_what, input) => {
    const server = await serve((_request, response) => json(response, {}));
    const tool = httpTool(server, { path: '/d/${input.b}/x', headers: { 'X-A': '${input.a}' } });
    const error = await failureOf(callersWith().call(tool, input, someContext()));
    expect(error).toMatchObject({ kind: 'invalid_input', retryable: false, outcomeKnown: true });
    expect(server.requests).toEqual([]);
  });

  it('never treats what an input or an answer says as a template', async () => {
    const server = await serve((request, response) =>
      json(response, { back: request.body, tricky: '${secrets.KEY}' }),
    );
    const tool = httpTool(server, { method: 'POST', body: { text: '${input.text}' } });
    const result = await callersWith({ KEY: 'hidden' }).call(tool, { text: '${secrets.KEY}' }, someContext());
    expect(result.output).toEqual({ back: '{"text":"${secrets.KEY}"}', tricky: '${secrets.KEY}' });
  });
});

describe('input and output schemas', () => {
  it('are checked before the call and after it', async () => {
    const server = await serve((_request, response) =>
      json(response, { current: { temperature_2m: 'cold' } }),
    );
    const tool = httpTool(
      server,
      { query: { latitude: '${input.latitude}' } },
      {
        input_schema: {
          type: 'object',
          required: ['latitude'],
          properties: { latitude: { type: 'number' } },
        },
        output_schema: {
          type: 'object',
          properties: { current: { type: 'object', properties: { temperature_2m: { type: 'number' } } } },
        },
      },
    );
    const callers = callersWith();
    const input = await failureOf(callers.call(tool, { latitude: 'north' }, someContext()));
    expect(input).toMatchObject({ kind: 'invalid_input', pointer: '/latitude' });
    expect(server.requests).toHaveLength(0);
    const output = await failureOf(callers.call(tool, { latitude: 47 }, someContext()));
    expect(output).toMatchObject({
      kind: 'invalid_output',
      pointer: '/current/temperature_2m',
      retryable: false,
    });
  });
});

describe('an answer', () => {
  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
  ])('may be compressed with %s', async (encoding, compress) => {
    const server = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': encoding });
      response.end(compress(Buffer.from('{"a":[1]}')));
    });
    expect((await callersWith().call(httpTool(server, {}), {}, someContext())).output).toEqual({ a: [1] });
  });

  it('is shaped by the mapping', async () => {
    const server = await serve((_request, response) =>
      json(response, { ok: true, result: { message_id: 101, date: 1 } }, 200, { 'x-request-id': 'req-9' }),
    );
    const tool = httpTool(server, {
      response: { map: '{id: body.result.message_id, status: status, kind: headers."content-type"}' },
    });
    const result = await callersWith().call(tool, {}, someContext());
    expect(result).toMatchObject({
      output: { id: 101, status: 200, kind: 'application/json' },
      requestId: 'req-9',
    });
  });

  it('that is text is given as text, and as JSON when the tool says that it is', async () => {
    const server = await serve((_request, response) =>
      response.setHeader('content-type', 'text/html').end('{"a":1}'),
    );
    const callers = callersWith();
    expect((await callers.call(httpTool(server, {}), {}, someContext())).output).toEqual({ text: '{"a":1}' });
    const asJson = httpTool(server, { response: { type: 'json' } });
    expect((await callers.call(asJson, {}, someContext())).output).toEqual({ a: 1 });
  });

  it('loses prototype keys and is refused when it is not JSON or too deep', async () => {
    const bodies = ['{"__proto__":{"x":1},"a":1}', '{"a":', `${'['.repeat(70)}${']'.repeat(70)}`];
    const server = await serve((_request, response) =>
      response.setHeader('content-type', 'application/json').end(bodies.shift()),
    );
    const callers = callersWith();
    const tool = httpTool(server, {});
    expect(Object.keys((await callers.call(tool, {}, someContext())).output as object)).toEqual(['a']);
    expect(await failureOf(callers.call(tool, {}, someContext()))).toMatchObject({
      kind: 'invalid_output',
      retryable: false,
    });
    expect((await failureOf(callers.call(tool, {}, someContext()))).message).toContain('64 deep');
  });

  it('is cut off at 5 MiB, compressed or not', async () => {
    const big = Buffer.alloc(6 * 1024 * 1024, 0x20);
    const server = await serve((request, response) => {
      if (request.url === '/plain') return response.end(big);
      response.writeHead(200, { 'content-encoding': 'gzip' });
      return response.end(gzipSync(big));
    });
    const callers = callersWith();
    for (const path of ['/plain', '/bomb']) {
      const error = await failureOf(callers.call(httpTool(server, { path }), {}, someContext()));
      expect(error).toMatchObject({ kind: 'too_large', retryable: false });
    }
  });

  it('that redirects is not followed unless the tool allows it, and loses its headers on another origin', async () => {
    const elsewhere = await serve((request, response) =>
      json(response, { key: request.headers['x-key'] ?? null, method: request.method }),
    );
    const server = await serve((request, response) => {
      if (request.url === '/end')
        return json(response, { key: request.headers['x-key'], method: request.method });
      const target =
        request.url === '/away'
          ? `${elsewhere.url}/`
          : request.url === '/inside'
            ? 'http://169.254.169.254/'
            : '/end';
      response.writeHead(request.url === '/post' ? 307 : 302, { location: target }).end();
    });
    const callers = callersWith({ KEY: 'abcdefgh' });
    const tool = (path: string, max_redirects: number, method: 'GET' | 'POST' = 'GET') =>
      httpTool(
        server,
        { path, max_redirects, method, headers: { 'X-Key': '${secrets.KEY}' } },
        { grants: [server.target, elsewhere.target] },
      );
    const refused = await failureOf(callers.call(tool('/same', 0), {}, someContext()));
    expect(refused).toMatchObject({ kind: 'tool_error', retryable: false, details: { status: 302 } });
    expect((await callers.call(tool('/same', 1), {}, someContext())).output).toEqual({
      key: 'abcdefgh',
      method: 'GET',
    });
    expect((await callers.call(tool('/post', 1, 'POST'), {}, someContext())).output).toMatchObject({
      method: 'POST',
    });
    expect((await callers.call(tool('/away', 1), {}, someContext())).output).toEqual({
      key: null,
      method: 'GET',
    });
    expect(await failureOf(callers.call(tool('/inside', 5), {}, someContext()))).toMatchObject({
      kind: 'blocked',
    });
  });
});

describe('a status', () => {
  it.each([
    [401, 'auth', false],
    [403, 'auth', false],
    [404, 'tool_error', false],
    [408, 'tool_error', true],
    [429, 'rate_limited', true],
    [500, 'tool_error', true],
    [503, 'overloaded', true],
  ])('of %i is %s', async (status, kind, retryable) => {
    const server = await serve((_request, response) =>
      json(response, { error: { message: 'no\n\u0007luck' } }, status),
    );
    const error = await failureOf(callersWith().call(httpTool(server, {}), {}, someContext()));
    expect(error).toMatchObject({ kind, retryable, outcomeKnown: true, details: { status } });
    expect(error.message).toBe(`some.tool answered ${status}: no luck`);
  });

  it('can be declared a success or worth a retry', async () => {
    const server = await serve((request, response) => json(response, {}, Number(request.url.slice(1))));
    const callers = callersWith();
    const tool = (path: string) => httpTool(server, { path, response: { ok: [404], retry_on: [422] } });
    expect((await callers.call(tool('/404'), {}, someContext())).status).toBe(404);
    expect(await failureOf(callers.call(tool('/422'), {}, someContext()))).toMatchObject({ retryable: true });
    expect(await failureOf(callers.call(tool('/200'), {}, someContext()))).toMatchObject({
      details: { status: 200 },
    });
  });

  it('of a gateway that gave up leaves the outcome open', async () => {
    const server = await serve((_request, response) => json(response, {}, 504));
    expect(await failureOf(callersWith().call(httpTool(server, {}), {}, someContext()))).toMatchObject({
      outcomeKnown: false,
    });
  });

  it('carries the wait that was asked for: seconds, a date, or in the body as Telegram does', async () => {
    const clock = new VirtualClock('2026-11-24T06:30:00Z');
    const answers: [Record<string, string>, unknown][] = [
      [{ 'retry-after': '2' }, {}],
      [{ 'retry-after': 'Tue, 24 Nov 2026 06:31:30 GMT' }, {}],
      [{ 'retry-after': '86400' }, {}],
      [{}, { ok: false, parameters: { retry_after: 1 } }],
      [{ 'retry-after': 'soon' }, {}],
    ];
    const server = await serve((_request, response) => {
      const [headers, body] = answers.shift() ?? [{}, {}];
      json(response, body, 429, headers);
    });
    const callers = callersWith({}, { clock });
    const waits: (number | undefined)[] = [];
    for (let index = 0; index < 5; index++) {
      waits.push((await failureOf(callers.call(httpTool(server, {}), {}, someContext()))).retryAfterMs);
    }
    expect(waits).toEqual([2000, 90_000, 86_400_000, 1000, undefined]);
  });
});

describe('time and loss', () => {
  it('ends a silent call as timeout, closes its socket, and says that the outcome is open', async () => {
    const server = await serve(() => undefined);
    const error = await failureOf(
      callersWith().call(httpTool(server, {}), {}, someContext({ timeoutMs: 50 })),
    );
    expect(error).toMatchObject({ kind: 'timeout', retryable: true, outcomeKnown: false });
    await until(() => server.sockets.size === 0);
  });

  it('counts the total time, also while an answer drips in', async () => {
    const server = await serve((_request, response) => {
      const timer = setInterval(() => response.write('x'), 10);
      response.on('close', () => clearInterval(timer));
    });
    const tool = httpTool(server, {}, { timeout: '80ms' });
    expect(await failureOf(callersWith().call(tool, {}, someContext()))).toMatchObject({ kind: 'timeout' });
  });

  it('ends as canceled when the caller aborts, or with the error the caller gave', async () => {
    const server = await serve(() => undefined);
    const callers = callersWith();
    const canceled = new AbortController();
    const first = failureOf(callers.call(httpTool(server, {}), {}, someContext({ signal: canceled.signal })));
    await until(() => server.requests.length === 1);
    canceled.abort();
    expect(await first).toMatchObject({ kind: 'canceled', retryable: false, outcomeKnown: false });
    const late = new AbortController();
    const second = failureOf(callers.call(httpTool(server, {}), {}, someContext({ signal: late.signal })));
    await until(() => server.requests.length === 2);
    late.abort(new ToolError('timeout', 'The run is out of time.'));
    expect(await second).toMatchObject({ kind: 'timeout', message: 'The run is out of time.' });
    expect(
      await failureOf(callers.call(httpTool(server, {}), {}, someContext({ signal: canceled.signal }))),
    ).toMatchObject({
      kind: 'canceled',
      outcomeKnown: true,
    });
    expect(server.requests).toHaveLength(2);
  });

  it('leaves the outcome open when the socket drops after the request, and not when nobody listens', async () => {
    const server = await serve((_request, _response, raw) => raw.socket.destroy());
    const tool = httpTool(server, { method: 'POST', body: '${input}' });
    const callers = callersWith();
    expect(await failureOf(callers.call(tool, { text: 'hi' }, someContext()))).toMatchObject({
      kind: 'transport',
      retryable: true,
      outcomeKnown: false,
    });
    expect(server.requests).toHaveLength(1);
    await server.close();
    open.splice(open.indexOf(server), 1);
    expect(await failureOf(callers.call(tool, { text: 'hi' }, someContext()))).toMatchObject({
      kind: 'transport',
      retryable: true,
      outcomeKnown: true,
    });
  });

  it('keeps connections for the next call', async () => {
    const server = await serve((_request, response) => json(response, {}));
    const callers = callersWith();
    for (let index = 0; index < 10; index++) await callers.call(httpTool(server, {}), {}, someContext());
    // Two: an answer is read before its connection counts as free again.
    expect(server.sockets.size).toBeLessThanOrEqual(2);
  });
});

describe('text that is too long', () => {
  const long = `${'word '.repeat(1000)}end`;

  it('is cut at the limit of the tool', async () => {
    const server = await serve((_request, response) => json(response, {}));
    const tool = httpTool(
      server,
      { method: 'POST', body: '${input}' },
      { max_text: { field: '/text', limit: 4096 } },
    );
    await callersWith().call(tool, { text: long, chat_id: 1 }, someContext());
    const sent = JSON.parse(server.requests[0]?.body ?? '') as { text: string; chat_id: number };
    expect(sent.text).toHaveLength(4096);
    expect(sent.text.endsWith('…')).toBe(true);
    expect(sent.chat_id).toBe(1);
  });

  it('or is sent in parts, each with its own idempotency key; a part that fails is not retried', async () => {
    let allowed = 10;
    const server = await serve((_request, response) => json(response, {}, allowed-- > 0 ? 200 : 429));
    const tool = httpTool(
      server,
      { method: 'POST', body: '${input}' },
      { max_text: { field: '/text', limit: 4096, mode: 'split' } },
    );
    const callers = callersWith();
    await callers.call(tool, { text: long }, someContext({ idempotencyKey: 'k' }));
    const texts = server.requests.map((one) => (JSON.parse(one.body) as { text: string }).text);
    expect(texts.map((one) => one.length <= 4096)).toEqual([true, true]);
    expect(texts.join(' ')).toBe(long);
    expect(server.requests.map((one) => one.headers['idempotency-key'])).toEqual(['k', 'k#2']);
    allowed = 1;
    expect(await failureOf(callers.call(tool, { text: long }, someContext()))).toMatchObject({
      kind: 'rate_limited',
      retryable: false,
      details: { parts: 2, parts_delivered: 1 },
    });
  });
});
