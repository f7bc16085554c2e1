import { get } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/domain/clock.js';
import { echo, startTestApi, type TestApi } from './an-api.js';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ config: { budget: { per_day: { usd: 3 } } } });
});
afterAll(() => api.close());

/** As fetch does not let them be sent. @returns the status. */
const navigate = (path: string, headers: Record<string, string>, method = 'GET') =>
  new Promise<number>((resolve, reject) => {
    get(api.url + path, { headers, method }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on('error', reject);
  });

describe('the dashboard', () => {
  it.each([
    ['/', 'text/html; charset=utf-8'],
    ['/dashboard.js', 'text/javascript; charset=utf-8'],
    ['/dashboard.css', 'text/css; charset=utf-8'],
    ['/dashboard.svg', 'image/svg+xml'],
  ])(
    '%s comes without a token and without a cookie, under a policy that lets nothing else in',
    async (path, type) => {
      const { status, headers } = await fetch(api.url + path);
      expect(status).toBe(200);
      expect(headers.get('content-type')).toBe(type);
      expect(headers.get('set-cookie')).toBeNull();
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      const policy = headers.get('content-security-policy') ?? '';
      for (const one of [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
      ])
        expect(policy.split('; ')).toContain(one);
      expect(policy).not.toMatch(/unsafe|https?:|\*/);
    },
  );

  it('has no script, style or handler in its page, and nothing of another host', async () => {
    const page = await (await fetch(`${api.url}/`)).text();
    expect(page.match(/<script[^>]*>/g)).toEqual(['<script type="module" src="dashboard.js">']);
    expect(page).toMatch(/<script [^>]+><\/script>/);
    expect(page).not.toMatch(/<style|\sstyle=|\son[a-z]+=|https?:\/\//);
    const script = await (await fetch(`${api.url}/dashboard.js`)).text();
    expect(script).not.toMatch(
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/,
    );
    expect(script).not.toMatch(/localStorage|document\.cookie/);
    const style = await (await fetch(`${api.url}/dashboard.css`)).text();
    expect(style).not.toMatch(/url\(|@import/);
  });

  it('is not sent twice to who has it', async () => {
    const first = await fetch(`${api.url}/dashboard.js`);
    const headers = { 'if-none-match': first.headers.get('etag') as string };
    const again = await fetch(`${api.url}/dashboard.js`, { headers });
    expect([again.status, await again.text()]).toEqual([304, '']);
  });

  const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
  it.each<[string, string, Record<string, string>, number]>([
    ['a link in a chat or a mail', '/', link, 200],
    ['a link to anything else', '/docs', link, 403],
    ['a link to the page with a query', '/?a=1', link, 403],
    ['a link to the API', '/v1/tasks', link, 403],
    ['a frame of a foreign page', '/', { ...link, 'sec-fetch-dest': 'iframe' }, 403],
    [
      'a script of a foreign page',
      '/dashboard.js',
      { ...link, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'script' },
      403,
    ],
    [
      'a fetch of a foreign page',
      '/',
      { ...link, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'empty' },
      403,
    ],
    ['a form of a foreign page', '/', { ...link, origin: 'https://evil.example' }, 403],
    ['its own script', '/dashboard.js', { 'sec-fetch-site': 'same-origin', 'sec-fetch-dest': 'script' }, 200],
  ])('%s', async (_name, path, headers, status) => {
    expect(await navigate(path, headers)).toBe(status);
  });

  it('leaves the documents of the API where they were', async () => {
    expect(await (await fetch(`${api.url}/docs`)).text()).toContain('<h1>pao API');
  });
});

describe('what it asks for', () => {
  it('who it is: tokens that ended a week ago are not told of', async () => {
    const clock = new VirtualClock('2026-11-24T06:00:00Z');
    const one = await startTestApi({ clock });
    try {
      await one.send('POST', '/v1/agents/me/tokens', { body: { label: 'link', expires_in_seconds: 300 } });
      const labels = async () =>
        (await one.send('GET', '/v1/agents/me')).body.tokens.map(({ label }: { label: string }) => label);
      clock.set(clock.now() + 6 * 86_400_000);
      expect(await labels()).toEqual(['credentials.json', 'link']);
      clock.set(clock.now() + 2 * 86_400_000);
      expect(await labels()).toEqual(['credentials.json']);
    } finally {
      await one.close();
    }
  });

  it('today’s spend: all of it for an admin, one’s own for others', async () => {
    const budget = { per_day: { usd: 0.5, runs: 2 } };
    await api.send('POST', '/v1/tasks', { body: { ...echo('with-budget'), budget } });
    await api.send('POST', '/v1/tasks', { body: echo('without') });
    const helper = await api.anAgent('helper', ['tasks:read']);
    const { body } = await api.send('GET', '/v1/spend');
    expect(body).toMatchObject({ all: { limits: { usd: 3 }, usd: 0 }, truncated: false });
    expect(body.agents.map(({ name }: { name: string }) => name).sort()).toEqual(['admin', 'helper']);
    expect(body.tasks).toMatchObject([
      {
        name: 'with-budget',
        spent_today: { limits: budget.per_day, runs: 0, words: '$0 of $0.50, 0 runs of 2 runs' },
      },
    ]);
    const own = await api.send('GET', '/v1/spend', { token: helper.token });
    expect(own.body).toMatchObject({ all: null, agents: [{ name: 'helper' }], tasks: [] });
  });

  it('the agenda: what beats often is named once; quiet times and vacations stand beside what is due', async () => {
    const cron = (expr: string) => ({ kind: 'cron', expr, timezone: 'UTC' });
    const quiet_hours = { from: '05:00', to: '07:00', timezone: 'UTC' };
    const vacation = { from: '2020-01-01', to: '2099-12-31', timezone: 'UTC' };
    await api.send('POST', '/v1/tasks', { body: { ...echo('beat'), schedule: cron('* * * * *') } });
    await api.send('POST', '/v1/tasks', {
      body: { ...echo('night'), schedule: cron('0 6 * * *'), quiet_hours },
    });
    await api.send('POST', '/v1/tasks', {
      body: { ...echo('away'), schedule: cron('0 12 * * *'), vacation, on_vacation: 'skip' },
    });
    const { body } = await api.send('GET', '/v1/agenda?hours=48&often=10');
    expect(body.often).toMatchObject([{ task_name: 'beat', quiet: null }]);
    expect(body.items).toHaveLength(4);
    for (const one of body.items) {
      if (one.task_name === 'night') expect(one).toMatchObject({ quiet: 'quiet_hours' });
      else expect(one).toMatchObject({ task_name: 'away', quiet: 'vacation', skipped: true });
    }
    const whole = await api.send('GET', '/v1/agenda?hours=48&limit=100');
    expect(whole.body).toMatchObject({ truncated: true });
    expect(whole.body).not.toHaveProperty('often');
  });
});
