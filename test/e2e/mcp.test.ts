import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as OldHttpTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Pao, startPao } from './start-pao.js';

const bin = fileURLToPath(new URL('../../bin/run.cjs', import.meta.url));
const schedule = { kind: 'cron', expr: '30 8 * * 1-5', timezone: 'Europe/Berlin' };
const pipeline = [{ id: 'say', uses: 'debug.echo', with: { word: 'hello' } }];
const READ_TOOLS = [
  'agenda',
  'approval_list',
  'delivery_list',
  'health',
  'run_get',
  'run_list',
  'schedule_preview',
  'secret_list',
  'task_explain',
  'task_get',
  'task_list',
];

let pao: Pao;
const open: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  pao = await startPao();
});
afterAll(async () => {
  for (const client of open) await client.close();
  await pao.stop();
  pao.cleanUp();
});

interface ToolAnswer {
  isError?: boolean;
  content: { type: string; text?: string }[];
  structuredContent?: Record<string, unknown>;
}
interface AnyClient {
  listTools(): Promise<{ tools: { name: string; outputSchema?: unknown; annotations?: unknown }[] }>;
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
}

const bearer = (token: string) => ({ requestInit: { headers: { authorization: `Bearer ${token}` } } });

async function modern(token = pao.token): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${pao.url}/mcp`), bearer(token)));
  expect(client.getProtocolEra()).toBe('modern');
  open.push(client);
  return client;
}

async function old(): Promise<OldClient> {
  const client = new OldClient({ name: 'test', version: '1' });
  await client.connect(
    new OldHttpTransport(new URL(`${pao.url}/mcp`), bearer(pao.token)) as unknown as Parameters<
      OldClient['connect']
    >[0],
  );
  open.push(client);
  return client;
}

async function overStdio(): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  const env = { PAO_HOME: pao.home, PATH: process.env['PATH'] ?? '', HOME: pao.home };
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [bin, 'mcp'], env, cwd: pao.home }),
  );
  open.push(client);
  return client;
}

async function call(
  client: AnyClient,
  name: string,
  input: Record<string, unknown> = {},
): Promise<ToolAnswer> {
  return (await client.callTool({ name, arguments: input })) as ToolAnswer;
}

async function answer(client: AnyClient, name: string, input: Record<string, unknown> = {}) {
  const result = await call(client, name, input);
  if (result.isError === true || result.structuredContent === undefined)
    throw new Error(result.content[0]?.text);
  return result.structuredContent;
}

const clients: [string, () => Promise<AnyClient>][] = [
  ['a client of 2026 over HTTP', () => modern() as Promise<unknown> as Promise<AnyClient>],
  ['a client of 2025 (v1 SDK) over HTTP', () => old() as Promise<unknown> as Promise<AnyClient>],
  ['a client over stdio (pao mcp)', () => overStdio() as Promise<unknown> as Promise<AnyClient>],
];

describe.each(clients)('%s', (title, connect) => {
  test('previews a schedule, creates a task, runs it and reads what came of it', async () => {
    const client = await connect();
    const name = title.replace(/\W+/g, '-');

    const preview = await answer(client, 'schedule_preview', { schedule, count: 2 });
    expect(preview['words']).toContain('every weekday at 08:30 (Europe/Berlin)');

    const task = await answer(client, 'task_create', { name, schedule, pipeline });
    expect(task).toMatchObject({ name, outcome: 'created', timezone: 'Europe/Berlin' });
    expect(task['next_occurrences']).toHaveLength(5);
    expect(task['active_tasks']).toBeGreaterThan(0);

    const run = await answer(client, 'task_run_now', { id: name, idempotency_key: 'once', wait: '20s' });
    expect(run).toMatchObject({ status: 'succeeded', task_name: name });
    const again = await answer(client, 'task_run_now', { id: name, idempotency_key: 'once', wait: '20s' });
    expect(again['id']).toBe(run['id']);
    const shown = await answer(client, 'run_get', { id: run['id'] });
    expect(shown['steps']).toMatchObject([{ id: 'say', tool: 'debug.echo', status: 'succeeded' }]);

    const agenda = await answer(client, 'agenda', { hours: 24 * 7 });
    expect(agenda['items']).toContainEqual(expect.objectContaining({ task_name: name }));
    expect(await answer(client, 'health')).toMatchObject({ status: 'healthy' });
  });

  test('is told what is wrong in words it can act on', async () => {
    const client = await connect();
    const refused = await call(client, 'task_create', {
      name: 'wrong',
      schedule: { ...schedule, timezone: 'Europe/Berln' },
      pipeline: [{ id: 'say', uses: 'debug.ech' }],
    });
    expect(refused.isError).toBe(true);
    expect(refused.content[0]?.text).toMatch(/\/schedule\/timezone[\s\S]*Did you mean "debug.echo"/);
    const misspelt = await call(client, 'task_get', { idd: 'wrong' });
    expect(misspelt.content[0]?.text).toMatch(/\/id is missing[\s\S]*Did you mean id\?/);
  });

  test('reads resources and takes the prompt', async () => {
    const client = (await connect()) as AnyClient &
      Pick<Client, 'readResource' | 'getPrompt' | 'listPrompts'>;
    const name = `${title.replace(/\W+/g, '-')}-shown`;
    await answer(client, 'task_create', { name, pipeline });
    const { contents } = await client.readResource({ uri: `pao://task/${name}` });
    expect(JSON.parse((contents[0] as { text: string }).text)).toMatchObject({ name });
    expect((await client.listPrompts()).prompts.map((prompt) => prompt.name)).toEqual([
      'morning_briefing_setup',
    ]);
  });
});

