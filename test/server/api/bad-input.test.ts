import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echo, startTestApi, type TestApi } from './an-api.js';

let api: TestApi;
let rows: () => Promise<unknown>;

beforeAll(async () => {
  api = await startTestApi();
  rows = async () => {
    const [tasks, tools, agents, events] = await Promise.all(
      ['/v1/tasks', '/v1/tools', '/v1/agents', '/v1/events'].map((path) => api.send('GET', path)),
    );
    return [tasks, tools, agents, events].map((answer) => answer?.body.items);
  };
});

afterAll(() => api.close());

/** What is changed in a sound input, where that is told, and in which words. */
type Case = [change: object, pointer: string, words: RegExp];

/** Every case must be told in one problem with these words, and change nothing. */
async function refuses(method: string, path: string, body: unknown, [, pointer, words]: Case) {
  const before = await rows();
  const answer = await api.send(method, path, { body });
  const found = answer.body.errors as { pointer: string; message: string; hint?: string }[];
  expect(found).toHaveLength(1);
  expect([answer.status, found[0]?.pointer]).toEqual([422, pointer]);
  expect(`${found[0]?.message} | ${found[0]?.hint ?? ''}`).toMatch(words);
  expect(await rows()).toEqual(before);
}

const cron = { kind: 'cron', expr: '0 8 * * *', timezone: 'UTC' };
const step = { id: 'one', uses: 'debug.echo' };
const at = (change: object) => ({ schedule: { ...cron, ...change } });
const first = (change: object) => ({ pipeline: [{ ...step, ...change }] });
const condition = { kind: 'condition', every: '1m', when: 'result', check: { uses: 'time.now' } };

describe('a task', () => {
  it.each<Case>([
    [{ name: '' }, '/name', /must not be empty/],
    [{ name: 'x'.repeat(101) }, '/name', /at most 100/],
    [{ name: 'a/b' }, '/name', /letters, digits/],
    [{ name: 5 }, '/name', /a text, not 5/],
    [{ title: 'a\u0007b' }, '/title', /control characters/],
    [{ title: 'a\u202eb' }, '/title', /control characters/],
    [{ description: 'x'.repeat(4001) }, '/description', /at most 4000/],
    [{ tags: 'a' }, '/tags', /must be a list/],
    [{ tags: Array(21).fill('a') }, '/tags', /at most 20/],
    [{ priority: 0 }, '/priority', /at least 1/],
    [{ priority: 10 }, '/priority', /at most 9/],
    [{ priority: 1.5 }, '/priority', /whole number/],
    [{ priority: '4' }, '/priority', /a number, not "4"/],
    [{ dedupe: {} }, '/dedupe/key', /required/],
    [{ dedupe: { key: 'a', window: '0s' } }, '/dedupe/window', /between 1s and 366d/],
    [{ dedupe: { key: 'a', window: 'soon' } }, '/dedupe/window', /a number and a unit/],
    [{ concurrency: { key: 'a', limit: 0 } }, '/concurrency/limit', /at least 1/],
    [{ concurrency: { key: 'a', limits: 1 } }, '/concurrency/limits', /Did you mean "limit"/],
    [{ retry: { max: 21 } }, '/retry/max', /at most 20/],
    [{ retry: { backoff: 'linear' } }, '/retry/backoff', /one of fixed/],
    [{ retry: { base: '60s', cap: '1s' } }, '/retry/cap', /shorter than base/],
    [{ timeout: 300 }, '/timeout', /a number and a unit/],
    [{ timeout: '8d' }, '/timeout', /between 100ms and 7d/],
    [{ params: [1] }, '/params', /an object, not a list/],
    [{ runs_on: Array(11).fill('a') }, '/runs_on', /at most 10/],
    [{ shedule: cron }, '/shedule', /Did you mean "schedule"/],
    [{ pipeline: [] }, '/pipeline', /at least one step/],
    [{ pipeline: {} }, '/pipeline', /a list, not an object/],
    [
      { pipeline: Array.from({ length: 101 }, (_, n) => ({ ...step, id: `s${n}` })) },
      '/pipeline',
      /100 steps/,
    ],
    [{ pipeline: [step, step] }, '/pipeline/1/id', /already used/],
    [first({ wiht: {} }), '/pipeline/0/wiht', /Did you mean "with"/],
    [first({ wait: { for: '1s' } }), '/pipeline/0', /only one of/],
    [first({ id: 'constructor' }), '/pipeline/0/id', /not allowed/],
    [first({ if: 'a ==' }), '/pipeline/0/if', /ends too early/],
    [first({ on_error: 'ignore' }), '/pipeline/0/on_error', /fail, continue/],
    [first({ with: 'x' }), '/pipeline/0/with', /an object/],
    [first({ with: { a: '${params.x' } }), '/pipeline/0/with/a', /no closing/],
    [first({ with: { a: '${lenght(params)}' } }), '/pipeline/0/with/a', /Did you mean length/],
    [first({ with: { a: '${steps.two}' } }), '/pipeline/0/with/a', /no step "two"/],
    [first({ with: { a: '${params.gone}' } }), '/pipeline/0/with/a', /params.gone/],
    [first({ foreach: { items: '`5`' } }), '/pipeline/0/foreach/items', /a list/],
    [first({ uses: 'debug.eco' }), '/pipeline/0/uses', /Did you mean "debug.echo"/],
    [
      first({ uses: 'notify.webhook', with: { url: 5, payload: 1 } }),
      '/pipeline/0/with/url',
      /a text, not 5/,
    ],
    [{ schedule: 'daily' }, '/schedule', /an object/],
    [at({ kind: 'crn' }), '/schedule/kind', /Did you mean "cron"/],
    [at({ expr: '61 * * * *' }), '/schedule/expr', /0 to 59/],
    [at({ expr: 'every day' }), '/schedule/expr', /five fields/],
    [at({ expr: '0 0 30 2 *' }), '/schedule/expr', /never fires/],
    [at({ timezone: undefined }), '/schedule/timezone', /required/],
    [at({ timezone: 'Berlin' }), '/schedule/timezone', /Did you mean Europe\/Berlin/],
    [at({ timezone: 'Mars/Base' }), '/schedule/timezone', /IANA/],
    [at({ kind: 'rrule', expr: 'FREQ=SOMETIMES' }), '/schedule/expr', /not a frequency/],
    [at({ kind: 'once', expr: '2020-01-01T00:00:00Z' }), '/schedule/expr', /past/],
    [at({ kind: 'once', expr: 'tomorrow' }), '/schedule/expr', /2026-/],
    [at({ catchup: { policy: 'maybe' } }), '/schedule/catchup/policy', /one of latest/],
    [at({ overlap: 'no' }), '/schedule/overlap', /one of skip/],
    [at({ jitter: '2d' }), '/schedule/jitter', /between 0ms and 1d/],
    [at({ dst: { gap: 'x' } }), '/schedule/dst/gap', /one of shift/],
    [{ schedule: { kind: 'event', topic: 'a..b' } }, '/schedule/topic', /topic pattern/],
    [{ schedule: { kind: 'event', topic: 'a', filter: 'x ==' } }, '/schedule/filter', /too early/],
    [{ schedule: { ...condition, every: '100ms' } }, '/schedule/every', /between 1s/],
    [{ schedule: { ...condition, when: '((' } }, '/schedule/when', /too early/],
  ])('with %j is told at %s', async (...one) => {
    await refuses('POST', '/v1/tasks', { ...echo('bad'), ...one[0] }, one);
  });
});

