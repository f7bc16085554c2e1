import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { DryRunObject } from '../../src/cli/render/dry-run.js';
import type { RunObject } from '../../src/client/api-objects.js';
import { type Pao, startPao } from './start-pao.js';

// What repeating a call does (read, idempotent, once) decides about retries, replays and dry runs.

/** What the other side does with the next call of a path: a status, or `drop` after it took the call. */
type Reply = number | 'drop';

let pao: Pao;
let server: Server;
let calls: { path: string; body: string }[] = [];
const replies = new Map<string, Reply[]>();

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      const path = request.url ?? '';
      calls.push({ path, body });
      const reply = replies.get(path)?.shift() ?? 200;
      if (reply === 'drop') {
        request.socket.destroy();
        return;
      }
      response.writeHead(reply, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ number: calls.length }));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  pao = await startPao();
  for (const side_effect of ['read', 'idempotent', 'once'] as const) {
    const { status, body } = await pao.api('PUT', `/v1/tools/other.${side_effect}`, {
      address: `other.${side_effect}`,
      kind: 'http',
      side_effect,
      grants: [host],
      http: { method: 'POST', url: `http://${host}/${side_effect}`, body: '${input}' },
    });
    if (status !== 201) throw new Error(JSON.stringify(body));
  }
});
afterAll(async () => {
  await pao.stop();
  pao.cleanUp();
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});
beforeEach(() => {
  calls = [];
  replies.clear();
});

const callsOf = (path: string) => calls.filter((call) => call.path === `/${path}`).length;

async function runOf(name: string, pipeline: object[]): Promise<RunObject> {
  const { status, body } = await pao.api('PUT', `/v1/tasks/by-name/${name}`, {
    name,
    retry: { max: 1, base: '10ms' },
    pipeline,
  });
  if (status >= 300) throw new Error(JSON.stringify(body));
  const run = await pao.api<RunObject>('POST', `/v1/tasks/${name}/run`, {});
  return (await pao.api<RunObject>('GET', `/v1/runs/${run.body.id}?wait=20s`)).body;
}
const ended = async (id: string) => (await pao.api<RunObject>('GET', `/v1/runs/${id}?wait=20s`)).body;
const replay = async (args: string[]) => {
  const { code, stdout, stderr } = await pao.cli(['run', 'replay', ...args, '--wait', '--json']);
  return { code, stderr, run: stdout === '' ? null : (JSON.parse(stdout) as RunObject) };
};

test('a lost answer is asked for again, unless the call may be made only once', async () => {
  for (const kind of ['read', 'idempotent', 'once']) replies.set(`/${kind}`, ['drop']);
  expect(await runOf('reads', [{ id: 'call', uses: 'other.read' }])).toMatchObject({ status: 'succeeded' });
  expect(await runOf('repeats', [{ id: 'call', uses: 'other.idempotent' }])).toMatchObject({
    status: 'succeeded',
  });
  const lost = await runOf('sends', [{ id: 'call', uses: 'other.once' }]);
  expect(lost).toMatchObject({ status: 'partial', reason: 'unknown_outcome' });
  expect(lost.steps).toMatchObject([{ id: 'call', status: 'unknown', attempts: 1 }]);
  expect(['read', 'idempotent', 'once'].map(callsOf)).toEqual([2, 2, 1]);
});

test('a refusal that came for sure is tried again, also of a call that may be made only once', async () => {
  replies.set('/once', [503]);
  expect(await runOf('refused', [{ id: 'call', uses: 'other.once' }])).toMatchObject({ status: 'succeeded' });
  expect(callsOf('once')).toBe(2);
});

test('a person settles a lost outcome; only then a replay goes on, and does what was not done', async () => {
  const pipeline = [
    { id: 'send', uses: 'other.once', with: { text: 'hello' } },
    { id: 'use', uses: 'debug.echo', with: { number: '${steps.send.number}' } },
  ];
  replies.set('/once', ['drop']);
  const lost = await runOf('settles', pipeline);
  const early = await pao.cli(['run', 'replay', lost.id]);
  expect(early.code).toBe(1);
  expect(early.stderr).toContain(`pao run resolve ${lost.id} send --done`);
  expect(callsOf('once')).toBe(1);

  const resolved = await pao.cli(['run', 'resolve', lost.id, '--done', '--output', '{"number": 7}']);
  expect(resolved.stderr).toMatch(/settles: the step did its work/);
  const { run } = await replay([lost.id]);
  expect(run).toMatchObject({ status: 'succeeded', output: { number: 7 } });
  expect(callsOf('once')).toBe(1);
  const twice = await pao.cli(['run', 'resolve', lost.id, '--not-done']);
  expect(twice).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/outcome of every step .* is known/),
  });

  replies.set('/once', ['drop']);
  const other = await runOf('settles', pipeline);
  const api = await pao.api<RunObject>('POST', `/v1/runs/${other.id}/resolve`, {
    outcome: 'not_done',
    comment: 'not in the outbox',
  });
  expect(api.body.steps?.[0]).toMatchObject({
    status: 'failed',
    reason: 'resolved',
    error: { message: expect.stringContaining('not in the outbox') as string },
  });
  expect((await replay([other.id])).run).toMatchObject({ status: 'succeeded' });
  expect(callsOf('once')).toBe(3);
  const { items } = (await pao.api<{ items: { action: string }[] }>('GET', '/v1/audit?limit=50')).body;
  expect(items.filter(({ action }) => action === 'run.resolved')).toHaveLength(2);
});