test('every tool says what it answers and what it does; they come in the order of their names', async () => {
  const { tools } = await (await modern()).listTools();
  const names = tools.map(({ name }) => name);
  expect(names).toEqual([...names].sort());
  for (const tool of tools) {
    expect(tool.name).toMatch(/^[A-Za-z0-9_.-]{1,128}$/);
    expect(tool.outputSchema).toMatchObject({ type: 'object' });
    expect(tool.annotations?.readOnlyHint).toBeTypeOf('boolean');
    expect((tool.description ?? '').length).toBeGreaterThan(20);
  }
});

test('a token sees the tools it has the scopes for, and a revoked one is refused', async () => {
  const { body } = await pao.api<{ id: string; token: { id: string; secret: string } }>(
    'POST',
    '/v1/agents',
    {
      name: 'reader',
      scopes: ['tasks:read', 'runs:read'],
    },
  );
  const client = await modern(body.token.secret);
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(READ_TOOLS);
  await expect(client.callTool({ name: 'task_create', arguments: {} })).rejects.toThrow(/task_create/);

  await pao.api('DELETE', `/v1/agents/${body.id}/tokens/${body.token.id}`);
  await expect(client.callTool({ name: 'task_list', arguments: {} })).rejects.toThrow(/401|revoked/i);
});

test('a model finds in the list what it needs: what it may not call is marked, and what it set up it can stop', async () => {
  const { body } = await pao.api<{ token: { secret: string } }>('POST', '/v1/agents', {
    name: 'narrow',
    scopes: [
      'tasks:read',
      'tasks:write',
      'runs:read',
      'runs:write',
      'tools:read',
      'events:read',
      'tool:debug.echo',
    ],
  });
  const client = (await modern(body.token.secret)) as unknown as AnyClient;
  const { items } = (await answer(client, 'tool_list')) as { items: { address: string; usable?: boolean }[] };
  expect(items.find(({ address }) => address === 'debug.echo')).not.toHaveProperty('usable');
  expect(items.find(({ address }) => address === 'notify.webhook')).toMatchObject({ usable: false });
  const rest = await pao.api('GET', '/v1/tools', undefined, { token: body.token.secret });
  expect(JSON.stringify(rest.body)).not.toContain('"usable"');

  const waits = [{ id: 'nap', wait: { for: '1h' } }];
  await answer(client, 'task_create', { name: 'naps', schedule, pipeline: waits });
  const skipped = (await answer(client, 'task_skip', { id: 'naps' })) as { left_out: { local: string } };
  expect(skipped.left_out.local).toContain('08:30');
  const run = await answer(client, 'task_run_now', { id: 'naps' });
  await answer(client, 'run_cancel', { id: run['id'], reason: 'enough' });
  expect(await answer(client, 'run_get', { id: run['id'], wait: '20s' })).toMatchObject({
    status: 'canceled',
  });
  const { lines } = (await answer(client, 'task_explain', { id: 'naps' })) as { lines: { text: string }[] };
  expect(lines.length).toBeGreaterThan(0);
  await pao.api('POST', '/v1/events', { topic: 'door.opened' });
  const events = (await answer(client, 'event_list', { topic: 'door.*' })) as { items: { topic: string }[] };
  expect(events.items).toMatchObject([{ topic: 'door.opened' }]);
  const condition = { kind: 'condition', every: '5m', check: { uses: 'debug.echo' }, when: 'result.ok' };
  const more = {
    budget: { per_day: { runs: 3 } },
    quiet_hours: { from: '22:00', to: '07:00', timezone: 'Europe/Berlin' },
    dedupe: { key: 'naps' },
    concurrency: { key: 'naps' },
    monitor: { max_age: '2d' },
  };
  const made = { name: 'watch', schedule: { ...condition, for: '10m', cooldown: '1h' }, pipeline, ...more };
  expect(await answer(client, 'task_create', made)).toMatchObject({ outcome: 'created' });
  const { tools } = await client.listTools();
  const { inputSchema } = tools.find(({ name }) => name === 'task_create') as unknown as {
    inputSchema: { properties: Record<string, { properties?: object }> };
  };
  expect(Object.keys(inputSchema.properties)).toEqual(expect.arrayContaining(Object.keys(more)));
  expect(Object.keys(inputSchema.properties['schedule']?.properties ?? {})).toEqual(
    expect.arrayContaining(Object.keys(made.schedule)),
  );
});

