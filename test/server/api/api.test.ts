import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DEFAULT_SCOPES } from '../../../src/domain/agent.js';
import { operations } from '../../../src/server/api/create-api.js';
import { otherPaths } from '../../../src/server/api/other-paths.js';
import { createToken } from '../../../src/server/api/tokens.js';
import { type Answer, echo, startTestApi, type TestApi } from './an-api.js';

let api: TestApi;
let send: TestApi['send'];

beforeAll(async () => {
  api = await startTestApi();
  send = api.send;
});

afterAll(() => api.close());

describe('tokens', () => {
  it('are wanted by every operation, and each names the scope it needs', async () => {
    const { token } = await api.anAgent('nobody', []);
    for (const one of operations) {
      const path = one.path.replace(/:[a-z_]+/g, 'x');
      const none = await send(one.method, path, { token: null });
      expect([one.name, none.status]).toEqual([one.name, 401]);
      expect(none.headers.get('www-authenticate')).toContain('Bearer');
      if (one.scope === null) continue;
      const without = await send(one.method, path, { token });
      expect([one.name, without.status]).toEqual([one.name, 403]);
      expect(without.body.detail).toContain(one.scope);
    }
  });

  it('that may not decide for a person neither settle a lost outcome nor make a call again', async () => {
    const mine = [...DEFAULT_SCOPES, 'tool:debug.*'];
    const { token } = await api.anAgent('undecided', mine);
    await send('POST', '/v1/tasks', { token, body: echo('settled') });
    const { id } = (await send('POST', '/v1/tasks/settled/run', { token })).body;
    await send('POST', `/v1/runs/${id}/cancel`, { token, body: {} });
    const call = (verb: string, body: object, by = token) =>
      send('POST', `/v1/runs/${id}/${verb}`, { token: by, body });
    const lacks = (scope: string) => ({
      status: 403,
      body: { detail: `The token lacks the scope ${scope}.` },
    });
    expect(await call('resolve', { outcome: 'done' })).toMatchObject(lacks('approvals:decide'));
    expect(await call('replay', { again: true })).toMatchObject(lacks('approvals:decide'));
    expect((await call('replay', { again: false })).status).toBe(202);
    const one = await api.anAgent('decides', ['approvals:decide', 'runs:read']);
    for (const [verb, body] of [
      ['resolve', { outcome: 'done' }],
      ['replay', { again: true }],
    ] as const)
      expect(await call(verb, body, one.token)).toMatchObject(lacks('runs:write'));
    // Who may is told that there is nothing to settle.
    expect((await send('POST', `/v1/runs/${id}/resolve`, { body: { outcome: 'done' } })).status).toBe(409);
    expect((await send('POST', `/v1/runs/${id}/replay`, { body: { again: true } })).status).toBe(202);
  });

  it('tell malformed, unknown, revoked and expired apart', async () => {
    const { id, token } = await api.anAgent('short', ['tasks:read']);
    const answer = async (wanted: string) => (await send('GET', '/v1/tasks', { token: wanted })).body.detail;
    expect(await answer('hello')).toMatch(/not a token/);
    expect(await answer(`${token.slice(0, -1)}${token.endsWith('a') ? 'b' : 'a'}`)).toMatch(/not a token/);
    expect(await answer(createToken('a'))).toMatch(/not known/);
    expect((await send('GET', '/v1/tasks', { token })).status).toBe(200);
    const [first] = await api.store.listTokens(id);
    await api.store.updateToken({ ...first!, expiresAt: Date.now() - 1 });
    expect(await answer(token)).toMatch(/expired/);
    await send('DELETE', `/v1/agents/${id}/tokens/${first!.id}`);
    expect(await answer(token)).toMatch(/revoked/);
  });

  it('are stored as a hash only, and shown once', async () => {
    const { id, token } = await api.anAgent('secretive', ['tasks:read']);
    const shown = await send('GET', `/v1/agents/${id}`);
    expect(JSON.stringify(shown.body)).not.toContain(token);
    expect(JSON.stringify(await api.store.listTokens(id))).not.toContain(token);
  });
});

