import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OldStdioTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as OldHttpTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Pao, startPao } from './start-pao.js';

const bin = fileURLToPath(new URL('../../bin/run.cjs', import.meta.url));

interface ToolAnswer {
  isError?: boolean;
  content: { text?: string }[];
  structuredContent?: Record<string, unknown> & { id: string; status: string };
}
interface AnyClient {
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  listTools(): Promise<{ tools: { name: string }[] }>;
  close(): Promise<void>;
}
type Answer = { action: 'accept' | 'decline'; content?: Record<string, string> };

let pao: Pao;
const open: AnyClient[] = [];
/** What the person was asked last, and what they say to the next question. */
let questions: string[];
let says: Answer | ((message: string) => Promise<Answer>);

beforeAll(async () => {
  pao = await startPao();
  await pao.api('PUT', '/v1/tasks/by-name/letter', {
    name: 'letter',
    pipeline: [
      { id: 'ask', approve: { message: 'Send it?', data: { text: 'hello' }, expires_in: '1h' } },
      { id: 'say', uses: 'debug.echo', with: { text: '${steps.ask.data.text}' } },
    ],
  });
  await pao.api('PUT', '/v1/tasks/by-name/two-letters', {
    name: 'two-letters',
    pipeline: [
      { id: 'first', approve: { message: 'The first?', expires_in: '1h' } },
      { id: 'second', approve: { message: 'The second?', expires_in: '1h' } },
    ],
  });
  await pao.api('PUT', '/v1/tasks/by-name/long-letter', {
    name: 'long-letter',
    pipeline: [
      { id: 'ask', approve: { message: 'Send it?', data: 'dear '.repeat(1000), expires_in: '1h' } },
      { id: 'say', uses: 'debug.echo', with: { text: '${steps.ask.data}' } },
    ],
  });
  await pao.api('PUT', '/v1/tasks/by-name/asks-a-friend', {
    name: 'asks-a-friend',
    pipeline: [{ id: 'call', uses: 'task.run', with: { task: 'letter' } }],
  });
});
afterAll(async () => {
  for (const client of open) await client.close();
  await pao.stop();
  pao.cleanUp();
});

const person = async ({ params }: { params: { message: string } }) => {
  questions.push(params.message);
  return typeof says === 'function' ? says(params.message) : says;
};
const env = () => ({ PAO_HOME: pao.home, PATH: process.env['PATH'] ?? '', HOME: pao.home });
const headers = (token = pao.token, more = {}) => ({
  requestInit: { headers: { authorization: `Bearer ${token}`, ...more } },
});
const program = () => ({ command: process.execPath, args: [bin, 'mcp'], env: env(), cwd: pao.home });

async function modern(
  transport: 'http' | 'stdio',
  capabilities: object = { elicitation: {} },
  http = headers(),
): Promise<AnyClient> {
  const client = new Client({ name: 'test', version: '1' }, {
    capabilities,
    versionNegotiation: { mode: 'auto' },
  } as never);
  if ('elicitation' in capabilities) client.setRequestHandler('elicitation/create', person as never);
  await client.connect(
    transport === 'http'
      ? new StreamableHTTPClientTransport(new URL(`${pao.url}/mcp`), http)
      : new StdioClientTransport(program()),
  );
  expect(client.getProtocolEra()).toBe('modern');
  open.push(client as unknown as AnyClient);
  return client as unknown as AnyClient;
}

async function old(
  transport: 'http' | 'stdio',
  capabilities: object = { elicitation: {} },
  http = headers(),
): Promise<AnyClient> {
  const client = new OldClient({ name: 'test', version: '1' }, { capabilities });
  if ('elicitation' in capabilities) client.setRequestHandler(ElicitRequestSchema, person as never);
  await client.connect(
    (transport === 'http'
      ? new OldHttpTransport(new URL(`${pao.url}/mcp`), http)
      : new OldStdioTransport(program())) as never,
  );
  open.push(client as unknown as AnyClient);
  return client as unknown as AnyClient;
}

const call = async (client: AnyClient, name: string, input: Record<string, unknown>) =>
  (await client.callTool({ name, arguments: input })) as ToolAnswer;