describe('a tool', () => {
  const http = { url: 'https://example.com/' };
  const web = (change: object) => ({ http: { ...http, ...change } });
  const llm = { provider: 'openai', base_url: 'https://example.com/', model: 'm', api_key: 'sk-1' };

  it.each<Case>([
    [{ address: 'nogroup' }, '/address', /<group>\.<name>/],
    [{ kind: 'soap' }, '/kind', /one of http/],
    [{ colour: 'red' }, '/colour', /Known: address/],
    [{ timeout: 'x' }, '/timeout', /a duration/],
    [{ side_effect: 'never' }, '/side_effect', /one of read/],
    [{ grants: ['10.0.0.1'] }, '/grants/0', /host:port/],
    [{ grants: ['10.0.0.1:70000'] }, '/grants/0', /65535/],
    [{ input_schema: 'x' }, '/input_schema', /an object/],
    [{ max_text: { field: '/t', limit: 3 } }, '/max_text/limit', /at least 16/],
    [web({ url: 'ftp://x' }), '/http/url', /http:\/\//],
    [web({ url: 'https://${input.host}/' }), '/http/url', /written out/],
    [web({ url: 'https://user:pw@x/' }), '/http/url', /without user name/],
    [web({ url: 'https://x/${input.a' }), '/http/url', /not closed/],
    [web({ query: { q: '${now}' } }), '/http/query/q', /input\.name/],
    [web({ method: 'BREW' }), '/http/method', /one of GET/],
    [web({ headers: { a: 'b\r\nc' } }), '/http/headers/a', /line break/],
    [web({ headers: { Host: 'x' } }), '/http/headers/Host', /pao sets itself/],
    [web({ max_redirects: 9 }), '/http/max_redirects', /at most 5/],
    [web({ response: { map: 'a ==' } }), '/http/response/map', /too early/],
    [{ kind: 'llm', http: undefined, llm }, '/llm/api_key', /secret reference/],
  ])('with %j is told at %s', async (...one) => {
    await refuses('POST', '/v1/tools', { address: 'my.tool', kind: 'http', http, ...one[0] }, one);
  });
});

describe('an agent', () => {
  it.each<Case>([
    [{ name: 'a b' }, '/name', /letters, digits/],
    [{ name: undefined }, '/name', /required/],
    [{ scopes: 'admin' }, '/scopes', /a list/],
    [{ scopes: ['tasks:raed'] }, '/scopes/0', /Did you mean "tasks:read"/],
    [{ scopes: ['tool:'] }, '/scopes/0', /not a scope/],
    [{ role: 'boss' }, '/role', /Known: name/],
    [{ expires_in_seconds: 5 }, '/expires_in_seconds', /at least 60/],
    [{ title: 'a\u202e' }, '/title', /control/],
  ])('with %j is told at %s', async (...one) => {
    await refuses('POST', '/v1/agents', { name: 'new', scopes: [], ...one[0] }, one);
  });
});

describe('an event, a verb, a preview, a call', () => {
  it.each<[string, string, ...Case]>([
    ['POST', '/v1/events', { topic: 'a b' }, '/topic', /mail.received/],
    ['POST', '/v1/events', { topic: 'a', data: 1 }, '/data', /Known: topic/],
    ['POST', '/v1/events', { topic: 'a', dedupe_key: '' }, '/dedupe_key', /empty/],
    ['POST', '/v1/schedules/preview', { ...cron, expr: 'x' }, '/expr', /five fields/],
    ['POST', '/v1/schedules/preview', { schedule: { ...cron, expr: 'x' } }, '/schedule/expr', /five fields/],
    ['POST', '/v1/schedules/preview', { ...cron, count: 'abc' }, '/count', /a number, not "abc"/],
    ['POST', '/v1/schedules/preview', { schedule: cron, count: 5000 }, '/count', /at most 100/],
    ['POST', '/v1/schedules/preview', { ...cron, count: 0 }, '/count', /at least 1/],
    ['POST', '/v1/tools/data.transform/call', { input: { expression: 1, data: 1 } }, '/expression', /a text/],
    ['POST', '/v1/tools/debug.echo/call', { inptu: 1 }, '/inptu', /Did you mean "input"/],
    ['POST', '/v1/tasks/verbs/snooze', {}, '', /exactly one/],
    ['POST', '/v1/tasks/verbs/snooze', { until: '2020-01-01T00:00:00Z' }, '/until', /after now/],
    ['POST', '/v1/tasks/verbs/run', { forc: true }, '/forc', /Did you mean "force"/],
    ['POST', '/v1/tasks/verbs/resume', { catchup: 'some' }, '/catchup', /one of/],
    ['PATCH', '/v1/tasks/verbs', { prioritty: 1 }, '/prioritty', /Did you mean "priority"/],
  ])('%s %s %j', async (method, path, ...one) => {
    await api.send('PUT', '/v1/tasks/by-name/verbs', { body: echo('verbs') });
    await refuses(method, path, one[0], one);
  });
});

describe('a request', () => {
  it.each<[string, string, number, RegExp]>([
    ['GET', '/v1/tasks/none', 404, /no task "none"/],
    ['GET', '/v1/runs/none', 404, /no run/],
    ['GET', '/v1/tools/no.tool', 404, /no tool/],
    ['GET', '/v1/agents/none', 404, /no agent/],
    ['DELETE', '/v1/tools/no.tool', 404, /no tool/],
    ['GET', '/v1/tasks?limit=0', 422, /query/],
    ['GET', '/v1/tasks?cursor=zzz', 422, /cursor/],
    ['GET', '/v1/tasks?state=odd', 422, /not a state/],
    ['GET', '/v1/tasks?colour=red', 422, /query/],
    ['GET', '/v1/runs?since=yesterday', 422, /query/],
    ['GET', '/v1/events?topic=a..b', 422, /query/],
    ['GET', '/v1/events/stream?topic=a..b', 422, /query/],
    ['GET', '/v1/tasks/%zz', 400, /hex digits/],
  ])('%s %s → %i', async (method, path, status, words) => {
    const answer = await api.send(method, path);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect([answer.status, answer.body.status]).toEqual([status, status]);
    expect(answer.body.detail).toMatch(words);
  });

  it.each<[string, number, RegExp]>([
    ['{"name": }', 400, /line 1, column 10/],
    ['{\n "a": tru }', 400, /line 2/],
    ["{'a': 1}", 400, /double quotes/],
    ['{"a":1,"a":2}', 400, /twice/],
    ['{"n": 9007199254740993}', 400, /too large/],
    ['{"s": "\\ud800"}', 400, /surrogate/],
    ['{"s": "\\u0000"}', 400, /NUL/],
    ['null', 422, /not valid/],
  ])('with the body %s → %i', async (raw, status, words) => {
    const answer = await api.send('POST', '/v1/tasks', { raw });
    expect([answer.status, answer.body.detail]).toEqual([status, expect.stringMatching(words)]);
  });
});
