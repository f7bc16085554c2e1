import { afterEach, describe, expect, it } from 'vitest';
import { createEgressGuard, isPublicAddress, targetOf } from '../../../src/server/tools/egress-guard.js';
import { failureOf, json, someCallers, someContext, someTool, startServer } from './a-tool-system.js';

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** Callers whose resolver knows every name, and gives it these addresses. */
function callersThatFind(addresses: () => string[]) {
  const guard = createEgressGuard({
    resolve: (_name, _options, callback) =>
      callback(
        null,
        addresses().map((address) => ({ address, family: 4 })),
      ),
  });
  const callers = someCallers({}, { guard });
  open.push(callers);
  return callers;
}

describe('addresses', () => {
  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.0.2.5',
    '192.88.99.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.9',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::ffff:7f00:1',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:0:7f00:1::',
    '2001:db8::1',
    '2002:7f00:1::',
    '3fff::1',
    '5f00::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    'localhost',
    '',
    '1.2.3',
    '8.8.8.8 ',
  ])('%s is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700:4700::1111', '2a00:1450::1'])(
    '%s is public',
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );

  it('are named as grants name them', () => {
    expect(targetOf(new URL('http://Example.COM/x'))).toBe('example.com:80');
    expect(targetOf(new URL('https://[::1]/'))).toBe('[::1]:443');
    expect(targetOf(new URL('http://0x7f.1:8080/'))).toBe('127.0.0.1:8080');
  });
});

describe('a tool without a grant', () => {
  it.each([
    'http://127.0.0.1:PORT/',
    'http://127.1:PORT/',
    'http://0x7f000001:PORT/',
    'http://2130706433:PORT/',
    'http://0177.0.0.1:PORT/',
    'http://127.0.0.1.:PORT/',
    'http://①②⑦.0.0.1:PORT/',
    'http://0:PORT/',
    'http://0.0.0.0:PORT/',
    'http://localhost:PORT/',
    'http://LOCALHOST.:PORT/',
    'http://x.localhost:PORT/',
    'http://[::1]:PORT/',
    'http://[::ffff:127.0.0.1]:PORT/',
    'http://[::ffff:7f00:1]:PORT/',
    'http://[::]:PORT/',
    'http://[64:ff9b::7f00:1]:PORT/',
    'http://[2002:7f00:1::]:PORT/',
    'http://169.254.169.254/latest/meta-data/',
    'http://10.0.0.1/',
    'http://192.168.0.1/',
    'https://127.0.0.1:PORT/',
  ])('does not reach %s', async (template) => {
    const server = await startServer((_request, response) => json(response, {}));
    const callers = someCallers();
    open.push(server, callers);
    const url = template.replace('PORT', server.target.split(':')[1] as string);
    const tool = someTool({ address: 'some.tool', kind: 'http', http: { url } });
    const error = await failureOf(callers.call(tool, {}, someContext()));
    expect(error).toMatchObject({ kind: 'blocked', retryable: false, outcomeKnown: true });
    expect(server.requests).toEqual([]);
    expect(server.sockets.size).toBe(0);
  });

  it('does not reach a name that leads inside, even when only one of its addresses does', async () => {
    const server = await startServer((_request, response) => json(response, {}));
    const callers = callersThatFind(() => ['8.8.8.8', '127.0.0.1']);
    open.push(server);
    const port = server.target.split(':')[1];
    const tool = someTool({
      address: 'some.tool',
      kind: 'http',
      http: { url: `http://rebind.example:${port}/` },
    });
    const error = await failureOf(callers.call(tool, {}, someContext()));
    expect(error).toMatchObject({ kind: 'blocked' });
    expect(error.message).toContain('127.0.0.1');
    expect(server.sockets.size).toBe(0);
  });

  it('says which grant would allow it', async () => {
    const guard = createEgressGuard();
    open.push(guard);
    const error = await failureOf(guard.agentFor(new URL('http://127.0.0.1:4101/mcp'), ['127.0.0.1:4102']));
    expect(error.message).toContain('grants: ["127.0.0.1:4101"]');
  });

  it('does not reach other schemes or URLs with a password', async () => {
    const guard = createEgressGuard();
    open.push(guard);
    for (const url of ['file:///etc/passwd', 'ftp://example.com/', 'http://user:pass@example.com/']) {
      expect(await failureOf(guard.agentFor(new URL(url), []))).toMatchObject({ kind: 'blocked' });
    }
  });
});

describe('a grant', () => {
  it('opens exactly its host and port, and no connection for tools without it', async () => {
    const server = await startServer((_request, response) => json(response, { inside: true }));
    const other = await startServer((_request, response) => json(response, {}));
    const callers = someCallers();
    open.push(server, other, callers);
    const tool = (url: string, grants: string[]) =>
      someTool({ address: 'some.tool', kind: 'http', grants, http: { url } });
    expect((await callers.call(tool(server.url, [server.target]), {}, someContext())).output).toEqual({
      inside: true,
    });
    expect(await failureOf(callers.call(tool(other.url, [server.target]), {}, someContext()))).toMatchObject({
      kind: 'blocked',
    });
    expect(await failureOf(callers.call(tool(server.url, []), {}, someContext()))).toMatchObject({
      kind: 'blocked',
    });
    expect(server.requests).toHaveLength(1);
  });

  it('for a name lets it lead to a private address, and never to a metadata service', async () => {
    const server = await startServer((_request, response) => json(response, { inside: true }));
    const callers = callersThatFind(() => ['127.0.0.1']);
    open.push(server);
    const port = server.target.split(':')[1];
    const tool = someTool({
      address: 'some.tool',
      kind: 'http',
      grants: [`nas.home:${port}`],
      http: { url: `http://nas.home:${port}/` },
    });
    expect((await callers.call(tool, {}, someContext())).output).toEqual({ inside: true });
    const cold = callersThatFind(() => ['169.254.169.254']);
    expect(await failureOf(cold.call(tool, {}, someContext()))).toMatchObject({ kind: 'blocked' });
  });
});