describe('a task', () => {
  it('is created, found by name, patched, applied again unchanged, and canceled', async () => {
    const created = await send('POST', '/v1/tasks', { body: echo('life') });
    expect(created).toMatchObject({
      status: 201,
      body: { name: 'life', version: 1, state: 'active', outcome: 'created' },
    });
    expect(created.headers.get('location')).toBe(`/v1/tasks/${created.body.id}`);
    expect((await send('POST', '/v1/tasks', { body: echo('life') })).status).toBe(409);
    const same = await send('PUT', '/v1/tasks/by-name/life', { body: echo('life') });
    expect(same.body).toMatchObject({ outcome: 'unchanged', version: 1 });
    const stale = await send('PATCH', `/v1/tasks/${created.body.id}`, {
      body: { priority: 2 },
      headers: { 'if-match': '"7"' },
    });
    expect(stale.status).toBe(412);
    const patched = await send('PATCH', `/v1/tasks/${created.body.id}`, {
      body: { priority: 2 },
      headers: { 'if-match': '"1"' },
    });
    expect(patched.body).toMatchObject({ priority: 2, version: 2, pipeline: created.body.pipeline });
    expect((await send('DELETE', `/v1/tasks/${created.body.id}`)).status).toBe(204);
    expect((await send('GET', `/v1/tasks/${created.body.id}`)).body.state).toBe('canceled');
  });

  it('counts its waiting runs as canceled when it goes', async () => {
    const canceled = async () => {
      const headers = { authorization: `Bearer ${api.admin}` };
      const text = await (await fetch(`${api.url}/metrics`, { headers })).text();
      return Number(
        /^orchestrator_runs_total\{outcome="canceled",trigger="manual"\} (\d+)$/m.exec(text)?.[1],
      );
    };
    const { body } = await send('POST', '/v1/tasks', { body: echo('goes') });
    for (let index = 0; index < 2; index++) await send('POST', `/v1/tasks/${body.id}/run`, { body: {} });
    const before = await canceled();
    expect((await send('DELETE', `/v1/tasks/${body.id}`)).status).toBe(204);
    expect(await canceled()).toBe(before + 2);
  });

  it('is refused with every problem at once, each with a pointer', async () => {
    const { status, body } = await send('POST', '/v1/tasks', {
      body: {
        name: 'bad',
        schedule: { kind: 'cron', expr: '61 * * * *', timezone: 'UTC' },
        pipeline: [
          { id: 'one', uses: 'debug.ecko', with: { x: '${steps.two.y}' } },
          { id: 'two', uses: 'debug.echo', with: { x: '${params.gone}' } },
        ],
      },
    });
    expect(status).toBe(422);
    const pointers = body.errors.map((one: { pointer: string }) => one.pointer);
    expect(pointers).toContain('/schedule/expr');
    expect(pointers).toContain('/pipeline/0/uses');
    expect(pointers.some((pointer: string) => pointer.startsWith('/pipeline/0/with'))).toBe(true);
    expect(pointers.some((pointer: string) => pointer.startsWith('/pipeline/1/with'))).toBe(true);
    expect(body.request_id).toMatch(/^req_/);
  });

  it('refuses an unknown zone, a time that is past, and an unknown key with the nearest one', async () => {
    const check = async (change: object) =>
      (await send('POST', '/v1/tasks', { body: { ...echo('x'), ...change } })).body.errors[0];
    expect(
      await check({ schedule: { kind: 'cron', expr: '0 8 * * *', timezone: 'Mars/Base' } }),
    ).toMatchObject({ pointer: '/schedule/timezone' });
    expect(
      await check({ schedule: { kind: 'once', expr: '2020-01-01T00:00:00Z', timezone: 'UTC' } }),
    ).toMatchObject({ pointer: '/schedule/expr' });
    expect((await check({ prioritty: 3 })).hint).toContain('priority');
  });

  it('belongs to its agent: another one finds nothing', async () => {
    const scopes = ['tasks:read', 'tasks:write', 'runs:read', 'runs:write', 'tool:debug.*'];
    const [one, two] = [await api.anAgent('one', scopes), await api.anAgent('two', scopes)];
    const task = await send('POST', '/v1/tasks', { token: one.token, body: echo('mine') });
    expect(task.status).toBe(201);
    const run = await send('POST', `/v1/tasks/${task.body.id}/run`, { token: one.token });
    expect(run.status).toBe(202);
    expect((await send('GET', `/v1/tasks/${task.body.id}`, { token: two.token })).status).toBe(404);
    expect((await send('GET', `/v1/runs/${run.body.id}`, { token: two.token })).status).toBe(404);
    expect((await send('GET', '/v1/tasks', { token: two.token })).body.items).toEqual([]);
  });

  it('names the scope when only a scope is missing', async () => {
    const { token } = await api.anAgent('toolless', ['tasks:write']);
    const { status, body } = await send('POST', '/v1/tasks', { token, body: echo('no') });
    expect(status).toBe(403);
    expect(body.detail).toContain('tool:debug.echo');
  });

  it('stores the anchor of a rule without one', async () => {
    const body = {
      ...echo('anchored'),
      schedule: {
        kind: 'rrule',
        expr: 'FREQ=DAILY;INTERVAL=3;BYHOUR=8;BYMINUTE=0;BYSECOND=0',
        timezone: 'Europe/Berlin',
      },
    };
    const created = await send('POST', '/v1/tasks', { body });
    expect(created.body.schedule.dtstart).toMatch(/Z$/);
    const again = await send('PUT', '/v1/tasks/by-name/anchored', { body });
    expect(again.body).toMatchObject({
      outcome: 'unchanged',
      schedule: { dtstart: created.body.schedule.dtstart },
    });
  });
});

