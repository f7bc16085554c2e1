import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operations } from '../../../src/server/api/create-api.js';
import { openapiDocument } from '../../../src/server/api/openapi.js';
import { type Answer, echo, startTestApi, type TestApi } from './an-api.js';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

/** Every item of a list, asked for page by page. */
async function paged(path: string, limit: number): Promise<{ pages: number[]; items: Answer['body'][] }> {
  const pages: number[] = [];
  const items: Answer['body'][] = [];
  for (let cursor: string | null = null; ; ) {
    const more: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { status, body } = await api.send('GET', `${path}?limit=${limit}${more}`);
    expect(status).toBe(200);
    pages.push(body.items.length);
    items.push(...body.items);
    cursor = body.next_cursor;
    if (cursor === null) return { pages, items };
  }
}

describe('an Idempotency-Key', () => {
  it('counts to its last character', async () => {
    const create = (name: string, key: string) =>
      api.send('POST', '/v1/tasks', { body: echo(name), headers: { 'idempotency-key': key } });
    const long = 'k'.repeat(254);
    const answers = [await create('key-a', `${long}a`), await create('key-b', `${long}b`)];
    expect(answers.map(({ status, body }) => [status, body.name])).toEqual([
      [201, 'key-a'],
      [201, 'key-b'],
    ]);
    expect((await create('key-a', `${long}a`)).body.id).toBe(answers[0]?.body.id);
  });

  it.each([256, 0])('of %i characters is refused, and nothing is done', async (length) => {
    const headers = { 'idempotency-key': 'k'.repeat(length) };
    const { status, body } = await api.send('POST', '/v1/tasks', { body: echo('key-refused'), headers });
    expect([status, body.errors[0].message]).toEqual([422, expect.stringMatching(`1 to 255.*not ${length}`)]);
    expect((await api.send('GET', '/v1/tasks/by-name/key-refused')).status).toBe(404);
  });
});

describe('a list', () => {
  it('of tools has as many on a page as were asked for, built-in ones too, each once and in order', async () => {
    for (const address of ['aaa.first', 'zzz.last'])
      await api.send('PUT', `/v1/tools/${address}`, {
        body: { kind: 'http', http: { url: 'https://example.com/' } },
      });
    const whole = await api.send('GET', '/v1/tools?limit=1000');
    const addresses: string[] = whole.body.items.map(({ address }: { address: string }) => address);
    expect(addresses).toEqual([...new Set(addresses)].sort());
    expect(addresses).toEqual(expect.arrayContaining(['aaa.first', 'debug.echo', 'zzz.last']));
    const { pages, items } = await paged('/v1/tools', 2);
    expect(items.map(({ address }) => address)).toEqual(addresses);
    expect(pages.slice(0, -1).every((length) => length === 2)).toBe(true);
    const some = await api.send('GET', '/v1/tools?prefix=debug.&limit=1000');
    expect(some.body.items.map(({ address }: { address: string }) => address)).toEqual(
      addresses.filter((address) => address.startsWith('debug.')),
    );
  });

  it('of the versions of a task comes page by page; a rollback finds those beyond a page', async () => {
    const { body: task } = await api.send('POST', '/v1/tasks', { body: { ...echo('often'), priority: 1 } });
    const change = (body: object) => api.send('PATCH', `/v1/tasks/${task.id}`, { body });
    for (const priority of [2, 3, 4]) await change({ priority });
    const { pages, items } = await paged(`/v1/tasks/${task.id}/versions`, 3);
    expect(pages).toEqual([3, 1]);
    expect(items.map(({ version, spec }) => [version, spec.priority])).toEqual([
      [4, 4],
      [3, 3],
      [2, 2],
      [1, 1],
    ]);
    const back = await api.send('POST', `/v1/tasks/${task.id}/rollback`, { body: { to: 1 } });
    expect(back.body).toMatchObject({ version: 5, priority: 1 });
    expect((await api.send('GET', `/v1/tasks/${task.id}/versions?limti=1`)).status).toBe(422);
  });
});

describe('the OpenAPI document', () => {
  /** Pages and another protocol. */
  const LEFT_OUT = /^(\/|\/dashboard\.(js|css|svg)|\/docs|\/openapi\.json|\/mcp)$/;

  it('has every route there is, and no other', () => {
    const { paths } = openapiDocument(operations, '0.0.0') as { paths: Record<string, object> };
    const documented = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const there = api.routes
      .filter(({ method, path }) => method !== 'HEAD' && !LEFT_OUT.test(path))
      .map(({ method, path }) => `${method} ${path.replace(/:([a-z_]+)/g, '{$1}')}`);
    expect(documented.sort()).toEqual(there.sort());
    expect(there).toContain('GET /v1/events/stream');
  });

  it('tells what the paths answer that are no operation', async () => {
    // send holds each answer to the document.
    for (const path of ['/health/live', '/health/ready'])
      expect((await api.send('GET', path, { token: null })).status).toBe(200);
    // Here no scheduler and no worker run, and it says so.
    expect((await api.send('GET', '/health', { token: null })).status).toBe(503);
    expect((await api.send('POST', '/hooks/none', { token: null, body: {} })).status).toBe(401);
    for (const [path, type] of [
      ['/metrics', 'text/plain'],
      ['/v1/calendar.ics', 'text/calendar'],
      ['/v1/events/stream', 'text/event-stream'],
    ] as const) {
      const gone = new AbortController();
      const response = await fetch(api.url + path, {
        headers: { authorization: `Bearer ${api.admin}` },
        signal: gone.signal,
      });
      expect(response.headers.get('content-type')?.split(';')[0]).toBe(type);
      gone.abort();
      expect((await api.send('GET', path, { token: null })).status).toBe(401);
    }
  });
});

/** For each operation that creates: a request that does. */
const CREATES: Record<string, (agentId: string) => [path: string, body: unknown]> = {
  task_create: () => ['/v1/tasks', echo('located')],
  task_apply: () => ['/v1/tasks/by-name/located-too', echo('located-too')],
  event_publish: () => ['/v1/events', { topic: 'a' }],
  hook_create: () => ['/v1/hooks', { name: 'located', topic: 'a' }],
  tool_create: () => [
    '/v1/tools',
    { address: 'my.one', kind: 'http', http: { url: 'https://example.com/' } },
  ],
  tool_put: () => ['/v1/tools/my.two', { kind: 'http', http: { url: 'https://example.com/' } }],
  agent_create: () => ['/v1/agents', { name: 'located', scopes: [] }],
  token_create: (agentId) => [`/v1/agents/${agentId}/tokens`, {}],
};

it('creating answers 201 with the place of what was made', async () => {
  const creating = operations.filter((one) => one.status === 201 || one.otherAnswers?.[201] !== undefined);
  const { id } = await api.anAgent('has-tokens', []);
  for (const { name, method } of creating) {
    const [path, body] = CREATES[name]?.(id) ?? [name, null];
    const made = await api.send(method, path, { body });
    expect([name, made.status]).toEqual([name, 201]);
    const location = made.headers.get('location');
    expect([name, location]).toEqual([name, expect.stringMatching(/^\/v1\//)]);
    const found = await api.send('GET', location as string);
    // A token is not looked at by itself, only revoked.
    expect([name, found.status]).toEqual([name, name === 'token_create' ? 405 : 200]);
  }
});
