import type { Server } from 'node:http';
import type { FastifyHttpOptions, FastifyReply, FastifyRequest } from 'fastify';
import { EXIT, notFound, PaoError } from '../../domain/errors.js';
import { newId } from '../../domain/ids.js';
import { parseJsonStrict } from '../../domain/json.js';
import { type TraceContext, traceOfRequest } from '../../domain/observability/trace.js';
import { accessLog } from './access-log.js';
import { authenticate } from './authenticate.js';
import { calendarOf } from './calendar.js';
import { checkBrowserWall, checkHookWall } from './browser-wall.js';
import { countRefusal } from './count-refusal.js';
import { streamEvents } from './event-stream.js';
import { createMcpEndpoint } from './mcp/endpoint.js';
import { serveDashboard } from './dashboard/serve-dashboard.js';
import { docsPage } from './docs-page.js';
import { OperationRunner } from './operation-runner.js';
import type { ApiServices, Caller, Operation } from './operation.js';
import { agentOperations } from './operations/agents.js';
import { approvalOperations } from './operations/approvals.js';
import { channelOperations } from './operations/channels.js';
import { deliveryOperations } from './operations/deliveries.js';
import { eventOperations } from './operations/events.js';
import { hookOperations } from './operations/hooks.js';
import { runOperations } from './operations/runs.js';
import { spendOperations } from './operations/spend.js';
import { systemOperations } from './operations/system.js';
import { taskOperations } from './operations/tasks.js';
import { runSettlingOperations } from './operations/run-settling.js';
import { secretOperations } from './operations/secrets.js';
import { toolOperations } from './operations/tools.js';
import { problemOf } from './problem.js';
import { HOOK_BODY_LIMIT, HookReceiver } from './receive-hook.js';
import { SignIn } from './sign-in.js';
import { requireScope } from './task-service.js';
import { instant } from './views.js';

/** Every operation there is. */
export const operations: readonly Operation[] = [
  ...taskOperations,
  ...runOperations,
  ...approvalOperations,
  ...deliveryOperations,
  ...channelOperations,
  ...agentOperations,
  ...eventOperations,
  ...runSettlingOperations,
  ...secretOperations,
  ...hookOperations,
  ...toolOperations,
  ...spendOperations,
  ...systemOperations,
];

export interface Api {
  /** Every route there is: the documents are held to them. */
  readonly routes: readonly { method: string; path: string }[];
  listen(address: { host: string; port: number }): Promise<{ url: string }>;
  close(): Promise<void>;
}

const BODY_LIMIT = 1024 * 1024;
const MAX_HEADERS = 100;

