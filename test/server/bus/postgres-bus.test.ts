import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { BusMessages } from '../../../src/server/bus/bus.js';
import { MemoryBus } from '../../../src/server/bus/memory-bus.js';
import { openBus } from '../../../src/server/bus/open-bus.js';
import { PostgresBus } from '../../../src/server/bus/postgres-bus.js';
import { createDatabase, type TestDatabase } from '../../postgres/shared-cluster.js';

let database: TestDatabase;
const open: PostgresBus[] = [];
beforeAll(async () => {
  database = await createDatabase('bus');
});
afterEach(async () => {
  for (const bus of open.splice(0)) await bus.close();
});
afterAll(() => database.drop());

async function join(
  options: Partial<ConstructorParameters<typeof PostgresBus>[0]> = {},
): Promise<PostgresBus> {
  const bus = new PostgresBus({ url: database.url, ...options });
  open.push(bus);
  await bus.open();
  return bus;
}

/** Resolves with the first message of a topic that fits. */
function heard<T extends keyof BusMessages>(
  bus: PostgresBus,
  topic: T,
  fits: (message: BusMessages[T]) => boolean = () => true,
): Promise<BusMessages[T]> {
  return new Promise((resolve) => {
    const stop = bus.subscribe(topic, (message) => {
      if (!fits(message)) return;
      stop();
      resolve(message);
    });
  });
}

test('what one says the others hear, and it hears itself once', async () => {
  const [a, b] = [await join(), await join()];
  const own: unknown[] = [];
  a.subscribe('event', (message) => own.push(message));
  const message = { id: 'evt_1', sequence: 1, topic: 'ü.x' };
  const there = heard(b, 'event');
  a.publish('event', message);
  expect(await there).toEqual(message);
  const back = heard(a, 'cancel');
  b.publish('cancel', { runIds: ['run_1'] });
  await back;
  expect(own).toEqual([message]);
});

test('what is said in one turn goes out together, and news of many runs is kept short', async () => {
  const [a, b] = [await join(), await join()];
  const seen = new Set<string>();
  let cancels = 0;
  const news: string[] = [];
  const all = new Promise<void>((resolve) => {
    b.subscribe('cancel', ({ runIds }) => {
      cancels += 1;
      for (const id of runIds) seen.add(id);
      if (seen.size === 5000) resolve();
    });
  });
  b.subscribe('run', ({ runIds }) => {
    news.push(...runIds);
  });
  const work = heard(b, 'work', ({ count }) => count > 1);
  for (let index = 0; index < 5000; index++) {
    const runIds = [`run_${String(index).padStart(36, '0')}`];
    a.publish('cancel', { runIds });
    a.publish('run', { runIds });
    a.publish('work', { count: 1 });
  }
  await all;
  expect(cancels).toBe(50);
  expect(await work).toEqual({ count: 5000 });
  while (news.length < 500) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(news).toHaveLength(500);
});

test('the bus of a service reaches others over its database when there is no Redis', async () => {
  const b = await join();
  const config = { redis_url: 'memory://', redis_prefix: 'pao' };
  let up: () => void = () => {};
  const isUp = new Promise<void>((resolve) => {
    up = resolve;
  });
  const bus = await openBus(config, new MemoryBus(), {
    postgres: { url: database.url },
    onState: (state) => {
      if (state) up();
    },
  });
  await isUp;
  expect([bus.backend, bus.isUp?.()]).toEqual(['postgres', true]);
  const there = heard(b, 'cancel');
  bus.publish('cancel', { runIds: ['run_here'] });
  expect(await there).toEqual({ runIds: ['run_here'] });
  const here = new Promise((resolve) => bus.subscribe('event', resolve));
  b.publish('event', { id: 'evt_1', sequence: 1, topic: 'x' });
  expect(await here).toEqual({ id: 'evt_1', sequence: 1, topic: 'x' });
  await bus.close();
});

test('metrics and the test clock stay at home', async () => {
  const [a, b] = [await join(), await join()];
  const foreign: string[] = [];
  for (const topic of ['metrics', 'clock'] as const) b.subscribe(topic, () => foreign.push(topic));
  const last = heard(b, 'schedule', ({ reason }) => reason === 'event');
  a.publish('metrics', { observations: [] });
  a.publish('clock', { offsetMs: 1 });
  a.publish('schedule', { reason: 'event' });
  await last;
  expect(foreign).toEqual([]);
});

test('a connection that is cut is made anew, and everybody looks for what was missed', async () => {
  const states: (string | null)[] = [];
  let back: () => void = () => {};
  const again = new Promise<void>((resolve) => {
    back = resolve;
  });
  const a = await join({
    onState(_isUp, lost) {
      states.push(lost);
      if (lost === null && states.length > 1) back();
    },
  });
  const b = await join();
  const looks = heard(a, 'work');
  await database.admin.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pao bus' AND datname = current_database()",
  );
  await again;
  await looks;
  expect(states.map((state) => state === null)).toEqual([true, false, true]);
  while (!b.isUp()) await new Promise((resolve) => setTimeout(resolve, 10));
  const message = heard(b, 'cancel');
  a.publish('cancel', { runIds: ['run_2'] });
  expect(await message).toEqual({ runIds: ['run_2'] });
});

test('a database that is not there is said at once, and looked for again', async () => {
  const bus = new PostgresBus({ url: 'postgres://127.0.0.1:1/none', connectTimeoutMs: 1000 });
  open.push(bus);
  await expect(bus.open()).rejects.toThrow(/ECONNREFUSED/);
  expect(bus.isUp()).toBe(false);
  bus.publish('work', { count: 1 });
});
