import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { PaoClient, pages } from '../../src/client/index.js';

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

let server: Server | undefined;

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise<void>((done) => (server ? server.close(() => done()) : done()));
  server = undefined;
});

async function serve(answer: Answer): Promise<string> {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => answer(request, response, body));
  });
  await new Promise<void>((done) => server?.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

test.each([
  [400, 2],
  [401, 4],
  [403, 4],
  [404, 5],
  [409, 1],
  [422, 2],
  [500, 1],
  [503, 3],
  [507, 3],
])(
  'an answer %i becomes an error with exit code %i and the words of the server',
  async (status, exitCode) => {
    const url = await serve((_, response) =>
      json(response, status, {
        title: 'No',
        status,
        detail: 'It cannot be.',
        errors: [{ pointer: '/name', message: 'is taken', hint: 'Choose another' }],
        request_id: 'req_1',
      }),
    );
    await expect(new PaoClient({ url }).listTasks()).rejects.toMatchObject({
      exitCode,
      httpStatus: status,
      message: 'It cannot be.',
      requestId: 'req_1',
      problems: [{ pointer: '/name', message: 'is taken', hint: 'Choose another' }],
    });
  },
);

test('an error page that is not a problem document is still an error in words', async () => {
  const url = await serve((_, response) => response.writeHead(502).end('<h1>Bad gateway</h1>'));
  await expect(new PaoClient({ url }).listTasks()).rejects.toMatchObject({
    code: 'PAO_HTTP_502',
    exitCode: 3,
    message: expect.stringContaining('Bad gateway'),
  });
});

test('a tool that failed is a failure, not a server that is not there', async () => {
  const body = JSON.stringify({ code: 'PAO_TOOL_UPSTREAM', title: 'The tool answered 500.', status: 502 });
  const url = await serve((_, response) => response.writeHead(502).end(body));
  await expect(new PaoClient({ url }).listTasks()).rejects.toMatchObject({
    code: 'PAO_TOOL_UPSTREAM',
    exitCode: 1,
  });
});

test('a server that is not there is exit 3 and says what to type', async () => {
  const url = await serve(() => undefined);
  await new Promise<void>((done) => server?.close(() => done()));
  server = undefined;
  await expect(new PaoClient({ url }).listTasks()).rejects.toMatchObject({
    code: 'PAO_UNREACHABLE',
    exitCode: 3,
    hints: ['pao start local'],
  });
});

test('a server that stays silent is exit 124', async () => {
  const url = await serve(() => undefined);
  await expect(new PaoClient({ url, timeoutMs: 50 }).listTasks()).rejects.toMatchObject({
    code: 'PAO_TIMEOUT',
    exitCode: 124,
  });
});

test('something else that answers there is told apart from pao', async () => {
  const url = await serve((_, response) => response.end('hello'));
  await expect(new PaoClient({ url }).listTasks()).rejects.toMatchObject({ code: 'PAO_NOT_A_PAO_SERVER' });
});

test('a POST whose connection broke is sent again with the same Idempotency-Key', async () => {
  const keys: unknown[] = [];
  const url = await serve((request, response) => {
    keys.push(request.headers['idempotency-key']);
    if (keys.length === 1) request.socket.destroy();
    else json(response, 202, { id: 'run_1' });
  });
  await new PaoClient({ url }).runTask('tsk_1', { params: { a: 1 } });
  expect(keys).toHaveLength(2);
  expect(keys[0]).toBeTypeOf('string');
  expect(keys[1]).toBe(keys[0]);
});

test('the token goes along, and a path in the URL is kept', async () => {
  const seen: unknown[] = [];
  const url = await serve((request, response) => {
    seen.push(request.url, request.headers.authorization);
    json(response, 200, { items: [], next_cursor: null });
  });
  await new PaoClient({ url: `${url}/pao/`, token: 'pao_secret' }).listRuns({ taskId: 'tsk_1', limit: 5 });
  expect(seen).toEqual(['/pao/v1/runs?limit=5&task_id=tsk_1', 'Bearer pao_secret']);
});

test('all pages of a list are read, one after another', async () => {
  const url = await serve((request, response) => {
    const isSecond = request.url?.includes('cursor=two');
    json(response, 200, isSecond ? { items: [3], next_cursor: null } : { items: [1, 2], next_cursor: 'two' });
  });
  const client = new PaoClient({ url });
  const found: unknown[] = [];
  for await (const item of pages((cursor) => client.listTasks({ cursor }))) found.push(item);
  expect(found).toEqual([1, 2, 3]);
});

test('a name that is not there is exit 5 with the nearest one', async () => {
  const url = await serve((request, response) => {
    if (request.url?.includes('/by-name/')) json(response, 404, { detail: 'There is no such task.' });
    else json(response, 200, { items: [{ name: 'morning-briefing' }], next_cursor: null });
  });
  await expect(new PaoClient({ url }).findTask('mornign-briefing')).rejects.toMatchObject({
    exitCode: 5,
    hints: ['Did you mean morning-briefing?', 'pao task list'],
  });
});

test('waiting for a run ends when the run does', async () => {
  const statuses = ['queued', 'running', 'succeeded'];
  const url = await serve((_, response) => json(response, 200, { id: 'run_1', status: statuses.shift() }));
  const seen: string[] = [];
  const run = await new PaoClient({ url }).waitForRun('run_1', {
    onUpdate: ({ status }) => seen.push(status),
  });
  expect(run.status).toBe('succeeded');
  expect(seen).toEqual(['queued', 'running', 'succeeded']);
});

test('waiting gives up with exit 124 and leaves the run alone', async () => {
  const methods: unknown[] = [];
  const url = await serve((request, response) => {
    methods.push(request.method);
    json(response, 200, { id: 'run_1', status: 'running' });
  });
  const waiting = new PaoClient({ url }).waitForRun('run_1', { timeoutMs: 60 });
  await expect(waiting).rejects.toMatchObject({ code: 'PAO_WAIT_TIMEOUT', exitCode: 124 });
  expect(new Set(methods)).toEqual(new Set(['GET']));
});

test('a stream that breaks is taken up after the last event, and the signal ends it', async () => {
  const resumedAfter: unknown[] = [];
  const url = await serve((request, response) => {
    resumedAfter.push(request.headers['last-event-id']);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const next = resumedAfter.length;
    response.write(`: heartbeat\n\nid: ${next}\r\ndata: {"sequence":\r\ndata: ${next}}\r\n\r\n`);
    if (next === 1) response.end();
  });
  const controller = new AbortController();
  const found: unknown[] = [];
  for await (const event of new PaoClient({ url }).streamEvents({ signal: controller.signal })) {
    found.push(event.sequence);
    if (found.length === 2) controller.abort();
  }
  expect(found).toEqual([1, 2]);
  expect(resumedAfter).toEqual([undefined, '1']);
});

test('a stream that is refused is not tried again', async () => {
  let requests = 0;
  const url = await serve((_, response) => {
    requests += 1;
    json(response, 403, { detail: 'The scope events:read is missing.' });
  });
  const next = new PaoClient({ url }).streamEvents().next();
  await expect(next).rejects.toMatchObject({ exitCode: 4, message: 'The scope events:read is missing.' });
  expect(requests).toBe(1);
});

test('the client needs no package but Node itself when it is imported', () => {
  expect([...packagesOf(fileURLToPath(new URL('../../src/client/index.ts', import.meta.url)))]).toEqual([]);
});

test('importing the client leaves nothing open and prints nothing', () => {
  const script = `import('./src/client/index.ts').then(() => {
    const open = process.getActiveResourcesInfo().filter((name) => !/Pipe|TTY|MessagePort|FSReq/.test(name));
    if (open.length > 0) process.stdout.write(open.join());
  });`;
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', script],
    { cwd: new URL('../..', import.meta.url), encoding: 'utf8' },
  );
  expect({ stdout, stderr, status }).toEqual({ stdout: '', stderr: '', status: 0 });
});

/** Packages a source file imports statically, itself or through its own files; types do not count. */
function packagesOf(file: string, seen = new Set<string>(), found = new Set<string>()): Set<string> {
  if (seen.has(file)) return found;
  seen.add(file);
  const source = readFileSync(file, 'utf8');
  for (const [, specifier = ''] of source.matchAll(/^(?:import|export) (?!type )[^;]*?from '([^']+)';/gm)) {
    if (specifier.startsWith('.')) {
      packagesOf(resolve(dirname(file), specifier.replace(/\.js$/, '.ts')), seen, found);
    } else if (!specifier.startsWith('node:')) {
      found.add(specifier);
    }
  }
  return found;
}
