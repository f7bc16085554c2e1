import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWeatherServer } from '../../src/demo/weather-server.js';
import { systemClock } from '../../src/domain/clock.js';
import { MemoryBus } from '../../src/server/bus/memory-bus.js';
import { configSchema } from '../../src/server/config.js';
import { bootstrapAdmin } from '../../src/server/api/bootstrap-admin.js';
import type { RunningService } from '../../src/server/services/base.js';
import { startService } from '../../src/server/services/start-service.js';
import { openStore } from '../../src/server/store/open.js';
import type { Store } from '../../src/server/store/store.js';
import { type CommandSituation, runCommand } from './run-command.js';

let home: string;
let store: Store;
let api: RunningService;
let admin: string;
let weather: Awaited<ReturnType<typeof startWeatherServer>>;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'pao-real-'));
  store = await openStore({ url: `sqlite:${join(home, 'test.db')}`, durability: 'normal' });
  await store.migrate(systemClock.now());
  admin = (await bootstrapAdmin({ store, clock: systemClock, hasCredentials: false })) as string;
  const config = configSchema.parse({ port: 0, log_level: 'silent' });
  const bus = new MemoryBus();
  api = await startService(
    {
      kind: 'api',
      slot: 'api',
      workerId: 'wrk_test',
      config,
      databaseUrl: `sqlite:${join(home, 'test.db')}`,
      home,
      version: '0.0.0',
      clockOffsetMs: null,
      startedAt: systemClock.now(),
      fallbacks: [],
    },
    bus,
    systemClock,
    store,
  );
  weather = await startWeatherServer({ port: 0 });
});

afterAll(async () => {
  await api?.stop(1000);
  await weather?.close();
  await store?.close();
  rmSync(home, { recursive: true, force: true });
});

const pao = (id: string, argv: string[], situation: CommandSituation & { token?: string } = {}) =>
  runCommand(id, [...argv, '--url', api.url as string], {
    cwd: home,
    ...situation,
    env: { PAO_TOKEN: situation.token ?? admin },
  });

test('an agent is made, works with its token, gets another one, and is ended', async () => {
  const made = await pao('agent:create', ['mailer', '--scope', 'agents:read', '--scope', 'events:read']);
  expect(made.error).toBeNull();
  const first = made.stdout.trim();
  const seen = await pao('agent:show', ['mailer', '--json'], { token: first });
  expect(JSON.parse(seen.stdout)).toMatchObject({
    name: 'mailer',
    tokens: [{ prefix: first.slice(0, 12) }],
  });
  expect(seen.stdout).not.toContain(first);

  const rotated = await pao('agent:rotate', ['mailer', '--grace', '0s']);
  const second = rotated.stdout.trim();
  expect((await pao('agent:show', ['mailer'], { token: first })).error?.exitCode).toBe(4);
  expect((await pao('agent:show', ['mailer'], { token: second })).error).toBeNull();

  expect((await pao('agent:revoke', ['mailer', '--token', second.slice(0, 12), '--yes'])).error).toBeNull();
  expect((await pao('agent:show', ['mailer'], { token: second })).error?.exitCode).toBe(4);
  expect((await pao('agent:revoke', ['mailer', '--yes'])).error).toBeNull();
  expect((await pao('agent:show', ['mialer'])).error?.exitCode).toBe(5);
});

test('a scope that does not exist is refused with its pointer', async () => {
  const { error } = await pao('agent:create', ['odd', '--scope', 'taks:read']);
  expect(error?.exitCode).toBe(2);
  expect(error?.problems[0]?.pointer).toBe('/scopes/0');
});

test('a catalog is imported, and its tools are listed, shown, called and deleted', async () => {
  const { host } = new URL(weather.url);
  writeFileSync(
    join(home, 'tools.yaml'),
    `tools:
  - address: weather.forecast
    title: Weather
    kind: http
    grants: ["${host}"]
    http:
      method: GET
      url: ${weather.url}/v1/forecast
      query: { latitude: "\${input.latitude}", longitude: "\${input.longitude}" }
`,
  );
  const imported = await pao('tool:import', ['tools.yaml']);
  expect(imported.error).toBeNull();
  expect(imported.stdout).toMatch(/weather\s+http\s+1\s+forecast/);
  const listed = await pao('tool:list', ['--prefix', 'weather.', '--json']);
  expect(JSON.parse(listed.stdout)).toMatchObject({ items: [{ address: 'weather.forecast' }] });
  expect((await pao('tool:show', ['weather.forecast'])).stdout).toContain('Weather');

  const place = '{"latitude": 47.01, "longitude": 28.86}';
  const called = await pao('tool:call', ['weather.forecast', '--input', place, '--timeout', '20s']);
  expect(called.error).toBeNull();
  expect(JSON.parse(called.stdout)).toHaveProperty('current');

  expect((await pao('tool:delete', ['weather.forecast'])).error).toBeNull();
  expect((await pao('tool:show', ['weather.forecast'])).error?.exitCode).toBe(5);
});

test('what an import cannot reach is told with its line, and nothing is imported', async () => {
  writeFileSync(
    join(home, 'bad.yaml'),
    `servers:
  - name: gone
    transport: stdio
    command: ./does-not-exist
`,
  );
  const { error } = await pao('tool:import', ['bad.yaml']);
  expect(error?.exitCode).toBe(2);
  expect(error?.problems).toEqual([expect.objectContaining({ pointer: '/servers/0', line: 2 })]);
});

test('events are published once a key and tailed from the past into the present', async () => {
  const first = await pao('event:publish', ['mail.received', '--payload', '{"n":1}', '--dedupe-key', 'k']);
  const again = await pao('event:publish', ['mail.received', '--payload', '{"n":1}', '--dedupe-key', 'k']);
  expect(again.stdout).toBe(first.stdout);
  expect(again.stderr).toContain('published before');
  // A topic that is also a word of the stream's own protocol arrives like any other.
  const interrupt = new AbortController();
  let isFollowing = false;
  const tail = await pao('event:tail', ['--since', '1h', '--json'], {
    signal: interrupt.signal,
    onStdout: (text) => {
      if (text.includes('"n":2')) interrupt.abort();
      if (isFollowing) return;
      isFollowing = true;
      void pao('event:publish', ['heartbeat', '--payload', '{"n":2}']);
    },
  });
  expect(tail.error).toBeNull();
  const events = tail.stdout.trimEnd().split('\n');
  expect(events.map((line) => (JSON.parse(line) as { topic: string }).topic)).toEqual([
    'mail.received',
    'heartbeat',
  ]);
});
