import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Routes, runCommand, serve, type TestServer } from './run-command.js';

let server: TestServer | undefined;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pao-catalog-'));
});

afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function toolCommand(verb: string, argv: string[], routes: Routes = {}, input?: string) {
  server = await serve(routes);
  const end = await runCommand(`tool:${verb}`, [...argv, '--url', server.url], {
    cwd: folder,
    ...(input === undefined ? {} : { input }),
  });
  return { ...end, requests: server.requests };
}

const weather = {
  address: 'weather.forecast',
  title: 'Weather forecast',
  kind: 'http',
  side_effect: 'read',
  input_schema: { type: 'object' },
  http: { method: 'GET', url: 'https://api.example.org/v1/forecast' },
  version: 3,
  updated_at: '2026-11-24T06:30:00Z',
};

const accepts: Routes = {
  'POST /v1/tools/import': () => ({
    status: 200,
    body: {
      items: [
        { address: 'calendar.list_events', kind: 'mcp', side_effect: 'read' },
        { address: 'calendar.add_event', kind: 'mcp', side_effect: 'once' },
        { address: 'weather.forecast', kind: 'http', side_effect: 'read' },
      ],
      created: 2,
      replaced: 1,
      problems: [],
    },
  }),
};

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}

test('tool list asks for a prefix and shows one line a tool', async () => {
  const { stdout, requests } = await toolCommand('list', ['--prefix', 'weather.'], {
    'GET /v1/tools': () => ({ status: 200, body: { items: [weather], next_cursor: null } }),
  });
  expect(requests[0]?.path).toContain('prefix=weather.');
  expect(stdout).toMatch(/^ADDRESS .*\nweather\.forecast\s+http\s+read\s+Weather forecast\n$/);
});

test('tool list says what to type when there is nothing, and leaves stdout empty', async () => {
  const { stdout, stderr } = await toolCommand('list', [], {
    'GET /v1/tools': () => ({ status: 200, body: { items: [], next_cursor: null } }),
  });
  expect(stdout).toBe('');
  expect(stderr).toContain('pao tool import FILE');
});

test('tool show tells the schemas and how the tool is reached', async () => {
  const { stdout } = await toolCommand('show', ['weather.forecast'], {
    'GET /v1/tools/weather.forecast': () => ({ status: 200, body: weather }),
  });
  expect(stdout).toMatch(/Side effect\s+read/);
  expect(stdout).toContain('"url": "https://api.example.org/v1/forecast"');
});

test('tool delete deletes the one address', async () => {
  const { error, requests } = await toolCommand('delete', ['weather.forecast'], {
    'DELETE /v1/tools/weather.forecast': () => ({ status: 204 }),
  });
  expect(error).toBeNull();
  expect(requests.map(({ method }) => method)).toEqual(['DELETE']);
});

const calls: Routes = {
  'POST /v1/tools/weather.forecast/call': () => ({
    status: 200,
    body: { output: { text: 'a\u202eb', cold: true }, duration_ms: 850 },
  }),
};

test.each([
  ['written out', ['--input', '{"latitude": 47}'], undefined],
  ['from a file', ['--input', '@place.json'], undefined],
  ['from stdin', ['--input', '-'], '{"latitude": 47}'],
])('tool call takes its input %s', async (_, flags, input) => {
  write('place.json', '{"latitude": 47}');
  const { stdout, stderr, requests } = await toolCommand(
    'call',
    ['weather.forecast', ...flags],
    calls,
    input,
  );
  expect(requests[0]?.body).toEqual({ input: { latitude: 47 } });
  expect(JSON.parse(stdout)).toEqual({ text: 'a\u202eb', cold: true });
  expect(stderr).toContain('answered in 850ms');
});

test('tool call prints an answer that a terminal can not be turned round by, and that is still JSON', async () => {
  const { stdout } = await toolCommand('call', ['weather.forecast'], calls);
  expect(stdout).toContain('a\\u202eb');
});

test('tool call refuses an input that is not JSON, without a call', async () => {
  const { error, requests } = await toolCommand('call', ['weather.forecast', '--input', '{latitude: 47}']);
  expect(error).toMatchObject({ code: 'PAO_JSON_INVALID', exitCode: 2 });
  expect(error?.message).toContain('--input is not JSON');
  expect(requests).toEqual([]);
});

test('tool call with an input file that is missing is an exit 2', async () => {
  const { error } = await toolCommand('call', ['weather.forecast', '--input', '@none.json']);
  expect(error).toMatchObject({ code: 'PAO_FILE_MISSING', exitCode: 2 });
});

test('tool import sends the catalog and shows what came of it, group by group', async () => {
  write(
    'tools.yaml',
    'servers:\n  - { name: calendar, transport: http, url: "https://c.example.org/mcp" }\n',
  );
  const { stdout, stderr, exitCode, requests } = await toolCommand('import', ['tools.yaml'], accepts);
  expect(requests[0]?.body).toEqual({
    document: { servers: [{ name: 'calendar', transport: 'http', url: 'https://c.example.org/mcp' }] },
  });
  expect(stdout).toMatch(/calendar\s+mcp\s+2\s+list_events add_event\nweather\s+http\s+1\s+forecast\n/);
  expect(stderr).toContain('Imported 2 new tools, replaced 1');
  expect(exitCode).toBe(0);
});

test('tool import - reads the catalog from stdin, also as JSON', async () => {
  const catalog = { servers: [{ name: 'calendar', transport: 'http', url: 'https://c.example.org/mcp' }] };
  const { error, requests } = await toolCommand('import', ['-'], accepts, JSON.stringify(catalog));
  expect(error).toBeNull();
  expect(requests[0]?.body).toEqual({ document: catalog });
});