test('a replay does not make calls again that were made once, unless it is told to', async () => {
  const pipeline = [
    { id: 'look', uses: 'other.read' },
    {
      id: 'both',
      parallel: [
        { id: 'pay', uses: 'other.once' },
        { id: 'see', uses: 'other.read' },
      ],
    },
    { id: 'each', uses: 'other.once', foreach: { items: '`[1, 2, 3]`', max_concurrency: 1 } },
    { id: 'end', uses: 'other.idempotent' },
  ];
  // The third item is refused for good: two were sent before it.
  replies.set('/once', [200, 200, 200, 400]);
  const failed = await runOf('replays', pipeline);
  expect(failed).toMatchObject({ status: 'failed' });
  expect([callsOf('read'), callsOf('once')]).toEqual([2, 4]);

  const first = await replay([failed.id]);
  expect(first.run).toMatchObject({ status: 'succeeded', parent_run_id: failed.id });
  expect([callsOf('read'), callsOf('once'), callsOf('idempotent')]).toEqual([4, 5, 1]);

  const whole = (first.run as RunObject).id;
  const told = await pao.cli(['run', 'replay', whole, '--from-step', 'each']);
  expect(told.stderr).toMatch(/Keeps what was done: .*each/);
  await ended(told.stdout.trim());
  expect([callsOf('read'), callsOf('once'), callsOf('idempotent')]).toEqual([4, 5, 2]);

  expect((await replay([whole, '--again'])).run).toMatchObject({ status: 'succeeded' });
  expect([callsOf('read'), callsOf('once'), callsOf('idempotent')]).toEqual([6, 9, 3]);
});

test('a dry run calls what only reads, shows the rest with its input, and leaves no trace', async () => {
  await pao.cli(['secret', 'set', 'DRY'], { input: 'value-of-a-dry-run' });
  const { body: task, status } = await pao.api<{ id: string }>('POST', '/v1/tasks', {
    name: 'dry',
    dedupe: { key: 'dry', window: '1h' },
    params: { who: 'nobody' },
    pipeline: [
      { id: 'look', uses: 'other.read', with: { token: '${secrets.DRY}' } },
      { id: 'never', if: 'params.who == `"nobody"`', uses: 'other.once' },
      {
        id: 'ask',
        approve: { message: 'Send to ${params.who}?', data: { text: 'draft' }, expires_in: '1h' },
      },
      { id: 'rest', wait: { for: '3d' } },
      {
        id: 'send',
        uses: 'other.once',
        idempotency_key: 'dry',
        with: { to: '${params.who}', text: '${steps.ask.data.text}', number: '${steps.look.number}' },
      },
      { id: 'sub', uses: 'task.run', with: { task: 'dry' } },
      { id: 'use', uses: 'debug.echo', with: { id: '${steps.send.id}' } },
      { id: 'tell', kind: 'notify', uses: 'other.once', with: { text: 'done' } },
    ],
  });
  expect(status).toBe(201);
  const shown = await pao.json<DryRunObject>(['task', 'run', 'dry', '--dry-run', '--param', 'who=ana']);
  expect(shown).toMatchObject({ id: 'dry_run', dry_run: true, status: 'succeeded' });
  expect(shown.steps.map(({ id, action }) => [id, action])).toEqual([
    ['look', 'called'],
    ['never', 'skipped'],
    ['ask', 'would_wait'],
    ['rest', 'would_wait'],
    ['send', 'not_called'],
    ['sub', 'not_called'],
    ['use', 'not_shown'],
    ['tell', 'not_delivered'],
  ]);
  expect(shown.steps[0]).toMatchObject({ input: { token: '***' } });
  expect(shown.steps[2]).toMatchObject({ input: { message: 'Send to ana?' } });
  expect(shown.steps[4]).toMatchObject({ input: { to: 'ana', text: 'draft', number: 1 } });
  expect(['read', 'idempotent', 'once'].map(callsOf)).toEqual([1, 0, 0]);

  const { body: runs } = await pao.api<{ items: unknown[] }>('GET', `/v1/runs?task_id=${task.id}`);
  expect(runs.items).toEqual([]);
  for (const list of ['approvals', 'deliveries'])
    expect((await pao.api<{ items: unknown[] }>('GET', `/v1/${list}?limit=5`)).body.items).toEqual([]);

  const given = await pao.cli(['task', 'run', 'dry', '--dry-run', '--outputs', '{"send": {"id": 9}}']);
  expect(given.code).toBe(0);
  expect(given.stdout).toMatch(/use {2}debug\.echo {2}called/);
  expect(given.stdout).toMatch(/"id": 9/);
  expect(given.stdout).toMatch(/tell {2}other\.once {2}not delivered/);
  expect(given.stdout).toMatch(/Nothing was sent, and nothing of it is kept/);
  expect(given.stdout).not.toContain('value-of-a-dry-run');
  // What a dry run would have kept would be in the way now.
  const { body: real } = await pao.api<RunObject>('POST', `/v1/tasks/${task.id}/run`, {});
  expect(real.status).toBe('queued');
});

