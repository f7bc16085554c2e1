import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/domain/clock.js';
import { echo, startTestApi, type TestApi } from './an-api.js';

let api: TestApi;
const clock = new VirtualClock('2026-11-24T06:00:00Z');

beforeAll(async () => {
  api = await startTestApi({
    clock,
    config: { channels: { phone: { kind: 'desktop' }, post: { kind: 'desktop' } } },
  });
});

afterAll(() => api.close());

const daily = { kind: 'cron', expr: '0 8 * * *', timezone: 'UTC' };

describe('a task with faults of every kind', () => {
  it('is told all of them at once: schema, schedule, tools, templates, scopes', async () => {
    const { token } = await api.anAgent('narrow', ['tasks:write', 'tool:debug.*']);
    const { status, body } = await api.send('POST', '/v1/tasks', {
      token,
      body: {
        name: 'all wrong',
        prioritty: 3,
        timeout: 5,
        schedule: { kind: 'cron', expr: '61 8 * * *', timezone: 'Europe/Chisinua', catchup: { max: -1 } },
        params: { there: 1 },
        pipeline: [
          { id: 'a-b', uses: 'debug.ecko', with: { x: '${params.theer}' } },
          { id: 'two', uses: 'time.now', retry: { max: 99 } },
          { id: 'three', uses: 'debug.echo', with: { x: '${steps.twoo.at}' } },
          { id: 'four' },
          { id: 'five', foreach: { items: 'params.list', as: 7 }, uses: 'debug.echo', with: { x: '${one}' } },
          { id: 'six', parallel: [{ id: 'in', uses: 'debug.echo', with: { x: '${steps.a-b}' }, extra: 1 }] },
        ],
      },
    });
    expect(status).toBe(422);
    const found = body.errors as { pointer: string; message: string; hint?: string }[];
    expect(found.map(({ pointer }) => pointer)).toEqual([
      '/name',
      '/schedule/catchup/max',
      '/timeout',
      '/pipeline/0/id',
      '/pipeline/1/retry/max',
      '/pipeline/3',
      '/pipeline/4/foreach/as',
      '/pipeline/5/parallel/0/extra',
      '/prioritty',
      '/schedule/timezone',
      '/schedule/expr',
      '/pipeline/0/uses',
      '/pipeline/0/with/x',
      '/pipeline/1/uses',
      '/pipeline/2/with/x',
      '/pipeline/5/parallel/0/with/x',
    ]);
    const hintOf = (pointer: string) => found.find((one) => one.pointer === pointer)?.hint;
    expect(hintOf('/prioritty')).toContain('priority');
    expect(hintOf('/schedule/timezone')).toContain('Europe/Chisinau');
    expect(hintOf('/pipeline/0/uses')).toContain('debug.echo');
    expect(hintOf('/pipeline/0/with/x')).toContain('there');
    expect(hintOf('/pipeline/1/uses')).toContain('tool:time.now');
    expect(hintOf('/pipeline/2/with/x')).toContain('steps.two');
  });

  it.each([[null], [[]], ['text'], [{}], [{ name: 'x', pipeline: {}, params: 3, schedule: 'daily' }]])(
    'answers %j without a guess at what was meant',
    async (body) => {
      const answer = await api.send('POST', '/v1/tasks', { body });
      expect(answer.status).toBe(422);
      expect(answer.body.errors.every(({ message }: { message: string }) => message.length > 5)).toBe(true);
    },
  );

  it('does not blame what is sound for what is not: names and params of faulty parts still count', async () => {
    const { body } = await api.send('POST', '/v1/tasks', {
      body: {
        name: 'x',
        params: 'none',
        pipeline: [
          { id: 'one', uses: 'debug.echo', save_as: 'kept', retry: 'often' },
          { id: 'two', uses: 'debug.echo', with: { x: '${steps.kept.x}', y: '${params.any}' } },
        ],
      },
    });
    expect(body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
      '/params',
      '/pipeline/0/retry',
    ]);
  });

  it('that is applied under another name is told that beside the rest', async () => {
    const body = { name: 'other', pipeline: [{ id: 'one', uses: 'debug.none' }] };
    const { body: answer } = await api.send('PUT', '/v1/tasks/by-name/this', { body });
    expect(answer.errors).toMatchObject([{ pointer: '/name' }, { pointer: '/pipeline/0/uses' }]);
  });
});

