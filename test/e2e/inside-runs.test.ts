import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AgentObject, RunObject, TaskObject } from '../../src/client/api-objects.js';
import { type Pao, startPao } from './start-pao.js';

// What agents do from inside a run: a tool calls back into pao with the token of the run it works for.

const SCOPES = ['tasks:read', 'tasks:write', 'runs:read', 'runs:write', 'tool:*'];
const echo = [{ id: 'say', uses: 'debug.echo', with: { a: 1 } }];
let pao: Pao;

beforeAll(async () => {
  pao = await startPao();
  const { host } = new URL(pao.url);
  const back = async (address: string, method: string, url: string, headers: Record<string, string>) => {
    const { status, body } = await pao.api('PUT', `/v1/tools/${address}`, {
      address,
      kind: 'http',
      side_effect: 'idempotent',
      grants: [host],
      http: { method, url: `${pao.url}${url}`, headers, body: '${input}' },
    });
    if (status !== 201) throw new Error(JSON.stringify(body));
  };
  const authorization = 'Bearer ${call.run_token}';
  await back('pao.create_task', 'POST', '/v1/tasks', { authorization });
  await back('pao.see', 'GET', '/v1/agents/me', { authorization });
});
afterAll(async () => {
  await pao.stop();
  pao.cleanUp();
});

async function anAgent(name: string, scopes: string[]): Promise<{ id: string; token: string }> {
  const { body } = await pao.api<{ id: string; token: { secret: string } }>('POST', '/v1/agents', {
    name,
    scopes,
  });
  return { id: body.id, token: body.token.secret };
}
async function ended(task: string): Promise<RunObject> {
  const { body } = await pao.api<RunObject>('POST', `/v1/tasks/${task}/run?wait=20s`, {});
  return body;
}
const creating = (name: string, child: unknown) => ({
  name,
  pipeline: [{ id: 'make', uses: 'pao.create_task', with: child }],
});

test('a task may be created from inside a run with tasks:spawn alone, and says where it comes from', async () => {
  const plain = await anAgent('plain', SCOPES);
  await pao.api('POST', '/v1/tasks', creating('tries', { name: 'child', pipeline: echo }), {
    token: plain.token,
  });
  const refused = await ended('tries');
  expect(refused).toMatchObject({ status: 'failed' });
  expect(refused.error?.message).toMatch(/creating tasks there needs the scope tasks:spawn/);

  const spawner = await anAgent('spawner', [...SCOPES, 'tasks:spawn']);
  const { body: parent } = await pao.api<TaskObject>(
    'POST',
    '/v1/tasks',
    creating('makes', { name: 'child', pipeline: echo }),
    { token: spawner.token },
  );
  const run = await ended(parent.id);
  expect(run).toMatchObject({ status: 'succeeded' });
  const { body: child } = await pao.api<TaskObject>('GET', '/v1/tasks/child', undefined, {
    token: spawner.token,
  });
  expect(child).toMatchObject({
    agent_id: spawner.id,
    created_by: `agent:${spawner.id}`,
    created_in_run: run.id,
  });
  expect((await pao.cli(['task', 'show', child.id])).stdout).toContain(`in the run ${run.id}`);
});

test('a tool of an MCP server that asks for it acts for the run, with tasks:spawn or without', async () => {
  const tokenFile = join(pao.home, 'token-of-the-run');
  const reach = {
    transport: 'stdio',
    command: process.execPath,
    args: [fileURLToPath(new URL('calls-back.mjs', import.meta.url))],
    env: { PAO: pao.url },
  };
  const servers = [
    { ...reach, name: 'back', run_token: true, env: { ...reach.env, TOKEN_FILE: tokenFile } },
    { ...reach, name: 'deaf' },
  ];
  expect((await pao.api('POST', '/v1/tools/import', { document: { servers } })).status).toBe(200);
  const makes = {
    name: 'makes',
    retry: { max: 0 },
    pipeline: [{ id: 'make', uses: 'back.make', with: { name: 'child', pipeline: echo } }],
  };

  const plain = await anAgent('mcp-plain', SCOPES);
  const { body: tries } = await pao.api<TaskObject>('POST', '/v1/tasks', makes, { token: plain.token });
  const refused = await ended(tries.id);
  expect(refused).toMatchObject({ status: 'dead', reason: 'tool_error' });
  expect(refused.error?.message).toMatch(/creating tasks there needs the scope tasks:spawn/);

  const spawner = await anAgent('mcp-spawner', [...SCOPES, 'tasks:spawn']);
  const { body: parent } = await pao.api<TaskObject>('POST', '/v1/tasks', makes, { token: spawner.token });
  const run = await ended(parent.id);
  expect(run).toMatchObject({ status: 'succeeded' });
  const { body: child } = await pao.api<TaskObject>('GET', '/v1/tasks/child', undefined, {
    token: spawner.token,
  });
  expect(child).toMatchObject({ created_by: `agent:${spawner.id}`, created_in_run: run.id });

  const tells = {
    name: 'tells',
    pipeline: [
      { id: 'heard', uses: 'back.tell' },
      { id: 'deaf', uses: 'deaf.tell' },
    ],
  };
  const { body: telling } = await pao.api<TaskObject>('POST', '/v1/tasks', tells, { token: spawner.token });
  const [heard, deaf] = (await ended(telling.id)).steps ?? [];
  // It had one, and whoever reads the run sees that, not the token.
  expect(heard?.output).toMatchObject({ token: '***', from: 'pao_r_', me: { name: 'mcp-spawner' } });
  expect(deaf?.output).toMatchObject({ token: null });
  const kept = readFileSync(tokenFile, 'utf8');
  expect(kept).toMatch(/^pao_r_[0-9a-f]{32}_/);
  expect((await pao.api('GET', '/v1/agents/me', undefined, { token: kept })).status).toBe(401);
  expect(pao.output()).not.toContain('pao_r_');
});

