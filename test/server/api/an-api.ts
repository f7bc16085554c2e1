import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../../src/domain/clock.js';
import { silentObserver } from '../../../src/domain/observability/observer.js';
import { Redactor } from '../../../src/domain/redact.js';
import { bootstrapAdmin } from '../../../src/server/api/bootstrap-admin.js';
import { createApi } from '../../../src/server/api/create-api.js';
import type { LoadLimit } from '../../../src/server/api/load-limit.js';
import { openBudgets } from '../../../src/server/budget/open-budgets.js';
import { MemoryBus } from '../../../src/server/bus/memory-bus.js';
import { configSchema } from '../../../src/server/config.js';
import { createEventPublisher } from '../../../src/server/event-publisher.js';
import { channelTools } from '../../../src/server/tools/channels/channel-tools.js';
import { openStore } from '../../../src/server/store/open.js';
import type { Store } from '../../../src/server/store/store.js';
import type { ServiceInit } from '../../../src/server/supervisor/service-messages.js';
import { createHealth } from '../../../src/server/telemetry/health.js';
import { type Logger, silentLogger } from '../../../src/server/telemetry/logger.js';
import { createMetrics } from '../../../src/server/telemetry/metrics.js';
import { checkAnswer } from '../../answers.js';
import { builtinTools } from '../../../src/server/tools/builtin-tools.js';

export interface Answer {
  status: number;
  headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look inside
  body: any;
}

export interface SendOptions {
  /** The admin's when left out, none for null. */
  token?: string | null;
  body?: unknown;
  /** A body as it is. */
  raw?: string;
  headers?: Record<string, string>;
}

/** The real API over a real SQLite file, on a free port; no scheduler, no worker. */
export interface TestApi {
  store: Store;
  url: string;
  admin: string;
  routes: Awaited<ReturnType<typeof createApi>>['routes'];
  send(method: string, path: string, options?: SendOptions): Promise<Answer>;
  /** Sends headers that fetch would not let through. @returns the status. */
  raw(headers: string[]): Promise<number>;
  anAgent(name: string, scopes: string[]): Promise<{ id: string; token: string }>;
  close(): Promise<void>;
}

/** Starts it. */
export async function startTestApi(
  options: { clock?: Clock; logger?: Logger; config?: Record<string, unknown>; load?: LoadLimit } = {},
): Promise<TestApi> {
  const folder = mkdtempSync(join(tmpdir(), 'pao-api-'));
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? silentLogger;
  const store = await openStore({ url: `sqlite:${join(folder, 'api.db')}`, durability: 'normal' });
  await store.migrate(clock.now());
  const admin = (await bootstrapAdmin({ store, clock, hasCredentials: false })) as string;
  const bus = new MemoryBus();
  const config = configSchema.parse({ port: 0, ...options.config });
  const shared = { store, bus, clock, logger, config, version: '0.0.0' };
  const { load } = options;
  const api = await createApi({
    ...shared,
    ...(load === undefined ? {} : { load }),
    health: createHealth({
      ...shared,
      home: folder,
      startedAt: clock.now(),
      fallbacks: [],
      ...(load === undefined ? {} : { load: () => load.report() }),
    }),
    metrics: await createMetrics({ ...shared, workersDesired: 0 }),
    redactor: new Redactor(),
    budgets: openBudgets({
      ...shared,
      observer: silentObserver,
      init: { config, home: folder } as ServiceInit,
    }),
    builtinTools: [...builtinTools, ...channelTools(config.channels)],
    publishEvent: createEventPublisher(shared),
    callTool: async (_tool, input) => ({ output: input, durationMs: 0 }),
    importCatalog: async () => ({ tools: [], problems: [] }),
  });
  const { url } = await api.listen({ host: '127.0.0.1', port: 0 });

  async function send(method: string, path: string, given: SendOptions = {}): Promise<Answer> {
    const token = given.token === undefined ? admin : given.token;
    const body = given.raw ?? (given.body === undefined ? undefined : JSON.stringify(given.body));
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...given.headers,
      },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    const answer = {
      status: response.status,
      headers: response.headers,
      body: text === '' ? null : JSON.parse(text),
    };
    checkAnswer({ method, path, contentType: response.headers.get('content-type'), ...answer });
    return answer;
  }

  return {
    store,
    url,
    admin,
    routes: api.routes,
    send,
    raw: (headers) =>
      new Promise((resolve, reject) => {
        const { hostname, port } = new URL(url);
        const sent = request(
          { hostname, port, path: '/health/live', setHost: false, headers },
          (response) => {
            response.resume();
            resolve(response.statusCode ?? 0);
          },
        );
        sent.on('error', reject);
        sent.end();
      }),
    async anAgent(name, scopes) {
      const { body } = await send('POST', '/v1/agents', { body: { name, scopes } });
      return { id: body.id, token: body.token.secret };
    },
    async close() {
      await api.close();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A task that does nothing but answer. */
export const echo = (name: string) => ({
  name,
  pipeline: [{ id: 'one', uses: 'debug.echo', with: { a: 1 } }],
});
