import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LayeredBus } from '../../../src/server/bus/layered-bus.js';
import { MemoryBus } from '../../../src/server/bus/memory-bus.js';
import { probeRedis, RedisBus } from '../../../src/server/bus/redis-bus.js';
import { freePort } from '../../free-port.js';
import { type RedisServer, startRedis } from './a-redis.js';

let redis: RedisServer;
const open: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
afterEach(async () => {
  for (const bus of open.splice(0)) await bus.close();
});

async function aBus(prefix = 'test', url = redis.url): Promise<RedisBus & { states: (string | boolean)[] }> {
  const states: (string | boolean)[] = [];
  const bus = new RedisBus({
    url,
    prefix,
    onState: (isUp, reason) => states.push(isUp ? true : `${reason}`),
  });
  open.push(bus);
  bus.connect();
  await expect.poll(() => bus.isUp(), { timeout: 20_000 }).toBe(true);
  return Object.assign(bus, { states });
}
/** A message is lost while the other side has not subscribed yet: it is sent until it arrives. */
async function reaches(from: RedisBus, received: unknown[]): Promise<void> {
  await expect
    .poll(
      () => {
        from.publish('work', { count: 7 });
        return received.length;
      },
      { timeout: 20_000 },
    )
    .toBeGreaterThan(0);
}
async function streamOf(prefix: string): Promise<Record<string, string>[]> {
  const reader = new Redis(redis.url);
  const entries = await reader.xrange(`${prefix}:events`, '-', '+');
  reader.disconnect();
  return entries.map(([, fields]) =>
    Object.fromEntries(fields.flatMap((name, index) => (index % 2 ? [] : [[name, fields[index + 1] ?? '']]))),
  );
}
const entry = (n: number) => ({
  type: 'run.started',
  at: 1_700_000_000_000 + n,
  subject: `run_${n}`,
  data: { n },
});

describe('wake-ups over Redis', () => {
  it('reach the other processes once, and not back to the sender over Redis', async () => {
    const [one, two] = [await aBus(), await aBus()];
    const heard: unknown[] = [];
    const own: unknown[] = [];
    two.subscribe('work', (message) => heard.push(message));
    await reaches(one, heard);
    two.subscribe('cancel', (message) => heard.push(message));
    one.subscribe('cancel', (message) => own.push(message));
    heard.length = 0;
    one.publish('cancel', { runIds: ['run_1'] });
    await expect.poll(() => heard).toContainEqual({ runIds: ['run_1'] });
    await expect.poll(() => own).toEqual([{ runIds: ['run_1'] }]);
  });

  it('do not reach a system with another prefix', async () => {
    const [one, two, other] = [await aBus('a'), await aBus('a'), await aBus('b')];
    const heard: unknown[] = [];
    const foreign: unknown[] = [];
    two.subscribe('run', (message) => heard.push(message));
    other.subscribe('run', (message) => foreign.push(message));
    await expect
      .poll(() => (one.publish('run', { runIds: ['x'] }), heard.length), { timeout: 20_000 })
      .toBeGreaterThan(0);
    expect(foreign).toEqual([]);
  });
});

describe('lifecycle events', () => {
  it('stand in the stream in order, for readers outside and their consumer groups', async () => {
    const bus = await aBus('stream');
    bus.record([entry(1), entry(2)]);
    bus.record([entry(3)]);
    await expect.poll(() => streamOf('stream'), { timeout: 20_000 }).toHaveLength(3);
    expect((await streamOf('stream')).map(({ subject }) => subject)).toEqual(['run_1', 'run_2', 'run_3']);
    expect((await streamOf('stream'))[0]).toEqual({
      type: 'run.started',
      at: '2023-11-14T22:13:20.001Z',
      subject: 'run_1',
      data: '{"n":1}',
    });
    const reader = new Redis(redis.url);
    await reader.xgroup('CREATE', 'stream:events', 'mine', '0');
    const read = await reader.xreadgroup('GROUP', 'mine', 'me', 'COUNT', 10, 'STREAMS', 'stream:events', '>');
    expect((read as [string, unknown[]][])[0]?.[1]).toHaveLength(3);
    reader.disconnect();
  });
});

describe('when Redis goes away', () => {
  it('the process goes on, says so, and catches up when it is back', async () => {
    const own = await startRedis();
    const bus = await aBus('away', own.url);
    const other = await aBus('away', own.url);
    const heard: unknown[] = [];
    bus.subscribe('schedule', () => heard.push('local'));
    await own.kill();
    await expect.poll(() => bus.isUp(), { timeout: 20_000 }).toBe(false);
    await expect.poll(() => bus.states.at(-1), { timeout: 20_000 }).toBeTypeOf('string');
    bus.publish('schedule', { reason: 'task' });
    await expect.poll(() => heard).toEqual(['local']);
    bus.record([entry(1)]);
    await own.restart();
    await expect.poll(() => bus.isUp() && other.isUp(), { timeout: 20_000 }).toBe(true);
    // Whoever comes back looks for work that nobody could tell of.
    await expect.poll(() => heard.length, { timeout: 20_000 }).toBeGreaterThan(1);
    const reader = new Redis(own.url);
    await expect.poll(() => reader.xlen('away:events'), { timeout: 20_000 }).toBe(1);
    reader.disconnect();
    const received: unknown[] = [];
    other.subscribe('work', (message) => received.push(message));
    await reaches(bus, received);
    expect(bus.states.at(-1)).toBe(true);
    await own.stop();
  });

  it('a backlog that grew too long is cut at its old end, and the stream says how much is missing', async () => {
    const bus = new RedisBus({ url: redis.url, prefix: 'gap' });
    open.push(bus);
    bus.record(Array.from({ length: 10_020 }, (_, n) => entry(n)));
    bus.connect();
    await expect.poll(async () => (await streamOf('gap')).length, { timeout: 20_000 }).toBe(10_001);
    const [first, second] = await streamOf('gap');
    expect(JSON.parse(first?.['data'] ?? '')).toMatchObject({ dropped: 20 });
    expect(second?.['subject']).toBe('run_20');
  });

  it('the processes of one machine still hear each other over the near bus', async () => {
    const near = new MemoryBus();
    const bus = new LayeredBus(
      near,
      new RedisBus({ url: `redis://127.0.0.1:${await freePort()}`, prefix: 'x' }),
    );
    open.push(bus);
    const heard: unknown[] = [];
    bus.subscribe('work', (message) => heard.push(message));
    near.publish('work', { count: 2 });
    await expect.poll(() => heard).toEqual([{ count: 2 }]);
    expect(bus.isUp()).toBe(false);
  });
});

describe('a probe', () => {
  it('names host, port and reason, tells wrong credentials apart, and shows no password', async () => {
    expect((await probeRedis(redis.url)).version).toMatch(/^\d+\./);
    const port = await freePort();
    await expect(probeRedis(`redis://:geheim@127.0.0.1:${port}`)).rejects.toMatchObject({
      code: 'PAO_REDIS_UNREACHABLE',
      exitCode: 3,
      message: `Redis at 127.0.0.1:${port} can not be reached (ECONNREFUSED).`,
      hints: [`redis-cli -u redis://:***@127.0.0.1:${port} ping`],
    });
    const locked = await startRedis({ password: 'open-sesame' });
    await expect(probeRedis(`redis://:wrong@127.0.0.1:${locked.port}`)).rejects.toMatchObject({
      code: 'PAO_REDIS_REFUSED',
      exitCode: 2,
    });
    expect((await probeRedis(locked.url)).version).toMatch(/^\d+\./);
    await locked.stop();
  });
});