describe('a channel that is not there', () => {
  const steps = [
    { id: 'ask', approve: { message: 'Yes?', notify: 'phnoe' } },
    { id: 'say', uses: 'channel.pots', with: { text: 'x' } },
  ];

  it('is refused wherever a task names it, with the one that was meant', async () => {
    const body = { name: 'lost', pipeline: steps, monitor: { notify: { channel: 'phon' } } };
    const { status, body: answer } = await api.send('POST', '/v1/tasks', { body });
    expect(status).toBe(422);
    expect(answer.errors).toEqual([
      {
        pointer: '/pipeline/0/approve/notify',
        message: 'there is no channel "phnoe"',
        hint: 'Did you mean "phone"?',
      },
      {
        pointer: '/pipeline/1/uses',
        message: 'there is no channel "pots"',
        hint: 'Did you mean "channel.post"?',
      },
      {
        pointer: '/monitor/notify/channel',
        message: 'there is no channel "phon"',
        hint: 'Did you mean "phone"?',
      },
    ]);
  });

  it('nor like any other is said to be missing from the configuration; a tool for notices is looked for too', async () => {
    const pipeline = [{ id: 'one', uses: 'debug.echo' }];
    const notice = (notify: object) =>
      api.send('POST', '/v1/tasks', { body: { name: 'lost', pipeline, monitor: { notify } } });
    const [problem] = (await notice({ channel: 'telegram' })).body.errors;
    expect(problem.hint).toMatch(/^Name it under channels in pao.config.yaml/);
    expect((await notice({ tool: 'debug.ecko' })).body.errors).toMatchObject([
      { pointer: '/monitor/notify/tool', hint: 'Did you mean "debug.echo"?' },
    ]);
    const { token } = await api.anAgent('no-phone', ['tasks:write', 'tool:debug.*']);
    const body = { name: 'mine', pipeline, monitor: { notify: { channel: 'phone' } } };
    expect((await api.send('POST', '/v1/tasks', { token, body })).body.detail).toContain(
      'tool:channel.phone',
    );
    expect((await notice({ channel: 'phone' })).status).toBe(201);
  });
});

describe('what a task may do', () => {
  it('stays what its agent may do, whoever changes it', async () => {
    const scopes = ['tasks:read', 'tasks:write', 'tool:debug.*'];
    const { id, token } = await api.anAgent('owner', scopes);
    const task = (await api.send('POST', '/v1/tasks', { token, body: echo('owned') })).body;
    const path = `/v1/tasks/${task.id}`;
    expect((await api.send('PATCH', path, { body: { priority: 1 } })).status).toBe(200);
    expect((await api.store.getTask(task.id))?.scopes).toEqual(scopes);
    const pipeline = [{ id: 'one', uses: 'time.now' }];
    const lent = await api.send('PATCH', path, { body: { pipeline } });
    expect(lent.status).toBe(403);
    expect(lent.body.detail).toContain('tool:time.now');
    await api.send('PATCH', `/v1/agents/${id}`, { body: { scopes: [...scopes, 'tool:time.now'] } });
    expect((await api.send('PATCH', path, { body: { pipeline } })).status).toBe(200);
    expect((await api.store.getTask(task.id))?.scopes).toEqual([...scopes, 'tool:time.now']);
  });
});

describe('leaving out the next occurrence', () => {
  it('twice leaves out two, and says which', async () => {
    const task = (await api.send('POST', '/v1/tasks', { body: { ...echo('skipper'), schedule: daily } }))
      .body;
    const skip = async () => (await api.send('POST', `/v1/tasks/${task.id}/skip`)).body.left_out.at;
    expect(await skip()).toBe('2026-11-24T08:00:00.000Z');
    expect(await skip()).toBe('2026-11-25T08:00:00.000Z');
    expect((await api.send('GET', `/v1/tasks/${task.id}`)).body).toMatchObject({
      next_due_at: '2026-11-26T08:00:00.000Z',
      left_out_before: 2,
      words: expect.stringContaining('next Thu 26 Nov 2026 08:00'),
    });
    const next = await api.send('GET', `/v1/tasks/${task.id}/occurrences?count=3`);
    expect(next.body.items.map(({ note }: { note?: string }) => note)).toEqual([
      'left out',
      'left out',
      undefined,
    ]);
    const { lines } = (await api.send('GET', `/v1/tasks/${task.id}/explain`)).body;
    expect(lines.at(-2).text).toBe('Occurrences up to Wed 25 Nov 2026 08:00 UTC are left out (snoozed).');
    expect(lines.at(-1).text).toMatch(/^Next: .*26 Nov 2026 08:00/);
  });

  it('of a condition leaves out one look at a time; of a task without one it is refused', async () => {
    const schedule = { kind: 'condition', every: '1m', when: 'result.a', check: { uses: 'debug.echo' } };
    const watch = (await api.send('POST', '/v1/tasks', { body: { ...echo('watch'), schedule } })).body;
    const skip = async () => (await api.send('POST', `/v1/tasks/${watch.id}/skip`)).body.left_out.at;
    const first = Date.parse(await skip());
    expect(Date.parse(await skip()) - first).toBe(60_000);
    expect(Date.parse(await skip()) - first).toBe(120_000);
    const manual = (await api.send('POST', '/v1/tasks', { body: echo('manual') })).body;
    expect((await api.send('POST', `/v1/tasks/${manual.id}/skip`)).status).toBe(409);
  });
});