describe('requests', () => {
  it('that are not JSON, too deep, too large or of another type are refused in words', async () => {
    const post = (rawBody: string, headers?: Record<string, string>) =>
      send('POST', '/v1/tasks', { raw: rawBody, ...(headers === undefined ? {} : { headers }) });
    expect(await post('{"name": }')).toMatchObject({ status: 400 });
    expect((await post('{\n "a": tru }')).body.detail).toMatch(/line 2/);
    expect((await post('{"__proto__": {"a": 1}}')).status).toBe(400);
    expect((await post(`${'['.repeat(100)}${']'.repeat(100)}`)).status).toBeGreaterThanOrEqual(400);
    expect((await post(`"${'x'.repeat(1_100_000)}"`)).status).toBe(413);
    expect((await post('{}', { 'content-type': 'text/plain' })).status).toBe(415);
  });

  it('to unknown paths and with wrong methods say what there is', async () => {
    expect((await send('GET', '/v1/nothing')).status).toBe(404);
    const wrong = await send('PUT', '/v1/tasks');
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toContain('POST');
  });

  it('with an Idempotency-Key give the first answer again, and refuse another body', async () => {
    const headers = { 'idempotency-key': 'k1' };
    const first = await send('POST', '/v1/tasks', { body: echo('idem'), headers });
    const second = await send('POST', '/v1/tasks', { body: echo('idem'), headers });
    expect([first.status, second.status, second.body.id]).toEqual([201, 201, first.body.id]);
    expect((await send('POST', '/v1/tasks', { body: echo('other'), headers })).status).toBe(422);
  });

  it('page through a list that grows meanwhile without showing anything twice', async () => {
    for (let index = 0; index < 7; index++) await send('POST', '/v1/tasks', { body: echo(`page-${index}`) });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Answer = await send(
        'GET',
        `/v1/tasks?limit=3${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
      );
      seen.push(...page.body.items.map((task: { id: string }) => task.id));
      cursor = page.body.next_cursor;
      if (seen.length === 3) await send('POST', '/v1/tasks', { body: echo('page-late') });
    } while (cursor !== null);
    expect(new Set(seen).size).toBe(seen.length);
  });
});

describe('events', () => {
  it('are published once under a dedupe key and streamed from where a reader left off', async () => {
    const first = await send('POST', '/v1/events', {
      body: { topic: 'mail.received', payload: { n: 1 }, dedupe_key: 'd' },
    });
    const again = await send('POST', '/v1/events', {
      body: { topic: 'mail.received', payload: { n: 2 }, dedupe_key: 'd' },
    });
    expect([first.status, again.status, again.body.id]).toEqual([201, 200, first.body.id]);
    await send('POST', '/v1/events', { body: { topic: 'mail.sent' } });
    const abort = new AbortController();
    const response = await fetch(`${api.url}/v1/events/stream?topic=mail.*`, {
      headers: { authorization: `Bearer ${api.admin}`, 'last-event-id': '0' },
      signal: abort.signal,
    });
    let text = '';
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      if (text.includes('mail.sent')) break;
    }
    abort.abort();
    expect(text).toContain('event: mail.received');
    expect(first.headers.get('location')).toBe(`/v1/events/${first.body.id}`);
    expect((await send('GET', first.headers.get('location') as string)).body.id).toBe(first.body.id);
    expect(again.headers.get('location')).toBeNull();
  });

  it('are streamed for as long as the token is good', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const { id, token } = await api.anAgent('listener', ['events:read']);
      const response = await fetch(`${api.url}/v1/events/stream`, {
        headers: { authorization: `Bearer ${token}` },
      });
      const chunks = (response.body as unknown as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
      const next = async () => {
        const { value, done } = await chunks.next();
        return done === true ? null : Buffer.from(value).toString();
      };
      expect(await next()).toContain('welcome');
      vi.advanceTimersByTime(15_000);
      expect(await next()).toContain('still here');
      await send('PATCH', `/v1/agents/${id}`, { body: { scopes: ['tasks:read'] } });
      vi.advanceTimersByTime(15_000);
      expect(await next()).toBeNull();
      expect((await send('GET', '/v1/events/stream', { token })).status).toBe(403);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('agents', () => {
  it('are changed only as they were seen, when a version is named', async () => {
    const made = await send('POST', '/v1/agents', { body: { name: 'versioned' } });
    const path = made.headers.get('location') as string;
    const seen = made.headers.get('etag') as string;
    expect((await send('GET', path)).headers.get('etag')).toBe(seen);
    const change = (title: string, version: string) =>
      send('PATCH', path, { body: { title }, headers: { 'if-match': version } });
    const first = await change('One', seen);
    expect([first.status, first.headers.get('etag') === seen]).toEqual([200, false]);
    const late = await change('Two', seen);
    expect([late.status, late.body.detail]).toEqual([412, 'The agent versioned was changed since then.']);
    expect((await send('GET', path)).body.title).toBe('One');
    // Without one, of several at once none is lost unsaid.
    const titles = ['a', 'b', 'c'];
    const all = await Promise.all(titles.map((title) => send('PATCH', path, { body: { title } })));
    const kept = (await send('GET', path)).headers.get('etag');
    expect(all.filter(({ headers }) => headers.get('etag') === kept)).toHaveLength(1);
    for (const { status } of all) expect([200, 409]).toContain(status);
  });
});

describe('what must not happen', () => {
  it('a token secret is never kept for a repeated request', async () => {
    const options = { body: { name: 'kept', scopes: [] }, headers: { 'idempotency-key': 'agent-1' } };
    const first = await send('POST', '/v1/agents', options);
    expect(first.status).toBe(201);
    const again = await send('POST', '/v1/agents', options);
    expect(again.status).toBe(409);
    expect(JSON.stringify(again.body)).not.toContain(first.body.token.secret);
  });

  it('a run asked for twice with the same key in the body is one run', async () => {
    const task = await send('POST', '/v1/tasks', { body: echo('keyed') });
    const ask = () => send('POST', `/v1/tasks/${task.body.id}/run`, { body: { idempotency_key: 'k' } });
    const [first, second] = [await ask(), await ask()];
    expect(second.body.id).toBe(first.body.id);
  });

  it('a built-in tool is not replaced, and a tool does not take secrets its author may not use', async () => {
    const http = { url: 'https://example.com/' };
    const shadow = await send('POST', '/v1/tools', { body: { address: 'debug.echo', kind: 'http', http } });
    expect(shadow.status).toBe(409);
    const { token } = await api.anAgent('thief', ['tools:write']);
    const body = {
      address: 'my.thief',
      kind: 'http',
      http: { ...http, headers: { 'x-key': '${secrets.BANK}' } },
    };
    const refused = await send('POST', '/v1/tools', { token, body });
    expect(refused.status).toBe(403);
    expect(refused.body.detail).toContain('secrets:use:BANK');
  });

  it('a paused once whose time has passed is not lost: it stays due when resumed', async () => {
    const at = new Date(Math.ceil(Date.now() / 1000) * 1000 + 1000).toISOString();
    const task = await send('POST', '/v1/tasks', {
      body: { ...echo('later'), schedule: { kind: 'once', expr: at, timezone: 'UTC' } },
    });
    const path = `/v1/tasks/${task.body.id}`;
    await send('POST', `${path}/pause`, { body: { reason: 'holiday' } });
    while (Date.now() <= Date.parse(at)) await new Promise((resolve) => setTimeout(resolve, 50));
    const resumed = await send('POST', `${path}/resume`, { body: {} });
    expect(resumed.body).toMatchObject({ state: 'active', next_due_at: at, snoozed_until: null });
  });

  it('a stranger learns nothing from a body that is not JSON', async () => {
    expect((await send('POST', '/v1/tasks', { token: null, raw: '{"broken' })).status).toBe(401);
  });

  it('the observation of a condition is checked as a step: its tool, its input, the right to call it', async () => {
    const task = (uses: string, input: object) => ({
      ...echo('watch'),
      schedule: { kind: 'condition', every: '1m', when: 'result.a', check: { uses, with: input } },
    });
    const unknown = await send('POST', '/v1/tasks', { body: task('debug.eco', {}) });
    expect(unknown.body.errors).toMatchObject([{ pointer: '/schedule/check/uses' }]);
    const wrong = await send('POST', '/v1/tasks', {
      body: task('data.transform', { expression: 5, data: {} }),
    });
    expect(wrong.body.errors[0].pointer).toMatch(/^\/schedule\/check\/with/);
    const { token } = await api.anAgent('watcher', ['tasks:write', 'tool:debug.echo']);
    const refused = await send('POST', '/v1/tasks', { token, body: task('time.now', {}) });
    expect(refused.status).toBe(403);
    expect((await send('POST', '/v1/tasks', { body: task('time.now', {}) })).status).toBe(201);
  });

  it('a patch does not turn a task into one that can never run', async () => {
    const task = await send('POST', '/v1/tasks', { body: echo('patched-past') });
    const schedule = { kind: 'once', expr: '2020-01-01T00:00:00Z', timezone: 'UTC' };
    expect((await send('PATCH', `/v1/tasks/${task.body.id}`, { body: { schedule } })).status).toBe(422);
  });
});

describe('operations', () => {
  it('are all in the OpenAPI 3.1 document, beside the paths that are none', async () => {
    const { body } = await send('GET', '/openapi.json', { token: null });
    expect(body.openapi).toBe('3.1.0');
    const ids = Object.values(body.paths as Record<string, Record<string, { operationId: string }>>).flatMap(
      (path) => Object.values(path).map((one) => one.operationId),
    );
    expect(ids.sort()).toEqual([...operations, ...otherPaths].map((one) => one.name).sort());
  });

  it('document every form of a schedule that is accepted, and no other', async () => {
    const { body } = await send('GET', '/openapi.json', { token: null });
    const { schema } = body.paths['/v1/tasks'].post.requestBody.content['application/json'];
    const documented = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
    const timezone = 'Europe/Chisinau';
    for (const [schedule, isForm] of [
      [{ every: '15m', timezone }, true],
      [{ kind: 'every', every: '1d', timezone, overlap: 'queue' }, true],
      [{ kind: 'once', at: '2036-11-24T08:30:00', timezone }, true],
      [{ kind: 'once', expr: '2036-11-24T08:30:00', timezone }, true],
      [{ kind: 'cron', expr: '0 8 * * *', timezone }, true],
      [{ kind: 'cron', expr: '0 8 * * *', every: '15m', timezone }, false],
      [{ kind: 'never', timezone }, false],
    ] as const) {
      const task = { name: 'documented', pipeline: [{ id: 'one', uses: 'debug.echo' }], schedule };
      expect([schedule, documented(task)]).toEqual([schedule, isForm]);
      const dry = await send('POST', '/v1/tasks?dry_run=true', { body: task });
      expect([schedule, dry.status]).toEqual([schedule, isForm ? 200 : 422]);
    }
  });

  it('show health without a token and metrics only with one', async () => {
    expect(
      (await send('GET', '/health', { token: null })).body.checks.map(
        (check: { name: string }) => check.name,
      ),
    ).toContain('store');
    expect((await send('GET', '/health', { token: null })).body.checks[0].since_is_first_look).toBe(true);
    expect((await fetch(`${api.url}/metrics`)).status).toBe(401);
    const metrics = await fetch(`${api.url}/metrics`, { headers: { authorization: `Bearer ${api.admin}` } });
    expect(await metrics.text()).toContain('orchestrator_http_requests_total');
  });
});
