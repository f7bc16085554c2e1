import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pao, startPao } from './start-pao.js';

// `pao mcp --agent`: a chat client is an agent of its own, not the administrator.

const bin = fileURLToPath(new URL('../../bin/run.cjs', import.meta.url));
const pipeline = [{ id: 'say', uses: 'debug.echo', with: { word: 'hello' } }];

let pao: Pao;
const open: Client[] = [];

beforeAll(async () => {
  pao = await startPao();
});
afterAll(async () => {
  for (const client of open) await client.close();
  await pao.stop();
  pao.cleanUp();
});

interface Agent {
  id: string;
  name: string;
  scopes: string[];
  tokens: { id: string; label: string | null; revoked_at: string | null }[];
}
interface ToolAnswer {
  isError?: boolean;
  content: { text?: string }[];
  structuredContent?: Record<string, unknown>;
}

async function start(agent: string, home = pao.home, args = ['--agent', agent]) {
  const env = { PAO_HOME: home, PATH: process.env['PATH'] ?? '', HOME: home };
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [bin, 'mcp', ...args],
    env,
    cwd: home,
    stderr: 'pipe',
  });
  let said = '';
  transport.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const client = new Client({ name: 'test', version: '1' });
  open.push(client);
  await client.connect(transport);
  return { client, said: () => said };
}

const call = async (client: Client, name: string, input: Record<string, unknown> = {}) =>
  (await client.callTool({ name, arguments: input })) as ToolAnswer;
const agentOf = async (name: string) => (await pao.api<Agent>('GET', `/v1/agents/${name}`)).body;
const kept = (name: string, home = pao.home) => join(home, 'agents', `${name}.json`);
const tokenIn = (name: string) => (JSON.parse(readFileSync(kept(name), 'utf8')) as { token: string }).token;

test('several clients that start at once are one agent, whose tasks are its own and whose token is kept privately', async () => {
  const clients = await Promise.all([1, 2, 3].map(() => start('claude-code')));
  const agent = await agentOf('claude-code');
  expect(agent.tokens).toMatchObject([{ label: 'pao mcp', revoked_at: null }]);
  expect(agent.scopes).toContain('tool:*');
  expect(agent.scopes).not.toContain('approvals:decide');
  expect(agent.scopes).not.toContain('admin');
  expect(statSync(kept('claude-code')).mode & 0o777).toBe(0o600);
  expect(statSync(join(pao.home, 'agents')).mode & 0o777).toBe(0o700);
  const told = () => clients.filter(({ said }) => said().includes('Made the agent claude-code'));
  await expect.poll(() => told().length, { timeout: 20_000 }).toBe(1);
  expect(clients.map(({ said }) => said()).join('')).not.toMatch(/administrator|pao_a_/);

  const [first, second] = clients.map(({ client }) => client) as [Client, Client];
  const task = await call(first, 'task_create', { name: 'from-chat', pipeline });
  expect(task.isError).not.toBe(true);
  const { body } = await pao.api('GET', `/v1/tasks/${task.structuredContent?.['id']}`);
  expect(body).toMatchObject({ agent_id: agent.id, created_by: `agent:${agent.id}` });
  const ran = await call(second, 'task_run_now', { id: 'from-chat', wait: '20s' });
  expect(ran.structuredContent).toMatchObject({ status: 'succeeded' });

  const names = (await first.listTools()).tools.map(({ name }) => name);
  expect(names).not.toContain('approval_decide');
  const again = await start('claude-code');
  expect((await call(again.client, 'task_list')).structuredContent?.['items']).toHaveLength(1);
  expect((await agentOf('claude-code')).tokens).toHaveLength(1);
  expect(again.said()).toBe('');
});

test('a token that is revoked is replaced, also under a client that runs; an agent that is revoked stays so', async () => {
  const { client } = await start('cursor');
  const agent = await agentOf('cursor');
  const before = tokenIn('cursor');
  await pao.api('DELETE', `/v1/agents/${agent.id}/tokens/${agent.tokens[0]?.id}`);
  const answers = await Promise.all([1, 2, 3].map(() => call(client, 'task_list')));
  expect(answers.map(({ isError }) => isError === true)).toEqual([false, false, false]);
  expect(tokenIn('cursor')).not.toBe(before);
  expect((await agentOf('cursor')).tokens.filter(({ revoked_at }) => revoked_at === null)).toHaveLength(1);

  await pao.api('DELETE', `/v1/agents/${agent.id}`);
  await expect(call(client, 'task_list')).rejects.toThrow(
    /The agent cursor was revoked.*pao agent create cursor --scope/,
  );
  const { body } = await pao.api<{ items: Agent[] }>('GET', '/v1/agents?limit=100');
  expect(body.items.filter(({ name }) => name === 'cursor').map(({ id }) => id)).toEqual([agent.id]);
  // The person makes another one of that name.
  await pao.api('POST', '/v1/agents', { name: 'cursor', scopes: ['tasks:read'] });
  expect((await call(client, 'task_list')).isError).not.toBe(true);
  await expect(call(client, 'task_create', { name: 'no', pipeline })).rejects.toThrow(/task_create/);
});

test('a client that starts before the server is told so, and makes its agent when the server answers', async () => {
  const home = mkdtempSync(join(tmpdir(), 'pao-early-'));
  await expect(start('early', home)).rejects.toThrow(/has no administrator's token.*pao start local/);
  expect(existsSync(kept('early', home))).toBe(false);
  const first = await startPao({ home });
  await first.stop();
  // Now the address is known, and nobody answers there.
  await expect(start('early', home)).rejects.toThrow(/pao start local/);
  const second = await startPao({ home });
  const { client } = await start('early', home);
  expect((await call(client, 'task_create', { name: 'early', pipeline })).isError).not.toBe(true);
  await client.close();
  await second.stop();
  rmSync(home, { recursive: true });
});

test('what can not be is said before anything is carried', async () => {
  const mcp = (args: string[], env = {}) => pao.cli(['mcp', ...args], { env, input: '' });
  const both = await mcp(['--agent', 'x'], { PAO_TOKEN: pao.token });
  expect(both).toMatchObject({ code: 2 });
  expect(both.stderr).toMatch(/Both --agent x and PAO_TOKEN say who speaks/);
  expect((await mcp(['--agent', '../x'])).stderr).toMatch(/is no name of an agent/);
  expect((await mcp([])).stderr).toMatch(/speaks as the administrator/);
  const ping = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })}\n`;
  expect((await pao.cli(['mcp', '--agent', 'admin'], { input: ping })).stdout).toMatch(/is an administrator/);
  // In paths of the API `me` is who asks: here it is a name like others.
  await pao.cli(['mcp', '--agent', 'me'], { input: ping });
  expect(JSON.parse(readFileSync(kept('me'), 'utf8'))).toMatchObject({ agent: 'me' });
  expect((await agentOf('admin')).tokens).toHaveLength(1);
  expect(readdirSync(join(pao.home, 'agents')).filter((name) => name.startsWith('admin'))).toEqual([]);
});

test('a kept file that is damaged is made anew, one that others may read is refused', async () => {
  mkdirSync(join(pao.home, 'agents'), { recursive: true });
  writeFileSync(kept('vscode'), 'not JSON', { mode: 0o600 });
  const { client } = await start('vscode');
  expect((await call(client, 'task_list')).isError).not.toBe(true);
  writeFileSync(kept('open'), '{}', { mode: 0o644 });
  await expect(start('open')).rejects.toThrow(/can be read by others.*chmod 600/);
});
