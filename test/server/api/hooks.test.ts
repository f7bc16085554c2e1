import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/domain/clock.js';
import { webhookHeaders } from '../../../src/server/tools/webhook.js';
import { startTestApi, type TestApi } from './an-api.js';

const START = Date.parse('2026-11-24T06:00:00Z');
const clock = new VirtualClock(START);
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ clock });
});
afterAll(() => api.close());

const create = async (body: object) => (await api.send('POST', '/v1/hooks', { body })).body;
const deliver = (path: string, raw: string, headers: Record<string, string>) =>
  api.send('POST', path, { token: null, raw, headers: { 'content-type': 'application/json', ...headers } });
const signed = (secret: string, body: string, id = 'msg_1', at = clock.now()) =>
  webhookHeaders(id, Math.floor(at / 1000), body, secret);
const github = (secret: string, body: string, more: Record<string, string> = {}) => ({
  'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  ...more,
});
const events = async (topic: string) => (await api.send('GET', `/v1/events?topic=${topic}`)).body.items;
const audited = async () =>
  (await api.store.listAudit({ limit: 100 })).items
    .filter(({ action }) => action.startsWith('hook.'))
    .map(({ action, details }) => `${action} ${details['reason'] ?? ''}`.trim());

describe('a hook', () => {
  it('has the address by which others reach it, where that is configured', async () => {
    expect(await create({ name: 'near', topic: 'a.b' })).toMatchObject({ url: null });
    const far = await startTestApi({ clock, config: { public_url: 'https://pao.example.org/' } });
    try {
      const { body } = await far.send('POST', '/v1/hooks', { body: { name: 'far', topic: 'a.b' } });
      expect(body.url).toBe(`https://pao.example.org${body.path}`);
    } finally {
      await far.close();
    }
  });

  it('takes what is signed as Standard Webhooks say, over the body as it came, once', async () => {
    const { secret, path, ...hook } = await create({ name: 'shop', topic: 'shop.order' });
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(hook).toMatchObject({ scheme: 'standard', last_received_at: null });
    const body = '{ "total" : 12.50,  "name": "Ștefan" }';
    const first = await deliver(path, body, signed(secret, body));
    expect([first.status, first.body.duplicate]).toEqual([202, false]);
    const again = await deliver(path, body, signed(secret, body));
    expect([again.status, again.body]).toEqual([202, { ...first.body, duplicate: true }]);
    expect(await events('shop.order')).toMatchObject([
      {
        id: first.body.event_id,
        cause_run_id: null,
        payload: { hook: 'shop', delivery_id: 'msg_1', event: null, body: { total: 12.5, name: 'Ștefan' } },
      },
    ]);
    const shown = (await api.send('GET', '/v1/hooks/shop')).body;
    expect([shown.last_received_at, shown.secret]).toEqual([new Date(START).toISOString(), undefined]);
    expect(JSON.stringify((await api.send('GET', '/v1/hooks')).body)).not.toContain(secret);
  });

  it('refuses the unsigned, the wrongly signed, the old, the changed and the unknown, all in the same words', async () => {
    const { secret, path } = await create({ name: 'strict', topic: 'strict.in' });
    const body = '{"n":1}';
    const late = (ms: number) => signed(secret, body, 'msg_2', clock.now() + ms);
    const { 'webhook-signature': signature } = signed(secret, body) as { 'webhook-signature': string };
    const answers = [
      await deliver(path, body, {}),
      await deliver(path, body, { ...signed(secret, body), 'webhook-timestamp': 'soon' }),
      await deliver(path, body, late(-301_000)),
      await deliver(path, body, late(301_000)),
      await deliver(path, '{"n":2}', signed(secret, body)),
      await deliver(path, `${body} `, signed(secret, body)),
      await deliver(path, body, signed('whsec_bm90IHRoZSByaWdodCBvbmUgYXQgYWxsISE=', body)),
      await deliver(path, body, { ...signed(secret, body), 'webhook-id': 'msg_other' }),
      await deliver('/hooks/hok_none', body, signed(secret, body)),
      await deliver(path, body, { ...github(secret, body) }),
    ];
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 401));
    expect(new Set(answers.map(({ body: problem }) => problem.detail)).size).toBe(1);
    const metrics = await fetch(`${api.url}/metrics`, { headers: { authorization: `Bearer ${api.admin}` } });
    const refused = /hook_requests_total\{outcome="refused"\} (\d+)/.exec(await metrics.text())?.[1];
    expect(Number(refused)).toBeGreaterThanOrEqual(answers.length);
    expect(await events('strict.in')).toEqual([]);
    // A sender that rotates its own keys signs with several; one that is right is enough.
    const several = { ...signed(secret, body), 'webhook-signature': `v1,AAAA v2,x ${signature}` };
    expect((await deliver(path, body, several)).status).toBe(202);
    expect(await audited()).toEqual(
      expect.arrayContaining([
        'hook.refused unsigned',
        'hook.refused malformed',
        'hook.refused too_old',
        'hook.refused too_new',
        'hook.refused wrong_signature',
        'hook.refused unknown',
      ]),
    );
  });

  it('takes deliveries as GitHub signs them, known by what they say: one that was captured is none under a new id', async () => {
    const secret = 'the secret of the repository';
    const { path } = await create({ name: 'ci', topic: 'ci.push', scheme: 'github', secret });
    const body = '{"ref":"refs/heads/main"}';
    const named = (id: string) => github(secret, body, { 'x-github-delivery': id, 'x-github-event': 'push' });
    const duplicate = async (headers: Record<string, string>, text = body) => {
      const answer = await deliver(path, text, headers);
      return answer.status === 202 ? answer.body.duplicate : answer.status;
    };
    expect(await duplicate(named('d1'))).toBe(false);
    expect(await duplicate(named('d1'))).toBe(true);
    expect(await duplicate(named('d2'))).toBe(true);
    expect(await duplicate(github(secret, body))).toBe(true);
    clock.advance(29 * 86_400_000);
    expect(await duplicate(named('d3'))).toBe(true);
    expect(await duplicate(github(secret, '{}', { 'x-github-delivery': 'd4' }), '{}')).toBe(false);
    expect((await events('ci.push')).at(-1).payload).toMatchObject({ event: 'push', delivery_id: 'd1' });
    expect(await duplicate(named('d1'), '{"ref":"x"}')).toBe(401);
    expect(await duplicate(signed(secret, body))).toBe(401);
    clock.advance(2 * 86_400_000);
    expect(await duplicate(named('d5'))).toBe(false);
  });

  it('knows a delivery again that is sent once more with the new secret', async () => {
    const secret = 'a secret of the other side, long enough';
    const { path } = await create({ name: 'turned', topic: 'ci.turned', scheme: 'github', secret });
    const body = '{"ref":"refs/heads/main"}';
    const signedWith = async (one: string) =>
      (await deliver(path, body, github(one, body, { 'x-github-delivery': 'd1' }))).body.duplicate;
    expect(await signedWith(secret)).toBe(false);
    const rotated = (await api.send('POST', '/v1/hooks/turned/rotate', { body: {} })).body;
    expect(await signedWith(rotated.secret)).toBe(true);
  });

  it('takes equal bodies as GitHub signs them where it was made to, under each id once', async () => {
    const secret = 'the secret of the doorbell';
    const asked = { name: 'bell', topic: 'bell.rang', scheme: 'github', secret, allow_repeats: true };
    const { path, allow_repeats: allows } = await create(asked);
    expect(allows).toBe(true);
    const ring = async (id: string) =>
      (await deliver(path, '{}', github(secret, '{}', { 'x-github-delivery': id }))).body.duplicate;
    expect([await ring('d1'), await ring('d2'), await ring('d1')]).toEqual([false, false, true]);
    const refused = await api.send('POST', '/v1/hooks', {
      body: { ...asked, name: 'x', scheme: 'standard' },
    });
    expect([refused.status, refused.body.errors[0].pointer]).toEqual([422, '/allow_repeats']);
  });

  it('takes any name of this machine and nothing from a browser', async () => {
    const { secret, path } = await create({ name: 'outside', topic: 'outside.in' });
    const raw = (headers: Record<string, string>) =>
      new Promise<number | undefined>((resolve, reject) => {
        const all = { 'content-type': 'application/json', ...signed(secret, '{}'), ...headers };
        request(api.url + path, { method: 'POST', setHost: false, headers: all }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on('error', reject)
          .end('{}');
      });
    expect(await raw({ host: 'hooks.example.org' })).toBe(202);
    expect(await raw({ host: 'hooks.example.org', origin: 'https://evil.example' })).toBe(403);
    expect(await raw({ host: 'x', 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect((await api.send('GET', path)).status).toBe(405);
  });

  it('takes text, refuses JSON that is none and a body that is too large', async () => {
    const { secret, path } = await create({ name: 'bodies', topic: 'bodies.in' });
    const send = (body: string, id: string, type = 'application/json') =>
      deliver(path, body, { ...signed(secret, body, id), 'content-type': type });
    expect((await send('just text', 'b1', 'text/plain')).status).toBe(202);
    expect((await send('', 'b2')).status).toBe(202);
    expect(
      (await events('bodies.in')).map((one: { payload: { body: unknown } }) => one.payload.body),
    ).toEqual([null, 'just text']);
    expect((await send('{"a":', 'b3')).status).toBe(422);
    expect((await send('{"__proto__":{"x":1}}', 'b4')).status).toBe(422);
    expect((await send(`"${'x'.repeat(262_144)}"`, 'b5')).status).toBe(413);
  });

  it('with a new secret takes the old one for a while, and not when told so', async () => {
    const { secret, path } = await create({ name: 'turning', topic: 'turning.in' });
    const rotated = (await api.send('POST', '/v1/hooks/turning/rotate', { body: { grace_seconds: 60 } }))
      .body;
    const status = async (key: string, id: string) =>
      (await deliver(path, '{}', signed(key, '{}', id))).status;
    expect([await status(secret, 'r1'), await status(rotated.secret, 'r2')]).toEqual([202, 202]);
    clock.advance(60_000);
    expect([await status(secret, 'r3'), await status(rotated.secret, 'r4')]).toEqual([401, 202]);
    const last = (await api.send('POST', '/v1/hooks/turning/rotate', { body: { grace_seconds: 0 } })).body;
    expect([await status(rotated.secret, 'r5'), await status(last.secret, 'r6')]).toEqual([401, 202]);
    expect((await api.send('DELETE', '/v1/hooks/turning')).status).toBe(204);
    expect(await status(last.secret, 'r7')).toBe(401);
  });

  it('is its agent’s own, has a name once, and ends with its agent', async () => {
    const mine = await api.anAgent('hooked', ['events:write', 'events:read']);
    const other = await api.anAgent('curious', ['events:write', 'events:read']);
    const body = { name: 'mine', topic: 'mine.in' };
    const made = (await api.send('POST', '/v1/hooks', { token: mine.token, body })).body;
    expect((await api.send('POST', '/v1/hooks', { token: mine.token, body })).status).toBe(409);
    expect((await api.send('POST', '/v1/hooks', { token: other.token, body })).status).toBe(201);
    for (const [method, path] of [
      ['GET', `/v1/hooks/${made.id}`],
      ['POST', `/v1/hooks/${made.id}/rotate`],
      ['DELETE', `/v1/hooks/${made.id}`],
    ] as const)
      expect((await api.send(method, path, { token: other.token })).status).toBe(404);
    expect((await api.send('GET', '/v1/hooks', { token: other.token })).body.items).toHaveLength(1);
    const [event] = [await deliver(made.path, '{}', signed(made.secret, '{}', 'm1'))];
    expect((await api.store.getEvent(event?.body.event_id))?.agentId).toBe(mine.id);
    await api.send('DELETE', `/v1/agents/${mine.id}`);
    expect((await deliver(made.path, '{}', signed(made.secret, '{}', 'm2'))).status).toBe(401);
  });

  it('says everything that is wrong with it, and takes no weak secret', async () => {
    const { status, body } = await api.send('POST', '/v1/hooks', {
      body: { name: 'a b', topic: 'mail.*', scheme: 'md5', secret: 'short' },
    });
    expect(status).toBe(422);
    expect(body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
      '/name',
      '/scheme',
      '/secret',
      '/topic',
    ]);
  });
});

describe('too many deliveries', () => {
  it('are turned away, by hook, and refused ones by address', async () => {
    const small = await startTestApi({ config: { rate_limit: { per_second: 1, burst: 5 } } });
    try {
      const { body: hook } = await small.send('POST', '/v1/hooks', { body: { name: 'a', topic: 'a' } });
      const post = (secret: string, id: string) =>
        small.send('POST', hook.path, {
          token: null,
          raw: '{}',
          headers: {
            'content-type': 'application/json',
            ...webhookHeaders(id, Math.floor(Date.now() / 1000), '{}', secret),
          },
        });
      const seen: number[] = [];
      for (let n = 0; n < 8; n += 1) seen.push((await post(hook.secret, `m${n}`)).status);
      expect([seen.slice(0, 5), seen.at(-1)]).toEqual([[202, 202, 202, 202, 202], 429]);
      const refused = await Promise.all(Array.from({ length: 110 }, (_, n) => post('x', `r${n}`)));
      expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([401, 429]));
      const rows = (await small.store.listAudit({ limit: 100 })).items.filter(
        ({ action }) => action === 'hook.refused',
      );
      expect(rows).toHaveLength(1);
    } finally {
      await small.close();
    }
  });
});
