import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HeldTool, startHeldTool } from '../chaos/held-tool.js';
import { createTask, ended, homeWith, runOf, runTask, slotOf } from '../chaos/system.js';
import { createDatabase, type TestDatabase } from '../postgres/shared-cluster.js';
import { type Pao, startPao, until } from './start-pao.js';

interface Spent {
  tokens: number;
  estimated: boolean;
  requests: { state: string; tokens: number; reserved_tokens: number; estimated: boolean }[];
}
interface RunDetails {
  status: string;
  reason: string | null;
  attempt: number;
  error: { kind: string; message: string } | null;
  output: unknown;
  steps: { id: string; status: string; attempts: number; output: unknown }[];
  spent: Spent;
}

const ASK = { id: 'ask', uses: 'llm.held', with: { prompt: 'hello', max_output_tokens: 500 } };
const TOKENS_USED = 50;

describe.each(['sqlite', 'postgres'] as const)('a worker on %s', (engine) => {
  let pao: Pao;
  let tool: HeldTool;
  let database: TestDatabase | null = null;
  /** What has been asked and not been answered, by who asks; models are all `''`. */
  const held = new Map<string, (() => void)[]>();
  let holds = true;
  const asked = (prefix: string) =>
    tool.requests.filter(({ call }) => call.startsWith(prefix)).map(({ call }) => call);
  const release = (call: string) => held.get(call)?.shift()?.();
  const details = async (run: string) => (await pao.api<RunDetails>('GET', `/v1/runs/${run}`)).body;
  const begin = async (name: string, more: object) => {
    const task = await createTask(pao, name, more);
    return { task, run: (await runTask(pao, task)) as string };
  };

  beforeAll(async () => {
    if (engine === 'postgres') database = await createDatabase('killed');
    tool = await startHeldTool();
    tool.onCall = (call, answer, response) => {
      const respond = () => (call === '' ? answerAsModel(response) : answer());
      if (call.endsWith('bad')) response.writeHead(422).end('{}');
      else if (!holds || call.endsWith('now')) respond();
      else held.set(call, [...(held.get(call) ?? []), respond]);
    };
    pao = await startPao({
      home: homeWith(),
      ...(database === null ? {} : { env: { DATABASE_URL: database.url } }),
    });
    await tool.addTo(pao);
    const { status } = await pao.api('POST', '/v1/tools', {
      address: 'llm.held',
      title: 'Held',
      kind: 'llm',
      grants: [tool.address],
      llm: { provider: 'openai', base_url: `http://${tool.address}/v1`, model: 'held' },
    });
    if (status !== 201) throw new Error(`The model was not taken: ${status}`);
  });
  afterAll(async () => {
    try {
      await pao.stop();
    } finally {
      pao.cleanUp();
      await tool.close();
      await database?.drop();
    }
  });

  test('holds foreach to max_items, and keeps what others did when one item or one branch fails', async () => {
    const each = (more: object) => [
      {
        id: 'each',
        uses: 'probe.read',
        foreach: { items: 'params.items', ...more },
        with: { call: '${item}' },
        on_error: 'continue',
        retry: { max: 0 },
      },
    ];
    const tooMany = await begin('too-many', {
      params: { items: ['m/1now', 'm/2now', 'm/3now', 'm/4now'] },
      pipeline: each({ max_items: 3 }),
    });
    await ended(pao, tooMany.run);
    expect(await details(tooMany.run)).toMatchObject({
      status: 'failed',
      reason: 'template',
      error: { message: expect.stringContaining('4 items, more than max_items (3)') },
    });
    expect(asked('m/')).toEqual([]);

    const oneBad = await begin('one-bad', {
      params: { items: ['b/1now', 'b/bad', 'b/3now'] },
      pipeline: each({ max_concurrency: 3 }),
    });
    await ended(pao, oneBad.run);
    const { status, steps } = await details(oneBad.run);
    expect(status).toBe('partial');
    expect(steps.map(({ id, status: how }) => [id, how])).toEqual(
      expect.arrayContaining([
        ['each[0]', 'succeeded'],
        ['each[1]', 'failed'],
        ['each[2]', 'succeeded'],
      ]),
    );

    const branch = (id: string, more: object = {}) => ({
      id,
      uses: 'probe.read',
      with: { call: `p/${id}` },
      retry: { max: 0 },
      ...more,
    });
    const both = await begin('branches', {
      pipeline: [{ id: 'both', parallel: [branch('x_bad', { on_error: 'continue' }), branch('x_now')] }],
    });
    await ended(pao, both.run);
    expect(await details(both.run)).toMatchObject({
      status: 'partial',
      output: { x_bad: null, x_now: { ok: true } },
    });
    const fails = await begin('branch-fails', {
      pipeline: [{ id: 'both', parallel: [branch('y_bad'), branch('y_now')] }, branch('z_now')],
    });
    await ended(pao, fails.run);
    expect(await details(fails.run)).toMatchObject({ status: 'failed' });
    expect(asked('p/')).not.toContain('p/z_now');
    expect((await details(fails.run)).steps.find(({ id }) => id === 'y_now')).toMatchObject({
      status: 'succeeded',
    });
  });

  test('is killed while models are asked and pipelines are in the middle: nothing is lost, doubled or done again', async () => {
    const loose = await begin('loose', { pipeline: [ASK], budget: { per_day: { tokens: 5000 } } });
    const tight = await begin('tight', { pipeline: [ASK], budget: { per_run: { tokens: 900 } } });
    const items = [0, 1, 2, 3, 4, 5].map((n) => `i/${n}`);
    const each = await begin('each', {
      pipeline: [
        {
          id: 'each',
          uses: 'probe.read',
          foreach: { items: `\`${JSON.stringify(items)}\``, max_concurrency: 2 },
          with: { call: '${item}' },
        },
      ],
    });
    const branches = await begin('both', {
      pipeline: [
        {
          id: 'both',
          parallel: [
            { id: 'send', uses: 'probe.once', with: { call: 's/now' } },
            { id: 'slow', uses: 'probe.read', with: { call: 's/slow' } },
          ],
        },
      ],
    });
    // Item by item, and never more than two at once.
    for (let done = 0; done < 3; done += 1) {
      await until('two items to be under way', () => asked('i/').length === done + 2);
      release(`i/${done}`);
    }
    await until('all to be in the middle', async () => {
      const isSent = (await details(branches.run)).steps.some(
        ({ id, status }) => id === 'send' && status === 'succeeded',
      );
      return isSent && asked('i/').length === 5 && (held.get('')?.length ?? 0) === 2 && held.has('s/slow');
    });
    const before = (await details(loose.run)).spent;
    expect(before.requests).toMatchObject([{ state: 'reserved', estimated: true }]);
    const reserve = before.tokens;
    expect(reserve).toBeGreaterThan(500);

    const victim = pao.workerPids().get(slotOf(await runOf(pao, loose.run))) as number;
    holds = false;
    process.kill(victim, 'SIGKILL');
    for (const { run } of [loose, tight, each, branches]) await ended(pao, run);

    // What was set aside stays charged, as nobody knows what the model did; the second request is charged besides.
    const { status, attempt, spent } = await details(loose.run);
    expect([status, attempt]).toEqual(['succeeded', 2]);
    expect(spent.requests.map(({ state, tokens }) => [state, tokens])).toEqual([
      ['reserved', reserve],
      ['settled', TOKENS_USED],
    ]);
    expect(spent).toMatchObject({ tokens: reserve + TOKENS_USED, estimated: true });
    const task = await pao.api<{ spent_today: { tokens: number } }>('GET', `/v1/tasks/${loose.task}`);
    expect(task.body.spent_today.tokens).toBe(reserve + TOKENS_USED);
    const agent = await pao.api<{ spent_today: { tokens: number } }>('GET', '/v1/agents/me');
    expect(agent.body.spent_today.tokens).toBe(2 * reserve + TOKENS_USED);
    // Where it does not reach for a second request, there is none.
    const refused = await details(tight.run);
    expect([refused.status, refused.reason, refused.spent.tokens]).toEqual(['skipped', 'budget', reserve]);
    expect(asked('').filter((call) => call === '')).toHaveLength(3);

    expect(await details(each.run)).toMatchObject({ status: 'succeeded', attempt: 2 });
    expect(asked('i/').sort()).toEqual(['i/0', 'i/1', 'i/2', 'i/3', 'i/3', 'i/4', 'i/4', 'i/5']);
    // The branch that was done is done, though the other one was still under way.
    expect(await details(branches.run)).toMatchObject({
      status: 'succeeded',
      output: { send: { ok: true } },
    });
    expect(asked('s/').sort()).toEqual(['s/now', 's/slow', 's/slow']);
  });
});

function answerAsModel(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(
    JSON.stringify({
      choices: [{ message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: TOKENS_USED - 10, completion_tokens: 10 },
    }),
  );
}
