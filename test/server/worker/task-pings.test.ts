import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { taskSpecSchema } from '../../../src/domain/task.js';
import { ToolError } from '../../../src/domain/tool-error.js';
import { silentLogger } from '../../../src/server/telemetry/logger.js';
import { TaskPings } from '../../../src/server/worker/task-pings.js';
import { startTestSystem, type TestSystem } from '../a-system.js';
import { someCallers, startServer, type TestServer } from '../tools/a-tool-system.js';

let system: TestSystem;
let server: TestServer;
let callers: ReturnType<typeof someCallers>;
/** What the call of each run does, in order; then it works. */
let script: (ToolError | null)[] = [];
/** Answers to pings wait for it. */
let held: Promise<void> | null = null;

beforeAll(async () => {
  server = await startServer((_request, response) => {
    void (held ?? Promise.resolve()).then(() => response.end('OK'));
  });
  callers = someCallers();
  system = await startTestSystem({
    callTool: async () => {
      const error = script.shift();
      if (error != null) throw error;
      return { output: {}, durationMs: 1 };
    },
  });
  await system.addTool({
    address: 'c.do',
    kind: 'http',
    side_effect: 'once',
    http: { url: 'http://e.com/' },
  });
  const get = (url: string) => callers.fetchText(url, [server.target], {});
  system.startWorker({ pings: new TaskPings({ get, logger: silentLogger }) });
});
afterAll(async () => {
  await system?.close();
  await callers?.close();
  await server?.close();
});
beforeEach(() => {
  script = [];
  server.requests.length = 0;
});

let names = 0;
async function run(style: object, ...errors: (ToolError | null)[]): Promise<string> {
  script = errors;
  const task = await system.addTask({
    name: `pinged-${++names}`,
    retry: { max: 1, backoff: 'fixed', base: '10s' },
    monitor: { ping_url: `${server.url}/ping/abc?rid=1`, ...style },
    pipeline: [{ id: 'do', uses: 'c.do' }],
  });
  const { id } = await system.runNow(task);
  for (;;) {
    const now = await system.until(id, 'queued', 'succeeded', 'partial', 'failed', 'dead');
    if (now.status !== 'queued') return now.status;
    if (now.runAt > system.clock.now()) system.clock.set(now.runAt);
    system.bus.publish('work', { count: 1 });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
const pings = () => server.requests.map(({ url }) => url.replace('/ping/abc', ''));
const soon = async (look: () => string[], expected: string[]): Promise<void> => {
  await expect.poll(look, { timeout: 20_000 }).toEqual(expected);
};
const HEALTHCHECKS = { ping_style: 'healthchecks' };
const broken = () => new ToolError('invalid_output', 'no', { outcomeKnown: true });
const away = () => new ToolError('overloaded', 'no', { outcomeKnown: true });

it('tells healthchecks.io of start, success and failure, once for a run and its retries', async () => {
  expect(await run(HEALTHCHECKS, away(), null)).toBe('succeeded');
  await soon(pings, ['/start?rid=1', '?rid=1']);
  expect(await run(HEALTHCHECKS, broken())).toBe('failed');
  await soon(pings, ['/start?rid=1', '?rid=1', '/start?rid=1', '/fail?rid=1']);
  expect(await run(HEALTHCHECKS, away(), away())).toBe('dead');
  await soon(() => pings().slice(4), ['/start?rid=1', '/fail?rid=1']);
});

it('says nothing where nobody knows what happened', async () => {
  expect(await run(HEALTHCHECKS, new ToolError('transport', 'lost', { outcomeKnown: false }))).toBe(
    'partial',
  );
  expect(await run(HEALTHCHECKS)).toBe('succeeded');
  await soon(pings, ['/start?rid=1', '/start?rid=1', '?rid=1']);
});

it('asks for the plain address after successes only', async () => {
  expect(await run({}, broken())).toBe('failed');
  expect(await run({}, away(), away())).toBe('dead');
  expect(await run({})).toBe('succeeded');
  await soon(pings, ['?rid=1']);
});

it('sends the end of a run after its start was taken', async () => {
  let release = () => {};
  held = new Promise((resolve) => {
    release = resolve;
  });
  expect(await run(HEALTHCHECKS)).toBe('succeeded');
  await soon(pings, ['/start?rid=1']);
  release();
  held = null;
  await soon(pings, ['/start?rid=1', '?rid=1']);
});

it('a run that comes back after it waited does not start again', async () => {
  const task = await system.addTask({
    name: 'naps',
    monitor: { ping_url: `${server.url}/ping/abc`, ping_style: 'healthchecks' },
    pipeline: [
      { id: 'nap', wait: { for: '1h' } },
      { id: 'do', uses: 'c.do' },
    ],
  });
  const { id } = await system.runNow(task);
  system.clock.set((await system.until(id, 'waiting')).runAt);
  system.bus.publish('work', { count: 1 });
  await system.until(id, 'succeeded');
  await soon(pings, ['/start', '']);
});

it('a watch that saw nothing new is alive', async () => {
  const task = await system.addTask({
    name: 'watch',
    monitor: { ping_url: `${server.url}/ping/abc` },
    pipeline: [{ id: 'do', uses: 'c.do', changed: { value: 'task.name', skip: 'run' } }],
  });
  for (const status of ['succeeded', 'skipped'] as const) {
    const { id } = await system.runNow(task);
    await system.until(id, status);
  }
  await soon(pings, ['', '']);
});

it('a style without an address is refused', () => {
  const task = { name: 'x', monitor: HEALTHCHECKS, pipeline: [{ id: 'do', uses: 'c.do' }] };
  expect(taskSpecSchema.safeParse(task).error?.issues).toMatchObject([
    { path: ['monitor', 'ping_style'], message: 'belongs to ping_url' },
  ]);
});