describe('a check that keeps nothing', () => {
  it('says what applying would do; a once that has passed may stay as it is', async () => {
    const schedule = { kind: 'once', expr: '2026-11-24T06:30:00Z', timezone: 'UTC' };
    const body = { ...echo('past'), schedule };
    const check = async (change: object = {}) =>
      (await api.send('POST', '/v1/tasks?dry_run=true', { body: { ...body, ...change } })).body;
    expect((await check()).outcome).toBe('created');
    expect((await api.send('PUT', '/v1/tasks/by-name/past', { body })).status).toBe(201);
    clock.advance(3_600_000);
    expect(await check()).toMatchObject({ valid: true, outcome: 'unchanged', next_occurrences: [] });
    expect((await check({ priority: 1 })).outcome).toBe('updated');
    expect((await check({ name: 'new' })).errors).toMatchObject([{ pointer: '/schedule/expr' }]);
    expect((await api.send('PUT', '/v1/tasks/by-name/past', { body })).body.outcome).toBe('unchanged');
  });
});

describe('the schemas of a tool', () => {
  const put = (changes: object) =>
    api.send('PUT', '/v1/tools/my.tool', {
      body: { kind: 'http', http: { url: 'https://example.com/' }, ...changes },
    });

  it.each([
    ['a type there is not', { type: 'objekt' }, '/input_schema/type'],
    ['a pattern that is none', { properties: { a: { pattern: '(' } } }, '/input_schema/properties/a/pattern'],
    ['an input that is no object', { type: 'string' }, '/input_schema/type'],
    [
      'a required key it forbids',
      { required: ['a'], additionalProperties: false },
      '/input_schema/required/0',
    ],
    [
      'bounds with nothing between',
      { required: ['n'], properties: { n: { type: 'integer', minimum: 5, maximum: 1 } } },
      '/input_schema/properties/n/minimum',
    ],
    [
      'a required key of no value',
      { required: ['n'], properties: { n: { enum: [] } } },
      '/input_schema/properties/n/enum',
    ],
  ])(
    'with %s are refused where they are wrong, and nothing is stored',
    async (_what, input_schema, pointer) => {
      const { status, body } = await put({ input_schema });
      expect([status, body.errors.map((one: { pointer: string }) => one.pointer)]).toEqual([422, [pointer]]);
      expect((await api.send('GET', '/v1/tools/my.tool')).status).toBe(404);
      const posted = await api.send('POST', '/v1/tools', {
        body: { address: 'my.tool', kind: 'http', http: { url: 'https://example.com/' }, input_schema },
      });
      expect(posted.body.errors[0].pointer).toBe(pointer);
    },
  );

  it('are told beside everything else that is wrong with it', async () => {
    const { body } = await put({
      address: 'my.other',
      kind: 'htp',
      input_schema: { type: 'objekt' },
      output_schema: { $ref: 'https://example.com/schema' },
    });
    expect(body.errors.map((one: { pointer: string }) => one.pointer)).toEqual([
      '/address',
      '/kind',
      '/input_schema/type',
      '/output_schema/$ref',
    ]);
  });

  it('are taken when odd but possible', async () => {
    const odd = { required: ['a'], properties: { a: { minimum: 5, maximum: 1 } }, minProperties: 1 };
    expect((await put({ input_schema: odd })).status).toBe(201);
  });
});

it('a step whose question nobody is told of is warned of, and what to write is said', async () => {
  const create = async (name: string, approve: object) =>
    (
      await api.send('POST', '/v1/tasks', {
        body: {
          name,
          pipeline: [{ id: 'both', parallel: [{ id: 'ask', approve: { message: 'Go on?', ...approve } }] }],
        },
      })
    ).body.warnings;
  expect(await create('unheard', {})).toEqual([
    {
      code: 'approval_unheard',
      message: expect.stringContaining('Nobody is told when step ask asks') as string,
      hint: 'notify: { approvals: phone } in pao.config.yaml, or approve: { notify: phone } in the step',
    },
  ]);
  expect(await create('heard', { notify: 'phone' })).toEqual([]);
});
