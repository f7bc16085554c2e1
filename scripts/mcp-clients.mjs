#!/usr/bin/env node
// Proves the MCP server with clients that others wrote: the Inspector's command line, the v1 SDK, mcp-remote, and the
// conformance suite; and pao as a client of servers that others wrote. Starts a pao of its own. Usage: node scripts/mcp-clients.mjs [PART OF A TITLE]
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { installClients, installServers } from './mcp/install.mjs';
import { startSignedInProxy } from './mcp/signed-in-proxy.mjs';

const bin = fileURLToPath(new URL('../bin/run.cjs', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'pao-mcp-clients-'));
// HOME as well: what clients keep of their own is not put among that of whoever runs this.
const env = { ...process.env, PAO_HOME: home, HOME: home };
delete env.NODE_EXTRA_CA_CERTS;
delete env.PAO_URL;
delete env.PAO_TOKEN;
const only = process.argv[2] ?? '';
const TOOLS = ['agenda', 'approval_list', 'run_get', 'schedule_preview', 'task_create', 'task_run_now'];
const PIPELINE = [{ id: 'say', uses: 'debug.echo', with: { word: 'hello' } }];

/** Scenarios that need no tools made for the suite, and how many of their checks must pass. */
const SCENARIOS = {
  'server-initialize': 2,
  ping: 2,
  'tools-list': 3,
  'dns-rebinding-protection': 2,
  'http-header-validation': 14,
  // Four of its 28 ask for tools named test_…, which only a server made for the suite has.
  'server-stateless': 24,
};

/** The same for pao as a client of MCP servers. */
const CLIENT_SCENARIOS = {
  initialize: 1,
  tools_call: 2,
  'request-metadata': 5,
  'http-standard-headers': 3,
  'sse-retry': 3,
  'http-invalid-tool-headers': 12,
  'json-schema-ref-no-deref': 1,
};

const clients = installClients();
let failed = 0;

function run([command, ...first], args, more = {}) {
  return new Promise((resolve, reject) => {
    execFile(
      command,
      [...first, ...args],
      { env, cwd: home, timeout: 180_000, maxBuffer: 16 * 1024 * 1024, ...more },
      (error, stdout, stderr) => {
        if (error && typeof error.code !== 'number') reject(new Error(`${args.join(' ')}: ${error.message}`));
        else resolve({ code: error ? error.code : 0, stdout, stderr });
      },
    );
  });
}

const pao = (...args) => run([process.execPath, bin], args);

async function check(title, prove) {
  if (!title.includes(only)) return;
  const began = performance.now();
  try {
    const seen = await prove();
    console.log(`✓ ${title}: ${seen} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.log(`✗ ${title}: ${error.message}`);
  }
}

function expect(holds, said) {
  if (!holds) throw new Error(said);
}

/** Lists tools and runs a task to its end, with whatever `call` and `list` are. */
async function useAsModelDoes(name, { list, call }) {
  const names = await list();
  expect(
    TOOLS.every((tool) => names.includes(tool)),
    `only ${names.join(', ')} are listed`,
  );
  const task = await call('task_create', { name, pipeline: PIPELINE });
  expect(task.outcome === 'created', `task_create answered ${JSON.stringify(task)}`);
  const started = await call('task_run_now', { id: name, wait: '20s' });
  const ended = await call('run_get', { id: started.id });
  expect(ended.status === 'succeeded' && ended.steps[0].tool === 'debug.echo', JSON.stringify(ended));
  return `${names.length} tools, ${ended.id} ${ended.status}`;
}

/** The Inspector's command line; each call is a client of its own. */
function withInspector(target) {
  const ask = async (...args) => {
    const { code, stdout, stderr } = await run(clients.inspector, [...target, ...args]);
    expect(code === 0, `the Inspector ended with ${code}: ${stderr || stdout}`);
    return JSON.parse(stdout);
  };
  return {
    list: async () => (await ask('--strict', '--method', 'tools/list')).tools.map(({ name }) => name),
    async call(name, input) {
      const given = Object.entries(input).flatMap(([key, value]) => [
        '--tool-arg',
        `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
      ]);
      const result = await ask('--method', 'tools/call', '--tool-name', name, ...given);
      expect(result.isError !== true, JSON.stringify(result));
      return result.structuredContent;
    },
  };
}

/** A client of the v1 SDK, for as long as `use` takes. */
async function withV1(transport, use) {
  const client = new Client({ name: 'pao-ci', version: '1' });
  await client.connect(transport);
  try {
    return await use({
      list: async () => (await client.listTools()).tools.map(({ name }) => name),
      async call(name, input) {
        const result = await client.callTool({ name, arguments: input });
        expect(result.isError !== true, JSON.stringify(result));
        return result.structuredContent;
      },
    });
  } finally {
    await client.close();
  }
}