test('agents do not see each other over MCP', async () => {
  const make = async (name: string) => {
    const { body } = await pao.api<{ token: { secret: string } }>('POST', '/v1/agents', {
      name,
      scopes: ['tasks:read', 'tasks:write', 'tool:debug.echo'],
    });
    return (await modern(body.token.secret)) as unknown as AnyClient;
  };
  const [anna, bob] = [await make('anna'), await make('bob')];
  const task = await answer(anna, 'task_create', { name: 'private', pipeline });
  expect((await call(bob, 'task_get', { id: task['id'] })).content[0]?.text).toMatch(/There is no task/);
  expect(((await answer(bob, 'task_list'))['items'] as unknown[]).length).toBe(0);
});

test('pao mcp goes on when the server comes back on another port', async () => {
  const first = await startPao();
  const client = new Client({ name: 'test', version: '1' });
  const env = { PAO_HOME: first.home, PATH: process.env['PATH'] ?? '', HOME: first.home };
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [bin, 'mcp'],
      env,
      cwd: first.home,
      stderr: 'ignore',
    }),
  );
  expect((await client.callTool({ name: 'health', arguments: {} })).isError).not.toBe(true);
  await first.stop();
  await expect(client.callTool({ name: 'health', arguments: {} })).rejects.toThrow(/pao start local/);
  const second = await startPao({ home: first.home });
  expect((await client.callTool({ name: 'health', arguments: {} })).isError).not.toBe(true);
  await client.close();
  await second.stop();
  second.cleanUp();
});

test('the browser wall stands before /mcp, and a stranger is told to sign in', async () => {
  const send = (headers: Record<string, string>) =>
    fetch(`${pao.url}/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    });
  expect((await send({})).status).toBe(401);
  expect((await send({ authorization: `Bearer ${pao.token}`, origin: 'https://evil.example' })).status).toBe(
    403,
  );
});

test('pao mcp config prints an entry that works as it is', async () => {
  const { stdout, code } = await pao.cli(['mcp', 'config', '--client', 'cursor', '--json']);
  expect(code).toBe(0);
  const { entry } = JSON.parse(stdout) as {
    entry: { mcpServers: { pao: { command: string; args: string[]; env: Record<string, string> } } };
  };
  const { command, args, env } = entry.mcpServers.pao;
  const client = new Client({ name: 'test', version: '1' });
  open.push(client);
  await client.connect(
    new StdioClientTransport({ command, args, env: { ...env, PATH: process.env['PATH'] ?? '' } }),
  );
  expect((await client.listTools()).tools.length).toBeGreaterThan(10);
  expect(join(pao.home)).toBe(env['PAO_HOME']);
  expect(args.slice(-3)).toEqual(['mcp', '--agent', 'cursor']);
  const other = await pao.cli(['mcp', 'config', '--client', 'claude-code', '--agent', 'work']);
  expect(other.stdout.trim()).toMatch(/^claude mcp add pao .* mcp --agent work$/);
  // A client starts it in another folder than the project's.
  const project = mkdtempSync(join(tmpdir(), 'pao-project-'));
  try {
    mkdirSync(join(project, '.pao'));
    const inside = await pao.cli(['mcp', 'config', '--client', 'cursor', '--json'], {
      cwd: project,
      env: { PAO_HOME: '' },
    });
    expect(JSON.parse(inside.stdout)).toMatchObject({
      entry: { mcpServers: { pao: { env: { PAO_HOME: realpathSync(join(project, '.pao')) } } } },
    });
  } finally {
    rmSync(project, { recursive: true });
  }
});