/** A run that waits for a person. @returns the id of its approval. */
async function waitingRun(task = 'letter'): Promise<{ run: string; approval: string }> {
  const { body } = await pao.api<{ id: string }>('POST', `/v1/tasks/${task}/run?wait=1s`, {});
  for (;;) {
    const { body: list } = await pao.api<{ items: { id: string; run_id: string }[] }>('GET', '/v1/approvals');
    const found = list.items.find(({ run_id }) => run_id === body.id);
    if (found !== undefined) return { run: body.id, approval: found.id };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const clients: [string, () => Promise<AnyClient>][] = [
  ['a client of 2026 over HTTP', () => modern('http')],
  ['a client of 2026 over stdio (pao mcp)', () => modern('stdio')],
  ['a client of 2025 (v1 SDK) over HTTP', () => old('http')],
  ['a client of 2025 (v1 SDK) over stdio (pao mcp)', () => old('stdio')],
];

describe.each(clients)('%s that can ask its person', (_title, connect) => {
  test('asks before approval_decide decides, and what the person says counts, not what the model said', async () => {
    const client = await connect();
    const { run, approval } = await waitingRun();
    questions = [];
    says = { action: 'accept', content: { decision: 'deny', comment: 'not today' } };
    const decided = await call(client, 'approval_decide', { id: approval, decision: 'approve' });
    expect(decided.structuredContent).toMatchObject({ state: 'denied', comment: 'not today' });
    expect(questions).toEqual([expect.stringMatching(/letter asks: Send it\?[\s\S]*"text": "hello"/)]);
    const { body } = await pao.api('GET', `/v1/runs/${run}?wait=10s`);
    expect(body['status']).toBe('failed');
  });

  test('asks as soon as a run asks, each question once, and answers with the run as it ended', async () => {
    const client = await connect();
    questions = [];
    says = { action: 'accept', content: { decision: 'approve' } };
    // Longer than a client waits for an answer: who is asked at its end is never asked.
    const ran = await call(client, 'task_run_now', { id: 'two-letters', wait: '60s' });
    expect(ran.structuredContent).toMatchObject({ status: 'succeeded' });
    expect(questions).toEqual(['two-letters asks: The first?', 'two-letters asks: The second?']);
    questions = [];
    says = async (message) => ({
      action: 'accept',
      content: message.includes('first')
        ? { decision: 'approve' }
        : { decision: 'deny', comment: 'not this one' },
    });
    const denied = await call(client, 'task_run_now', { id: 'two-letters', wait: '60s' });
    expect(denied.structuredContent).toMatchObject({ status: 'failed', reason: 'denied' });
    expect(JSON.stringify(denied.structuredContent)).toContain('not this one');
    const { body } = await pao.api<{ items: { status: string }[] }>('GET', '/v1/runs?status=waiting');
    expect(body.items).toEqual([]);
  });

  test('leaves it open when the person closes the question', async () => {
    const client = await connect();
    const { approval, run } = await waitingRun();
    questions = [];
    says = { action: 'decline' };
    const left = await call(client, 'approval_decide', { id: approval, decision: 'approve' });
    expect(left.isError).toBe(true);
    expect(left.content[0]?.text).toContain(`id ${approval}`);
    const { body } = await pao.api('GET', `/v1/approvals/${approval}`);
    expect(body['state']).toBe('pending');
    await pao.api('POST', `/v1/runs/${run}/cancel`, {});
  });
});

test('the answer of a person has no word of the model, and nothing that they were not shown', async () => {
  const client = await modern('http');
  const { run, approval } = await waitingRun('long-letter');
  questions = [];
  says = { action: 'accept', content: { decision: 'approve' } };
  const unseen = { id: approval, decision: 'approve', data: `${'dear '.repeat(1000)}and send money` };
  const refused = await call(client, 'approval_decide', unseen);
  expect(refused.isError).toBe(true);
  expect(refused.content[0]?.text).toContain(`pao run approve ${run} ask --data @FILE`);
  expect(questions).toEqual([]);
  expect((await pao.api('GET', `/v1/approvals/${approval}`)).body['state']).toBe('pending');
  const answer = { id: approval, decision: 'deny', data: 'short', comment: 'I have read all of it' };
  const decided = await call(client, 'approval_decide', answer);
  expect(decided.structuredContent).toMatchObject({ state: 'approved', data: 'short', comment: null });
  expect(questions).toEqual([
    expect.stringMatching(/\(the first 3000 of 5000 characters; [^)]*\)\n\nChanged to:\nshort$/),
  ]);
});

test('what a person says to a question that was answered elsewhere meanwhile is no answer to the next one', async () => {
  const client = await modern('http');
  questions = [];
  const openOf = async (step: string) => {
    const { body } = await pao.api<{ items: { id: string; step: string; task_name: string }[] }>(
      'GET',
      '/v1/approvals',
    );
    return body.items.find((one) => one.task_name === 'two-letters' && one.step === step);
  };
  says = async (message) => {
    if (message.includes('second')) return { action: 'decline' };
    await pao.api('POST', `/v1/approvals/${(await openOf('first'))?.id}`, { decision: 'approve' });
    await expect.poll(() => openOf('second'), { timeout: 20_000 }).toBeDefined();
    return { action: 'accept', content: { decision: 'approve' } };
  };
  const ran = await call(client, 'task_run_now', { id: 'two-letters', wait: '60s' });
  expect(questions).toHaveLength(2);
  const { id, status, approvals } = ran.structuredContent as unknown as {
    id: string;
    status: string;
    approvals: { id: string; step: string; state: string }[];
  };
  expect([status, approvals]).toMatchObject(['waiting', [{ step: 'second', state: 'pending' }]]);
  expect(ran.content[1]?.text).toContain(`pao run approve ${id} second`);
  await pao.api('POST', `/v1/runs/${id}/cancel`, {});
});

test('the question of a task that is called is asked while its caller is waited for', async () => {
  const client = await modern('http');
  questions = [];
  says = { action: 'accept', content: { decision: 'approve' } };
  const ran = await call(client, 'task_run_now', { id: 'asks-a-friend', wait: '60s' });
  expect(ran.structuredContent).toMatchObject({ status: 'succeeded' });
  expect(questions).toEqual([expect.stringMatching(/^letter asks: Send it\?/)]);
});

test('where several processes serve the API, a client of 2025 is told the approval instead of being asked', async () => {
  const database = new Database(join(pao.home, 'orchestrator.db'));
  // The sign of life that another API on this database gives.
  database
    .prepare(
      `INSERT INTO worker_heartbeat SELECT 'elsewhere', 'api', 'a2', 1, 'other', version, tags, started_at,
        last_seen_at + 600000, 0, 0 FROM worker_heartbeat WHERE kind = 'api' LIMIT 1`,
    )
    .run();
  try {
    for (const [connect, asked] of [
      [() => old('http'), 0],
      [() => modern('http'), 1],
    ] as const) {
      const client = await connect();
      const { approval, run } = await waitingRun();
      questions = [];
      says = { action: 'accept', content: { decision: 'deny' } };
      const answer = await call(client, 'approval_decide', { id: approval });
      expect(questions).toHaveLength(asked);
      if (asked === 0) {
        expect(answer.isError).toBe(true);
        expect(answer.content[0]?.text).toContain(`call approval_decide with id ${approval}`);
        await pao.api('POST', `/v1/runs/${run}/cancel`, {});
      }
    }
  } finally {
    database.prepare("DELETE FROM worker_heartbeat WHERE id = 'elsewhere'").run();
    database.close();
  }
});

describe.each([
  ['of 2026', () => modern('http', {})],
  ['of 2025', () => old('http', {})],
])('a client %s that can not ask', (_title, connect) => {
  test('is told which approval waits and what to call, and decides with what its person said', async () => {
    const client = await connect();
    const ran = await call(client, 'task_run_now', { id: 'letter', wait: '60s' });
    const run = ran.structuredContent as unknown as {
      id: string;
      status: string;
      approvals: { id: string }[];
    };
    expect(run).toMatchObject({ status: 'waiting', approvals: [{ step: 'ask', message: 'Send it?' }] });
    const id = run.approvals[0]?.id as string;
    expect(ran.content[1]?.text).toContain(`call approval_decide with id ${id}`);
    const open = await call(client, 'approval_decide', { id });
    expect(open.isError).toBe(true);
    expect(open.content[0]?.text).toContain(`pao run approve ${run.id} ask`);
    expect(
      (await call(client, 'approval_decide', { id, decision: 'approve' })).structuredContent,
    ).toMatchObject({
      state: 'approved',
    });
    const late = await call(client, 'approval_decide', { id });
    expect(late.content[0]?.text).toMatch(/was approved already/);
  });
});

describe.each([
  ['of 2026', modern],
  ['of 2025', old],
] as const)('through a client %s', (title, connect) => {
  let http: ReturnType<typeof headers>;
  let token: string;
  const name = `helper${title.replace(/\W/g, '-')}`;
  const ASKS = ['approvals:ask', 'tasks:read', 'tasks:write', 'runs:read', 'runs:write', 'tool:debug.echo'];

  const waiting = async () => {
    const run = async (path: string, body?: unknown) =>
      (await pao.api(body === undefined ? 'GET' : 'POST', path, body, { token })).body;
    const { id } = await run('/v1/tasks/note/run', {});
    for (;;) {
      const { items } = (await run('/v1/approvals')) as { items: { id: string; run_id: string }[] };
      const found = items.find(({ run_id }) => run_id === id);
      if (found !== undefined) return { run: id as string, approval: found.id };
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const sees = async (client: AnyClient) => (await client.listTools()).tools.map((tool) => tool.name);

  beforeAll(async () => {
    const made = await pao.api<{ token: { secret: string } }>('POST', '/v1/agents', { name, scopes: ASKS });
    token = made.body.token.secret;
    http = headers(token);
    const pipeline = [{ id: 'ask', approve: { message: 'Keep it?', expires_in: '1h' } }];
    await pao.api('POST', '/v1/tasks', { name: 'note', pipeline }, { token });
  });

  test('a token that may only ask brings back what the person said, and the audit log says how', async () => {
    const client = await connect('http', { elicitation: {} }, http);
    expect(await sees(client)).toContain('approval_decide');
    const { approval } = await waiting();
    questions = [];
    says = { action: 'accept', content: { decision: 'deny' } };
    const decided = await call(client, 'approval_decide', { id: approval, decision: 'approve' });
    expect(decided.structuredContent).toMatchObject({ state: 'denied' });
    expect(questions).toHaveLength(1);
    const { items } = await pao.json<{ items: unknown[] }>(['audit', 'list', '--action', 'approval.denied']);
    expect(items[0]).toMatchObject({ target: approval, details: { via: 'elicitation', agent: name } });
    const late = await call(client, 'approval_decide', { id: approval, decision: 'approve' });
    expect(late.content[0]?.text).toMatch(/was denied already/);
    expect(questions).toHaveLength(1);
  });

  test('with it the model decides nothing by itself: not without a person, nor for one of inside a run', async () => {
    const { run, approval } = await waiting();
    questions = [];
    for (const [capabilities, more] of [
      [{}, {}],
      [{ elicitation: {} }, { 'pao-run': run }],
    ]) {
      const client = await connect('http', capabilities as object, headers(token, more));
      expect(await sees(client)).not.toContain('approval_decide');
      const answer = { id: approval, decision: 'approve' };
      await expect(client.callTool({ name: 'approval_decide', arguments: answer })).rejects.toThrow(
        /approval_decide/,
      );
      const shown = await call(client, 'run_get', { id: run });
      expect(shown.content[1]?.text).toMatch(
        new RegExp(`may not decide it: tell them to run pao run approve ${run} ask`),
      );
      expect(shown.content[1]?.text).not.toContain('approval_decide');
    }
    const answer = { decision: 'approve' };
    expect((await pao.api('POST', `/v1/approvals/${approval}`, answer, { token })).status).toBe(403);
    expect((await pao.api('GET', `/v1/approvals/${approval}`)).body['state']).toBe('pending');
    expect(questions).toEqual([]);
  });

  test('a token without approvals:ask can not say that it asked', async () => {
    const made = await pao.api<{ token: { secret: string } }>('POST', '/v1/agents', {
      name: `${name}-plain`,
    });
    const client = await connect('http', { elicitation: {} }, headers(made.body.token.secret));
    expect(await sees(client)).not.toContain('approval_decide');
  });
});