test('an MCP server that is to act for runs is an operator’s to add', async () => {
  const writer = await anAgent('writer', [...SCOPES, 'tools:write']);
  const add = (address: string, mcp: object) =>
    pao.api('PUT', `/v1/tools/${address}`, { address, kind: 'mcp', mcp }, { token: writer.token });
  const server = { name: 'far', transport: 'http', url: 'https://mcp.example.com/mcp' };
  expect((await add('far.one', { server, tool: 'one' })).status).toBe(201);
  expect((await add('far.two', { server, tool: 'two', run_token: true })).status).toBe(403);
});

test('tasks that create tasks are bounded', async () => {
  const { token } = await anAgent('nester', [...SCOPES, 'tasks:spawn']);
  let nested: unknown = { name: 'level-5', pipeline: echo };
  for (const level of [4, 3, 2, 1]) nested = creating(`level-${level}`, nested);
  await pao.api('POST', '/v1/tasks', creating('level-0', nested), { token });
  for (const level of [0, 1, 2]) expect(await ended(`level-${level}`)).toMatchObject({ status: 'succeeded' });
  const last = await ended('level-3');
  expect(last).toMatchObject({ status: 'failed' });
  expect(last.error?.message).toMatch(/tasks may create tasks 3 deep/);
});

test('a run token ends with its run, and never is an administrator', async () => {
  await pao.api('POST', '/v1/tasks', {
    name: 'looks',
    pipeline: [
      { id: 'see', uses: 'pao.see' },
      { id: 'ask', approve: { message: 'Go on?', expires_in: '1h' } },
    ],
  });
  const { body: run } = await pao.api<RunObject>('POST', '/v1/tasks/looks/run', {});
  await expect
    .poll(async () => (await pao.api<RunObject>('GET', `/v1/runs/${run.id}`)).body.status, {
      timeout: 20_000,
    })
    .toBe('waiting');
  const { body } = await pao.api<RunObject>('GET', `/v1/runs/${run.id}`);
  const [see] = body.steps ?? [];
  expect(see).toMatchObject({ output: { name: 'admin' } });
  const forged = `pao_r_${run.id.slice(4)}_${'A'.repeat(43)}`;
  expect((await pao.api('GET', '/v1/agents/me', undefined, { token: forged })).status).toBe(401);
});

test('a call that names the run it comes from is held to it', async () => {
  const { token } = await anAgent('honest', SCOPES);
  const { body: task } = await pao.api<TaskObject>(
    'POST',
    '/v1/tasks',
    { name: 'mine', pipeline: echo },
    { token },
  );
  const run = await ended(task.id);
  const inside = { token, headers: { 'pao-run': run.id } };
  const refused = await pao.api('POST', '/v1/tasks', { name: 'more', pipeline: echo }, inside);
  expect(refused.status).toBe(403);
  const started = await pao.api<RunObject>('POST', `/v1/tasks/${task.id}/run`, {}, inside);
  expect(started.body).toMatchObject({ parent_run_id: run.id });
  const foreign = await pao.api('GET', '/v1/tasks', undefined, {
    token,
    headers: { 'pao-run': `run_${'0'.repeat(32)}` },
  });
  expect(foreign.status).toBe(422);
});

test('an agent has no more tasks than it may, and is warned before', async () => {
  const { id, token } = await anAgent('collector', SCOPES);
  expect((await pao.cli(['agent', 'limit', 'collector', '--tasks', '2'])).code).toBe(0);
  const add = (name: string) =>
    pao.api<{ warnings?: { code: string }[]; detail?: string }>(
      'POST',
      '/v1/tasks',
      { name, pipeline: echo },
      { token },
    );
  expect((await add('one')).body.warnings).toEqual([]);
  expect((await add('two')).body.warnings).toMatchObject([{ code: 'task_quota' }]);
  const third = await add('three');
  expect(third.status).toBe(409);
  expect(third.body.detail).toContain('collector has 2 tasks, and may have 2');
  await pao.api('POST', '/v1/tasks/two/cancel', {}, { token });
  expect((await add('three')).status).toBe(201);
  expect((await pao.api<AgentObject>('GET', `/v1/agents/${id}`)).body.max_tasks).toBe(2);
});
