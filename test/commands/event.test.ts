import type { ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { type CommandSituation, type Routes, runCommand, serve, type TestServer } from './run-command.js';

let server: TestServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function eventCommand(
  verb: string,
  argv: string[],
  routes: Routes = {},
  situation: CommandSituation = {},
) {
  server = await serve(routes);
  const end = await runCommand(`event:${verb}`, [...argv, '--url', server.url], situation);
  return { ...end, requests: server.requests };
}

const event = (sequence: number, createdAt = '2026-11-24T06:30:00Z') => ({
  id: `evt_${sequence}`,
  sequence,
  topic: 'mail.received',
  payload: { from: 'ana' },
  dedupe_key: null,
  agent_id: 'agt_1',
  created_at: createdAt,
});

const publishes: Routes = { 'POST /v1/events': () => ({ status: 201, body: event(1) }) };

test.each([
  ['written out', '{"from": "ana"}', undefined],
  ['from stdin', '-', '{"from": "ana"}'],
])('event publish sends a payload %s and prints the id', async (_, payload, input) => {
  const { stdout, requests } = await eventCommand(
    'publish',
    ['mail.received', '--payload', payload, '--dedupe-key', 'm-1'],
    publishes,
    input === undefined ? {} : { input },
  );
  expect(requests[0]?.body).toEqual({ topic: 'mail.received', payload: { from: 'ana' }, dedupe_key: 'm-1' });
  expect(stdout).toBe('evt_1\n');
});

test('event publish without a payload sends the topic alone', async () => {
  const { requests } = await eventCommand('publish', ['mail.received'], publishes);
  expect(requests[0]?.body).toEqual({ topic: 'mail.received' });
});

test('event publish says when the key was published before', async () => {
  const { stderr } = await eventCommand('publish', ['mail.received', '--dedupe-key', 'm-1'], {
    'POST /v1/events': () => ({ status: 200, body: { ...event(1), duplicate: true } }),
  });
  expect(stderr).toContain('published before, at 2026-11-24T06:30:00Z');
});

test('event publish refuses a payload that is not JSON, without a request', async () => {
  const { error, requests } = await eventCommand('publish', ['mail.received', '--payload', 'hello']);
  expect(error).toMatchObject({ code: 'PAO_JSON_INVALID', exitCode: 2 });
  expect(requests).toEqual([]);
});

function stream(...events: ReturnType<typeof event>[]) {
  return (_: unknown, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': hello\n\n');
    for (const one of events) response.write(`id: ${one.sequence}\ndata: ${JSON.stringify(one)}\n\n`);
    return undefined;
  };
}

/** Runs `event tail` and presses Ctrl-C when stdout has that many lines. */
function tail(argv: string[], lines: number, routes: Routes) {
  const interrupt = new AbortController();
  const onStdout = (text: string) => {
    if (text.split('\n').length > lines) interrupt.abort();
  };
  return eventCommand('tail', argv, routes, { signal: interrupt.signal, onStdout });
}

test('event tail prints a line an event and ends with 130 and no error on Ctrl-C', async () => {
  const { stdout, error, exitCode, requests } = await tail(['--topic', 'mail.*'], 2, {
    'GET /v1/events/stream': stream(event(1), event(2)),
  });
  expect(stdout).toBe('2026-11-24T06:30:00Z  mail.received  {"from":"ana"}\n'.repeat(2));
  expect([error, exitCode]).toEqual([null, 130]);
  expect(new URL(`http://x${requests[0]?.path}`).searchParams.get('topic')).toBe('mail.*');
  expect(requests[0]?.headers['last-event-id']).toBeUndefined();
});

test('event tail --json prints one JSON object a line and nothing else', async () => {
  const { stdout } = await tail(['--json'], 2, { 'GET /v1/events/stream': stream(event(1), event(2)) });
  const lines = stdout.trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([event(1), event(2)]);
});

test('event tail --json that is interrupted before any event prints nothing', async () => {
  const interrupt = new AbortController();
  const { stdout, error } = await eventCommand(
    'tail',
    ['--json'],
    {
      'GET /v1/events/stream': (request, response) => {
        stream()(request, response);
        setImmediate(() => interrupt.abort());
        return undefined;
      },
    },
    { signal: interrupt.signal },
  );
  expect([stdout, error]).toEqual(['', null]);
});

test('event tail --since begins with what was published since then, oldest first, and misses and repeats nothing', async () => {
  const { stdout, requests } = await tail(['--since', '2026-11-24T06:00:00Z', '--json'], 3, {
    'GET /v1/events': ({ path }) =>
      path.includes('cursor=older')
        ? { status: 200, body: { items: [event(7, '2026-11-24T05:00:00Z')], next_cursor: 'oldest' } }
        : { status: 200, body: { items: [event(9), event(8)], next_cursor: 'older' } },
    'GET /v1/events/stream': stream(event(10)),
  });
  const sequences = stdout
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { sequence: number }).sequence);
  expect(sequences).toEqual([8, 9, 10]);
  // Two pages and the stream: what is too old ends the search.
  expect(requests).toHaveLength(3);
  expect(requests[2]?.headers['last-event-id']).toBe('9');
});

test('event tail --since that is no time is wrong usage', async () => {
  const { error } = await eventCommand('tail', ['--since', 'yesterday-ish']);
  expect(error).toMatchObject({ code: 'PAO_INPUT_INVALID', exitCode: 2 });
});

test('event tail passes on what the server refuses', async () => {
  const { error } = await eventCommand('tail', [], {
    'GET /v1/events/stream': () => ({
      status: 403,
      body: { title: 'Forbidden', status: 403, detail: 'The scope events:read is missing.' },
    }),
  });
  expect(error).toMatchObject({ exitCode: 4, message: 'The scope events:read is missing.' });
});
