import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/domain/clock.js';
import { createToken } from '../../../src/server/api/tokens.js';
import { RefusalLedger } from '../../../src/server/api/refusal-ledger.js';
import { silentLogger } from '../../../src/server/telemetry/logger.js';
import { echo, startTestApi, type TestApi } from './an-api.js';

let api: TestApi;
const lines: Record<string, unknown>[] = [];

beforeAll(async () => {
  api = await startTestApi({
    config: {
      allowed_hosts: ['Pao.example.org', 'localhost:9000'],
      public_url: 'https://me.example.net/pao',
    },
    logger: { ...silentLogger, debug: (fields) => lines.push(fields as Record<string, unknown>) },
  });
});

afterAll(() => api.close());

describe('the browser wall', () => {
  it.each<[string, (host: string, port: string) => string[], number]>([
    ['our own host', (host) => ['Host', host], 200],
    ['our own name in capitals', (_, port) => ['Host', `LOCALHOST:${port}`], 200],
    ['a foreign host', () => ['Host', 'evil.example'], 421],
    ['a foreign host with our port', (_, port) => ['Host', `evil.example:${port}`], 421],
    ['our name with another port', () => ['Host', '127.0.0.1:1'], 421],
    ['our name without a port', () => ['Host', 'localhost'], 421],
    ['an allowed name behind a proxy', () => ['Host', 'pao.example.org'], 200],
    ['the name of public_url', () => ['Host', 'me.example.net', 'Origin', 'https://me.example.net'], 200],
    ['an allowed name and port', () => ['Host', 'localhost:9000'], 200],
    ['two hosts', (host) => ['Host', host, 'Host', host], 400],
    ['a foreign origin', (host) => ['Host', host, 'Origin', 'https://evil.example'], 403],
    ['our name on another port as origin', (host) => ['Host', host, 'Origin', 'http://127.0.0.1:1'], 403],
    ['our own origin', (host) => ['Host', host, 'Origin', `http://${host}`], 200],
    ['a cross-site request', (host) => ['Host', host, 'Sec-Fetch-Site', 'cross-site'], 403],
  ])('%s', async (_name, headers, status) => {
    const { host, port } = new URL(api.url);
    expect(await api.raw(headers(host, port))).toBe(status);
  });
});

describe('failed sign-ins', () => {
  const failed = async () =>
    (await api.store.listAudit({ limit: 100 })).items.filter(({ action }) => action === 'auth.failed');

  it('are audited: who of them is known, from where, why; a guesser fills no log', async () => {
    const { id, token } = await api.anAgent('revoked', ['tasks:read']);
    const [stored] = await api.store.listTokens(id);
    await api.send('DELETE', `/v1/agents/${id}/tokens/${stored!.id}`);
    for (let guess = 0; guess < 40; guess++) await api.send('GET', '/v1/tasks', { token: createToken('a') });
    await api.send('GET', '/v1/tasks', { token });
    expect(await failed()).toMatchObject([
      {
        actor: 'unknown',
        target: stored!.id,
        details: { reason: 'revoked', address: '127.0.0.1', count: 1 },
      },
      { target: null, details: { reason: 'unknown', count: 1 } },
    ]);
  });

  it('that were only counted are written in one row; kinds beyond twenty are one', async () => {
    const ledger = new RefusalLedger({
      store: api.store,
      clock: new VirtualClock('2026-11-24T06:00:00Z'),
      logger: silentLogger,
    });
    const before = (await failed()).length;
    for (let round = 0; round < 3; round++) {
      for (let host = 0; host < 50; host++)
        await ledger.note({ reason: 'unknown', address: `10.0.0.${host}`, target: null });
    }
    expect((await failed()).length - before).toBe(21);
    await ledger.flush();
    const rows = (await failed()).slice(0, -before);
    expect(rows).toHaveLength(42);
    expect(rows.reduce((sum, { details }) => sum + Number(details['count']), 0)).toBe(150);
  });
});

describe('the access log', () => {
  it('names the route, the request, the caller and what it was about', async () => {
    const task = await api.send('POST', '/v1/tasks', { body: echo('logged') });
    const run = await api.send('POST', `/v1/tasks/${task.body.id}/run`, { body: {} });
    const { id: agentId } = (await api.send('GET', '/v1/agents/me')).body;
    const line = lines.find(({ route }) => route === '/v1/tasks/:id/run');
    expect(line).toEqual({
      request_id: run.headers.get('x-request-id'),
      trace_id: (run.body as { trace_id: string }).trace_id,
      method: 'POST',
      route: '/v1/tasks/:id/run',
      status: 202,
      duration_ms: expect.any(Number),
      agent_id: agentId,
      task_id: task.body.id,
      run_id: run.body.id,
    });
    await api.send('GET', '/v1/tasks?search=private', { token: null });
    expect(lines.at(-1)).toMatchObject({ route: '/v1/tasks', status: 401 });
    expect(JSON.stringify(lines)).not.toContain('private');
  });
});

describe('an event', () => {
  it('of more than 256 KiB is refused in words; a task of that size is not', async () => {
    const payload = 'x'.repeat(256 * 1024);
    const event = await api.send('POST', '/v1/events', { body: { topic: 'big.one', payload } });
    expect(event).toMatchObject({ status: 413, body: { code: 'PAO_BODY_TOO_LARGE' } });
    expect(event.body.detail).toContain('256 KiB');
    const smaller = { topic: 'big.one', payload: payload.slice(100) };
    expect((await api.send('POST', '/v1/events', { body: smaller })).status).toBe(201);
    const task = await api.send('POST', '/v1/tasks', { body: { ...echo('big'), params: { payload } } });
    expect(task.status).toBe(201);
  });
});
