import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EXIT, notFound, PaoError } from '../../domain/errors.js';
import { newId } from '../../domain/ids.js';
import { checkBrowserWall } from '../api/browser-wall.js';
import { problemOf } from '../api/problem.js';
import { SignIn, type SignInServices } from '../api/sign-in.js';
import { requireScope } from '../api/task-service.js';
import type { Metrics } from './metrics.js';

export interface ServiceEndpoint {
  url: string;
  close(): Promise<void>;
}

const JSON_TYPE = 'application/json; charset=utf-8';

/**
 * `/metrics`, `/health/live` and `/health/ready` of a scheduler or worker that runs on its own: behind the same wall and for
 * the same tokens (`metrics:read`) as those of the API.
 * @param notReady why it can not do its work now; null when it can.
 * @throws PaoError PAO_PORT_UNUSABLE (exit 3)
 */
export async function startServiceEndpoint(
  address: { host: string; port: number },
  services: SignInServices & { metrics: Metrics; notReady: () => Promise<string | null> },
): Promise<ServiceEndpoint> {
  const gate = new SignIn(services);
  const routes: Record<
    string,
    (request: IncomingMessage) => Promise<[status: number, type: string, body: string]>
  > = {
    '/health/live': async () => [200, JSON_TYPE, JSON.stringify({ status: 'alive' })],
    async '/health/ready'() {
      const reason = await services.notReady();
      const body = reason === null ? { status: 'ready' } : { status: 'not_ready', reason };
      return [reason === null ? 200 : 503, JSON_TYPE, JSON.stringify(body)];
    },
    async '/metrics'({ headers, socket }) {
      requireScope(await gate.caller(headers.authorization, socket.remoteAddress ?? ''), 'metrics:read');
      const { contentType, body } = await services.metrics.render();
      return [200, contentType, body];
    },
  };
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 }, (request, response) => {
    void answer(request, response).catch(() => response.destroy());
  });
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (status: number, type: string, body: string) =>
      response
        .writeHead(status, {
          'content-type': type,
          'cache-control': 'no-store',
          'x-content-type-options': 'nosniff',
          ...(status === 401 ? { 'www-authenticate': 'Bearer realm="pao"' } : {}),
          ...(status === 429 || status === 503 ? { 'retry-after': '1' } : {}),
        })
        .end(request.method === 'HEAD' ? undefined : body);
    try {
      checkBrowserWall(request, services.config.allowed_hosts);
      if (request.method !== 'GET' && request.method !== 'HEAD')
        throw new PaoError('PAO_METHOD', `${request.method} is not possible here.`, { status: 405 });
      const path = (request.url ?? '').split('?')[0] ?? '';
      const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
      if (route === undefined) throw notFound('path', path, [`There is ${Object.keys(routes).join(', ')}`]);
      send(...(await route(request)));
    } catch (error) {
      const problem = problemOf(error, newId('req', services.clock.now()), 0);
      if (problem.code === 'PAO_INTERNAL') services.logger.error({ err: error }, 'request failed');
      send(problem.status, 'application/problem+json', JSON.stringify(problem));
    }
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new PaoError(
          'PAO_PORT_UNUSABLE',
          `${address.host}:${address.port} can not be listened on (${error.code ?? error.message}).`,
          { exitCode: EXIT.unavailable, hints: ['Choose another one: --metrics-port or PAO_METRICS_PORT'] },
        ),
      ),
    );
    server.listen(address.port, address.host, resolve);
  });
  // A probe alone keeps no process alive.
  server.unref();
  const { port } = server.address() as AddressInfo;
  const shown = ['0.0.0.0', '::'].includes(address.host) ? '127.0.0.1' : address.host;
  return {
    url: `http://${shown.includes(':') ? `[${shown}]` : shown}:${port}`,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
      await gate.close();
    },
  };
}
