import { expect, it } from 'vitest';
import { Looker } from '../../src/domain/looker.js';

/** Looks that end when the test says so, and timers that run when it says so. */
function subject(delay: number | null = 5000) {
  const looks: ((delay: number | null) => void)[] = [];
  const timers: { work: () => void; ms: number }[] = [];
  const looker = new Looker(() => new Promise((resolve) => looks.push(resolve)), {
    setTimeout(work, ms) {
      const timer = { work, ms };
      timers.push(timer);
      return () => timers.splice(timers.indexOf(timer) >>> 0, 1);
    },
    setInterval: () => () => {},
  });
  return {
    looker,
    timers,
    begun: () => looks.length,
    async end(asked = delay) {
      looks.at(-1)?.(asked);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

it('looks at the start, and again when the time it asked for has passed', async () => {
  const { looker, timers, begun, end } = subject();
  looker.wake();
  expect(begun()).toBe(0);
  looker.start();
  expect([begun(), looker.isLooking]).toEqual([1, true]);
  await end(250);
  expect([looker.isLooking, timers.map(({ ms }) => ms)]).toEqual([false, [250]]);
  timers[0]?.work();
  expect(begun()).toBe(2);
});

it('looks once more after a look during which it was woken, however often', async () => {
  const { looker, timers, begun, end } = subject();
  looker.start();
  for (let n = 0; n < 3; n += 1) looker.wake();
  expect(begun()).toBe(1);
  await end();
  expect([begun(), timers]).toEqual([2, []]);
  await end();
  expect([begun(), timers.length]).toEqual([2, 1]);
});

it('loses no wake of the very moment in which a look ends', async () => {
  let looks = 0;
  let looker: Looker | null = null;
  const ended: Promise<number>[] = [];
  looker = new Looker(() => {
    looks += 1;
    const look = Promise.resolve(60_000);
    ended.push(look);
    return look;
  });
  looker.start();
  // Wakes in each of the microtasks around the end of the first look: each is followed by a look.
  for (let n = 0; n < 8; n += 1) {
    await Promise.resolve();
    const before = looks;
    looker.wake();
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    expect(looks).toBeGreaterThan(before);
  }
  await looker.stop();
});

it('is woken by itself, and forgets its timer when it is woken', async () => {
  const { looker, timers, begun, end } = subject();
  looker.start();
  await end();
  looker.wake();
  expect([begun(), timers]).toEqual([2, []]);
});

it('begins nothing after it was stopped, lets what it looks at end, and can be started again', async () => {
  const { looker, timers, begun, end } = subject();
  looker.start();
  looker.wake();
  let stopped = false;
  const stopping = looker.stop().then(() => {
    stopped = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(stopped).toBe(false);
  await end();
  await stopping;
  looker.wake();
  expect([begun(), timers, looker.isStopped]).toEqual([1, [], true]);
  looker.start();
  expect(begun()).toBe(2);
});