/** Imports the tools of the reference servers, calls them, and runs a task whose steps are such calls. */
async function useServers() {
  const servers = installServers();
  const files = join(home, 'files');
  mkdirSync(files);
  writeFileSync(join(files, 'note.txt'), 'hello');
  const write = (name, value) => writeFileSync(join(home, name), JSON.stringify(value));
  const json = async (...args) => {
    const { code, stdout, stderr } = await pao(...args, '--json');
    expect(code === 0, `pao ${args.join(' ')} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout);
  };
  const side_effect = { read_text_file: 'read', write_file: 'idempotent' };
  write('servers.json', {
    servers: [
      { name: 'files', ...servers.filesystem(files), side_effect },
      { name: 'everything', ...servers.everything() },
    ],
  });
  const { items } = await json('tool', 'import', 'servers.json');
  const call = async (address, input) =>
    (await json('tool', 'call', address, '--input', JSON.stringify(input))).output;
  const weather = await call('everything.get-structured-content', { location: 'New York' });
  expect(typeof weather.temperature === 'number', JSON.stringify(weather));
  const names = Object.keys(await call('everything.get-env', {}));
  expect(names.includes('PATH') && !names.some((name) => name.startsWith('PAO_')), names.join(' '));
  const outside = await pao('tool', 'call', 'files.read_text_file', '--input', '{"path":"/etc/passwd"}');
  expect(outside.code !== 0 && outside.stderr.includes('Access denied'), outside.stdout + outside.stderr);
  const content = '${steps.read.content}: ${steps.sum.text}';
  write('sum.json', {
    name: 'sum',
    pipeline: [
      { id: 'read', uses: 'files.read_text_file', with: { path: join(files, 'note.txt') } },
      { id: 'sum', uses: 'everything.get-sum', with: { a: 2, b: 40 } },
      { id: 'write', uses: 'files.write_file', with: { path: join(files, 'sum.txt'), content } },
    ],
  });
  await json('task', 'apply', 'sum.json');
  await json('task', 'run', 'sum', '--wait');
  const written = readFileSync(join(files, 'sum.txt'), 'utf8');
  expect(written === 'hello: The sum of 2 and 40 is 42.', written);
  return `${items.length} tools`;
}

/** @param args what is tested: a server at a URL, or a client that a command starts. */
async function conform(args, atLeast, more) {
  const { stdout, stderr } = await run(clients.conformance, args, more);
  const [, passed, all] = /Passed: (\d+)\/(\d+)/.exec(stdout + stderr) ?? [];
  const failures =
    (stdout + stderr).split('=== Failed Checks')[1]?.slice(0, 2000) ?? (stdout + stderr).slice(-2000);
  expect(
    Number(passed) >= atLeast,
    `${passed ?? 0} of ${all ?? '?'} checks passed, ${atLeast} must\n${failures}`,
  );
  return `${passed} of ${all} checks`;
}

try {
  const started = await pao('start', 'local', '--port', '0', '--workers', '1', '--detach', '--json');
  expect(started.code === 0, started.stderr);
  const { url } = JSON.parse(started.stdout);
  const { token } = JSON.parse(readFileSync(join(home, 'credentials.json'), 'utf8'));
  const bearer = `Authorization: Bearer ${token}`;
  await check('Inspector CLI, stdio', () =>
    useAsModelDoes(
      'inspector-stdio',
      withInspector([process.execPath, bin, 'mcp', '--agent', 'inspector', '-e', `PAO_HOME=${home}`]),
    ),
  );
  await check('Inspector CLI, HTTP', () =>
    useAsModelDoes(
      'inspector-http',
      withInspector([`${url}/mcp`, '--transport', 'http', '--header', bearer]),
    ),
  );
  await check('v1 SDK, stdio', () =>
    withV1(
      new StdioClientTransport({
        command: process.execPath,
        args: [bin, 'mcp', '--agent', 'v1'],
        env,
        cwd: home,
      }),
      (client) => useAsModelDoes('v1-stdio', client),
    ),
  );
  await check('v1 SDK, HTTP', () => {
    const requestInit = { headers: { authorization: `Bearer ${token}` } };
    return withV1(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit }), (client) =>
      useAsModelDoes('v1-http', client),
    );
  });
  await check('mcp-remote', () => {
    const [command, ...first] = clients.remote;
    const args = [...first, `${url}/mcp`, '--allow-http', '--header', `Authorization:Bearer ${token}`];
    const remote = { ...env, HOME: home, MCP_REMOTE_CONFIG_DIR: join(home, 'mcp-remote') };
    return withV1(
      new StdioClientTransport({ command, args, env: remote, cwd: home, stderr: 'ignore' }),
      (client) => useAsModelDoes('remote', client),
    );
  });
  await check('server-filesystem and server-everything as tools, stdio', useServers);
  const proxy = await startSignedInProxy(url, token);
  for (const [scenario, atLeast] of Object.entries(SCENARIOS))
    await check(`conformance, server: ${scenario}`, () =>
      conform(['server', '--url', `${proxy.url}/mcp`, '--scenario', scenario], atLeast),
    );
  proxy.close();
  const command = `${process.execPath} ${fileURLToPath(new URL('mcp/conformance-client.mjs', import.meta.url))}`;
  for (const [scenario, atLeast] of Object.entries(CLIENT_SCENARIOS))
    await check(`conformance, client: ${scenario}`, () =>
      conform(['client', '--command', command, '--scenario', scenario], atLeast, {
        env: { ...env, PAO_URL: url, PAO_TOKEN: token },
      }),
    );
} finally {
  await pao('stop').catch(() => {});
  rmSync(home, { recursive: true, force: true });
}
process.exitCode = failed === 0 ? 0 : 1;