test('a dry run follows a foreach over what is not called where a schema says its shape, and says so where none does', async () => {
  const { status } = await pao.api('PUT', '/v1/tools/other.listing', {
    address: 'other.listing',
    kind: 'http',
    side_effect: 'once',
    output_schema: {
      type: 'object',
      properties: {
        items: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } },
      },
    },
    http: { method: 'POST', url: 'http://127.0.0.1:9/' },
  });
  expect(status).toBe(201);
  await pao.api('PUT', '/v1/tools/other.model', {
    address: 'other.model',
    kind: 'llm',
    llm: { provider: 'openai', base_url: 'http://127.0.0.1:9/v1', model: 'm' },
  });
  const each = (id: string, items: string) => ({
    id,
    uses: 'other.once',
    foreach: { items, as: 'one' },
    with: { name: '${one.name}' },
  });
  await pao.api('POST', '/v1/tasks', {
    name: 'lists',
    params: { who: 'nobody' },
    pipeline: [
      { id: 'known', uses: 'other.listing' },
      each('shown', 'steps.known.items'),
      { id: 'unknown', uses: 'other.once' },
      each('hidden', 'steps.unknown.items'),
      { id: 'plan', uses: 'other.model', with: { prompt: 'plan for ${params.who}', max_output_tokens: 300 } },
      { id: 'gate', if: 'steps.unknown.total > `3`', uses: 'debug.echo' },
      { id: 'after', uses: 'debug.echo', with: { text: 'still shown' } },
    ],
  });
  const { steps, ...run } = await pao.json<DryRunObject>(['task', 'run', 'lists', '--dry-run']);
  expect(steps.map(({ id, action }) => [id, action])).toEqual([
    ['known', 'not_called'],
    ['shown[0]', 'not_called'],
    ['shown', 'gathered'],
    ['unknown', 'not_called'],
    ['hidden', 'not_followed'],
    ['plan', 'not_called'],
    ['gate', 'skipped'],
    ['after', 'called'],
  ]);
  expect(steps[1]).toMatchObject({ input: { name: '' } });
  const [plan] = steps.filter(({ id }) => id === 'plan');
  // Of the request that would be sent, by the measure of budgets.
  const messages = [{ role: 'user', content: 'plan for nobody' }];
  const input_tokens = Math.ceil(JSON.stringify({ model: 'm', messages, max_tokens: 300 }).length / 2.3);
  expect(plan).toMatchObject({
    input: { prompt: 'plan for nobody' },
    output: { text: '' },
    usage: { input_tokens, output_tokens: 300, estimated: true },
  });
  expect(run.status).toBe('succeeded');
  const { stdout, stderr } = await pao.cli(['task', 'run', 'lists', '--dry-run']);
  expect(stdout).toContain(
    `Models would be asked, for at most ${input_tokens + 300} tokens without retries.`,
  );
  expect(stdout).toContain('can not be followed: its list comes from what was not called');
  expect(stderr + stdout).toContain('--outputs');
  const outputs = JSON.stringify({ unknown: { total: 4, items: [{ name: 'ana' }, { name: 'ben' }] } });
  const given = await pao.cli(['task', 'run', 'lists', '--dry-run', '--outputs', outputs, '--json']);
  const followed = (JSON.parse(given.stdout) as DryRunObject).steps;
  expect(followed.filter(({ id }) => id.startsWith('hidden[')).map(({ input }) => input)).toEqual([
    { name: 'ana' },
    { name: 'ben' },
  ]);
  expect(calls.filter(({ body }) => /ana|ben/.test(body))).toEqual([]);

  // The same in reality names the step that has no list.
  const bad = await runOf('no-list', [
    { id: 'one', uses: 'other.read' },
    { id: 'each', uses: 'other.once', foreach: { items: 'steps.one.items' }, with: {} },
  ]);
  expect(bad).toMatchObject({ status: 'failed', error: { kind: 'template', step: 'each' } });
  expect(bad.steps?.find(({ id }) => id === 'each')).toMatchObject({ status: 'failed', reason: 'template' });
});

test('a dry run says what is wrong, and ends with 1', async () => {
  await pao.api('POST', '/v1/tasks', {
    name: 'wrong',
    pipeline: [{ id: 'call', uses: 'time.now', with: { timezone: '${params.zone?}' } }],
    params: {},
  });
  const wrong = await pao.cli(['task', 'run', 'wrong', '--dry-run', '--param', 'zone=Mars/Phobos']);
  expect(wrong.code).toBe(1);
  expect(wrong.stdout).toMatch(/Mars\/Phobos/);
  expect(wrong.stdout).toMatch(/It would end as failed/);
});