/** The HTTP API: wall, parser, tokens, rate limits, then the operation. */
export async function createApi(services: ApiServices): Promise<Api> {
  const { fastify } = await import('fastify');
  const closing = new AbortController();
  const { clock, config } = services;
  // The name that people were told to come by is one of ours.
  const hosts = [
    ...config.allowed_hosts,
    ...(config.public_url === undefined ? [] : [new URL(config.public_url).host]),
  ];
  const gate = new SignIn(services);
  const runner = new OperationRunner(services);
  const { observer } = services.metrics;
  let inFlight = 0;
  const app = fastify({
    // What is refused before there is a route, such as a URL that can not be decoded.
    frameworkErrors: (error, request, reply) => fail(error, request as FastifyRequest, reply as FastifyReply),
    requestTimeout: 30_000,
    connectionTimeout: 0,
    keepAliveTimeout: 72_000,
    bodyLimit: BODY_LIMIT,
    forceCloseConnections: true,
    genReqId: () => newId('req', clock.now()),
    routerOptions: { maxParamLength: 300 },
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 1000 },
  } as FastifyHttpOptions<Server>);

  const routes: { method: string; path: string }[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) routes.push({ method: each, path: url });
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(
        null,
        (body as Buffer).length === 0 ? undefined : parseJsonStrict(body as Buffer, { maxBytes: BODY_LIMIT }),
      );
    } catch (error) {
      done(error as Error);
    }
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-request-id': request.id,
      // Node's own is the machine's time.
      ...(services.advanceClock === undefined ? {} : { date: new Date(clock.now()).toUTCString() }),
    });
    observer.set('http_requests_in_flight', {}, ++inFlight);
    reply.raw.once('close', () => observer.set('http_requests_in_flight', {}, --inFlight));
    services.load?.admit(request.raw, reply.raw);
    if (request.raw.rawHeaders.length > 2 * MAX_HEADERS)
      throw new PaoError('PAO_HEADERS', 'The request has too many headers.', { status: 431 });
    if (request.method === 'POST' && request.url.startsWith('/hooks/')) checkHookWall(request.raw);
    else checkBrowserWall(request.raw, hosts);
  });
  const callers = new WeakMap<FastifyRequest, Caller>();
  const traces = new WeakMap<FastifyRequest, TraceContext>();
  app.addHook(
    'onResponse',
    accessLog(services, (request) => ({ caller: callers.get(request), trace: traces.get(request) })),
  );
  const fail = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const problem = problemOf(error, request.id, request.routeOptions?.bodyLimit ?? BODY_LIMIT);
    countRefusal(problem, request, services);
    if (problem.status >= 500 && problem.code === 'PAO_INTERNAL')
      services.logger.error({ err: error, request_id: request.id }, 'request failed');
    if (problem.status === 401) void reply.header('www-authenticate', 'Bearer realm="pao"');
    if ([429, 503, 507].includes(problem.status)) void reply.header('retry-after', '1');
    void reply
      .status(problem.status)
      .type('application/problem+json')
      .send(JSON.stringify(services.redactor.redact(problem)));
  };
  app.setErrorHandler(fail);
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const allowed = (['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const).filter(
      (method) => app.findRoute({ url: path, method }) !== null || matches(path, method),
    );
    if (allowed.length > 0) {
      void reply.header('allow', allowed.join(', '));
      return fail(
        new PaoError('PAO_METHOD', `${request.method} is not possible here.`, {
          status: 405,
          hints: [`Allowed: ${allowed.join(', ')}`],
        }),
        request,
        reply,
      );
    }
    return fail(notFound('path', path, ['GET /docs lists what there is']), request, reply);
  });

  const signIn = async (
    request: FastifyRequest,
    authorization = request.headers.authorization,
  ): Promise<Caller> => {
    const caller = await gate.caller(authorization, request.ip, oneHeader(request.headers['pao-run']));
    callers.set(request, caller);
    return caller;
  };

  for (const one of operations) {
    app.route({
      method: one.method,
      url: one.path,
      ...(one.maxBytes === undefined ? {} : { bodyLimit: one.maxBytes }),
      // Before the body is read: what a stranger sends is never parsed.
      onRequest: async (request) => {
        const caller = await signIn(request);
        if (one.scope !== null) requireScope(caller, one.scope);
      },
      handler: async (request, reply) => {
        const caller = callers.get(request) as Caller;
        const trace = traceOfRequest(request.headers['traceparent'], request.headers['tracestate']);
        traces.set(request, trace);
        const gone = new AbortController();
        // The request's own `close` comes when its body has been read; only the answer's tells that the client is gone.
        reply.raw.once('close', () => reply.raw.writableFinished || gone.abort());
        const result = await runner.run(one, {
          params: request.params as Record<string, string>,
          query: request.query,
          body: request.body,
          caller,
          ifMatch: unquoted(request.headers['if-match']),
          signal: AbortSignal.any([gone.signal, closing.signal]),
          target: `${request.routeOptions.url} ${request.url}`,
          idempotencyKey: request.headers['idempotency-key'],
          trace,
          requestId: request.id,
        });
        const status = result.status ?? one.status;
        if (result.location !== undefined) void reply.header('location', result.location);
        if (result.etag !== undefined) void reply.header('etag', `"${result.etag}"`);
        if (status === 204) return reply.status(204).send();
        return reply.status(status).type('application/json; charset=utf-8').send(JSON.stringify(result.body));
      },
    });
  }

  const html = (reply: FastifyReply, text: string) =>
    reply
      .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
      .type('text/html; charset=utf-8')
      .send(text);
  let document: Promise<string> | null = null;
  app.get('/openapi.json', async (_request, reply) => {
    document ??= import('./openapi.js').then(({ openapiDocument }) =>
      JSON.stringify(openapiDocument(operations, services.version)),
    );
    return reply.type('application/json').send(await document);
  });
  app.get('/docs', async (_request, reply) => html(reply, docsPage(operations, services.version)));
  serveDashboard(app);
  app.get('/health/live', async () => ({ status: 'alive' }));
  app.get('/health/ready', async (_request, reply) => {
    const ready = await services.health.ready();
    return reply.status(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not_ready' });
  });
  app.get('/health', async (_request, reply) => {
    const report = await services.health.report();
    return reply.status(report.status === 'unhealthy' ? 503 : 200).send(report);
  });
  app.get('/metrics', async (request, reply) => {
    requireScope(await signIn(request), 'metrics:read');
    const { contentType, body } = await services.metrics.render();
    return reply.type(contentType).send(body);
  });
  app.get('/v1/events/stream', async (request, reply) => {
    requireScope(await signIn(request), 'events:read');
    await streamEvents(request, reply, services, closing.signal, async () => {
      requireScope(await authenticate(request.headers.authorization, services), 'events:read');
    });
  });
  // Calendar programs send no header: the token may be in the URL, here alone. No log has a URL.
  app.get('/v1/calendar.ics', async (request, reply) => {
    const { token } = request.query as { token?: unknown };
    const caller = await signIn(request, typeof token === 'string' ? `Bearer ${token}` : undefined);
    requireScope(caller, 'tasks:read');
    return reply.type('text/calendar; charset=utf-8').send(await calendarOf(services, caller));
  });
  // No token here: the signature, over the body as it came, is what lets a delivery in.
  const hooks = new HookReceiver(services);
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    scope.post('/hooks/:id', { bodyLimit: HOOK_BODY_LIMIT }, async (request, reply) => {
      const trace = traceOfRequest(request.headers['traceparent']);
      traces.set(request, trace);
      return reply.status(202).send(await hooks.receive(request, trace));
    });
  });
  const mcp = createMcpEndpoint(operations, services, runner);
  app.route({
    method: ['GET', 'POST', 'DELETE'],
    url: '/mcp',
    onRequest: async (request) => {
      callers.set(request, await signIn(request));
    },
    handler: async (request, reply) => {
      reply.hijack();
      await mcp.serve(request.raw, reply.raw, request.body, callers.get(request) as Caller);
    },
  });
  const { advanceClock } = services;
  if (advanceClock !== undefined) {
    app.get('/v1/clock', async (request) => {
      await signIn(request);
      return { now: instant(clock.now()) };
    });
    app.post('/v1/clock/advance', async (request) => {
      requireScope(await signIn(request), 'admin');
      return { now: instant(advanceClock(Number((request.body as { ms?: number } | undefined)?.ms ?? 0))) };
    });
  }

  return {
    routes,
    async listen({ host, port }) {
      try {
        await app.listen({ host, port });
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? 'error';
        throw new PaoError('PAO_PORT_UNUSABLE', `${host}:${port} can not be listened on (${code}).`, {
          exitCode: EXIT.unavailable,
          hints: [`pao start local --port ${port + 1}`],
          cause: error,
        });
      }
      const address = app.server.address();
      const actual = typeof address === 'object' && address !== null ? address.port : port;
      const shown =
        host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
      return { url: `http://${shown}:${actual}` };
    },
    async close() {
      closing.abort();
      await mcp.close();
      await app.close();
      await gate.close();
      await hooks.close();
    },
  };
}

function matches(path: string, method: string): boolean {
  return operations.some(
    (one) => one.method === method && new RegExp(`^${one.path.replace(/:[a-z_]+/g, '[^/]+')}$`).test(path),
  );
}

const unquoted = (value: string | undefined): string | null =>
  value === undefined ? null : value.replace(/^W\//, '').replace(/^"|"$/g, '');

/** A header that is sent twice is none. */
const oneHeader = (value: string | string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.join(', ');
