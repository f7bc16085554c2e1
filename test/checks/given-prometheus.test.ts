import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { setUpObserved } from '../../src/checks/observability/context.js';
import { attachPrometheus } from '../../src/checks/observability/prometheus.js';
import { normalExpression } from '../../src/checks/observability/promql.js';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A server that answers everything so. */
async function serve(
  status: number,
  body: string,
  onRequest: (url: string, key?: string) => void = () => {},
) {
  const server = createServer((request, response) => {
    onRequest(request.url ?? '', request.headers.authorization);
    response.writeHead(status).end(body);
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const setUp = (prometheus: string, target: { url: string; token: string } | null) =>
  setUpObserved(
    {
      prometheus,
      target,
      packageRoot: fileURLToPath(new URL('../..', import.meta.url)),
      version: '0',
      only: [],
      skip: [],
      failFast: false,
      timeoutMs: null,
      strict: false,
      allowDisruptive: false,
      signal: new AbortController().signal,
      env: {},
    },
    () => {},
  );

it('refuses an address that is none, and a Prometheus without a system that it scrapes', async () => {
  await expect(setUp('selff', null)).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringMatching(/self or an address/),
  });
  await expect(setUp('http://127.0.0.1:9090', null)).rejects.toMatchObject({
    exitCode: 2,
    hints: [expect.stringContaining('--target'), expect.any(String)],
  });
});

it('says before anything else that no Prometheus answers', async () => {
  const target = { url: 'http://127.0.0.1:1', token: 'x' };
  const other = `http://${await serve(404, 'nothing here')}`;
  await expect(setUp(other, target)).rejects.toMatchObject({
    exitCode: 3,
    message: expect.stringMatching(/No Prometheus answers at .*status 404/),
  });
});

it('asks below the path of the address, signed in as it says', async () => {
  const asked: unknown[] = [];
  const host = await serve(200, '{"status":"success","data":[1]}', (...request) => asked.push(request));
  const prometheus = attachPrometheus(`http://me:p%40ss@${host}/prom/`);
  expect(await prometheus.ask('alerts', new AbortController().signal)).toEqual([1]);
  expect(asked).toEqual([['/prom/api/v1/alerts', `Basic ${Buffer.from('me:p@ss').toString('base64')}`]]);
});

it.each([
  ['a < 1073741824', 'a<1.073741824e+09', true],
  ['sum without (b) (rate(a[5m]))', 'sum without(b) (\n rate(a[5m])\n)', true],
  ['a{x="1 2"} > 1', 'a{x="12"} > 1', false],
  ['a > 0.5', 'a >= 0.5', false],
])('compares %s and %s as Prometheus would', (one, other, same) => {
  expect(normalExpression(one) === normalExpression(other)).toBe(same);
});