test('paths in a catalog mean the folder it is in, and names of programs and packages stay', async () => {
  mkdirSync(join(folder, 'sub'));
  write('sub/server.mjs', '');
  write('sub/api.yaml', 'openapi: 3.1.0\ninfo: { title: Shop, version: "1" }\npaths: {}\n');
  write(
    'sub/tools.yaml',
    `servers:
  - { name: one, transport: stdio, command: node, args: [server.mjs, ./data, absent.mjs, "--flag"] }
  - { name: two, transport: stdio, command: ../bin/serve, args: ["@scope/package"] }
  - { name: three, transport: stdio, command: ./serve, args: [./data], cwd: work }
tools:
  - address: four.go
    kind: mcp
    mcp: { tool: go, server: { name: four, transport: stdio, command: ./serve } }
openapi:
  - { name: shop, file: api.yaml, base_url: "https://shop.example.org" }
`,
  );
  const { error, requests } = await toolCommand('import', ['sub/tools.yaml'], accepts);
  expect(error).toBeNull();
  const sub = join(folder, 'sub');
  expect(requests[0]?.body).toEqual({
    document: {
      servers: [
        {
          name: 'one',
          transport: 'stdio',
          command: 'node',
          args: [join(sub, 'server.mjs'), join(sub, 'data'), 'absent.mjs', '--flag'],
        },
        { name: 'two', transport: 'stdio', command: join(folder, 'bin/serve'), args: ['@scope/package'] },
        { name: 'three', transport: 'stdio', command: './serve', args: ['./data'], cwd: join(sub, 'work') },
      ],
      tools: [
        {
          address: 'four.go',
          kind: 'mcp',
          mcp: { tool: 'go', server: { name: 'four', transport: 'stdio', command: join(sub, 'serve') } },
        },
      ],
      openapi: [
        {
          name: 'shop',
          document: { openapi: '3.1.0', info: { title: 'Shop', version: '1' }, paths: {} },
          base_url: 'https://shop.example.org',
        },
      ],
    },
  });
});

test('a catalog that is wrong is refused with every problem, its pointer and its line, before anything is sent', async () => {
  write(
    'tools.yaml',
    `servers:
  - name: calendar
    transport: htp
tols: []
tools:
  - address: a.b
    kind: http
    input_schema: { type: strin }
`,
  );
  const { error, requests } = await toolCommand('import', ['tools.yaml'], accepts);
  expect(error).toMatchObject({ code: 'PAO_INPUT_INVALID', exitCode: 2 });
  expect(error?.problems).toEqual([
    expect.objectContaining({ pointer: '/tools/0/http', line: 6 }),
    expect.objectContaining({ pointer: '/servers/0/transport', line: 3 }),
    expect.objectContaining({ pointer: '/tols', line: 4, hint: 'Did you mean "tools"?' }),
    expect.objectContaining({ pointer: '/tools/0/input_schema/type', line: 8 }),
  ]);
  expect(requests).toEqual([]);
});

test('an OpenAPI file that is missing is a problem at its line', async () => {
  write('tools.yaml', 'openapi:\n  - name: shop\n    file: none.yaml\n');
  const { error, requests } = await toolCommand('import', ['tools.yaml'], accepts);
  expect(error?.problems).toEqual([
    expect.objectContaining({
      pointer: '/openapi/0/file',
      line: 3,
      message: `There is no file ${join(folder, 'none.yaml')}.`,
    }),
  ]);
  expect(requests).toEqual([]);
});

test.each([
  ['', 'holds nothing'],
  ['tools: []\n---\ntools: []\n', 'holds 2 documents'],
])('a catalog file is one document: %j', async (text, words) => {
  write('tools.yaml', text);
  const { error } = await toolCommand('import', ['tools.yaml'], accepts);
  expect(error).toMatchObject({ code: 'PAO_CATALOG_INVALID', exitCode: 2 });
  expect(error?.message).toContain(words);
});

const twoServers = `servers:
  - { name: calendar, transport: http, url: "https://c.example.org/mcp" }
  - name: mail
    transport: http
    url: https://m.example.org/mcp
`;
const problem = { pointer: '/document/servers/1', message: 'can not be reached', hint: 'Start it' };

test('what the server could not take in is told with its line, and the exit code says so', async () => {
  write('tools.yaml', twoServers);
  const routes: Routes = {
    'POST /v1/tools/import': () => ({
      status: 200,
      body: {
        items: [{ address: 'calendar.list_events', kind: 'mcp', side_effect: 'read' }],
        created: 1,
        replaced: 0,
        problems: [problem],
      },
    }),
  };
  const { stdout, stderr, exitCode } = await toolCommand('import', ['tools.yaml'], routes);
  expect(stdout).toContain('calendar');
  expect(stderr).toContain('tools.yaml:3:5 /servers/1: can not be reached');
  expect(stderr).toContain('Imported 1 new tool, replaced 0');
  expect(exitCode).toBe(1);
});

test('problems of a refused import carry the lines of the file', async () => {
  write('tools.yaml', twoServers);
  const { error } = await toolCommand('import', ['tools.yaml'], {
    'POST /v1/tools/import': () => ({
      status: 422,
      body: { title: 'Invalid', status: 422, detail: 'The catalog was not imported.', errors: [problem] },
    }),
  });
  expect(error).toMatchObject({ exitCode: 2, message: 'The catalog was not imported.' });
  expect(error?.problems).toEqual([
    { pointer: '/servers/1', message: 'can not be reached', hint: 'Start it', line: 3, column: 5 },
  ]);
});
