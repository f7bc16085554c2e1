import { afterEach, describe, expect, test } from 'vitest';
import { ConcurrencyLimit, type Pressure } from '../../../src/server/worker/concurrency-limit.js';
import { startTestSystem, type TestSystem } from '../a-system.js';

const WELL: Pressure = { memory: 0.2, event_loop: 0.1, database: 0 };

/** A limit and a clock that a test moves, a second a look. */
function aLimit(max: number) {
  const limit = new ConcurrencyLimit({ max });
  let now = 0;
  return {
    limit,
    /** @returns what it did in each of so many seconds. */
    seconds: (count: number, pressure: Partial<Pressure> = {}) =>
      Array.from({ length: count }, () => limit.observe((now += 1000), { ...WELL, ...pressure })),
  };
}

describe('the concurrency of a worker', () => {
  test('stays as it is while nothing presses, and near the bound', () => {
    const { limit, seconds } = aLimit(16);
    expect(seconds(100).every((change) => change === null)).toBe(true);
    expect(seconds(100, { memory: 0.99 }).every((change) => change === null)).toBe(true);
    expect(limit.current).toBe(16);
  });

  test.each(['memory', 'event_loop', 'database'] as const)(
    'is halved by too much %s, down to one',
    (cause) => {
      const { limit, seconds } = aLimit(16);
      expect(seconds(1, { [cause]: 1 })).toEqual([cause]);
      expect(limit.current).toBe(8);
      // A cut gets time to show.
      expect(seconds(1, { [cause]: 5 })).toEqual([null]);
      seconds(20, { [cause]: 2 });
      expect(limit.current).toBe(1);
    },
  );

  test('comes back in eighths once all has been well for a while, and no further than it was', () => {
    const { limit, seconds } = aLimit(16);
    seconds(20, { database: 3 });
    expect(seconds(3)).toEqual([null, null, null]);
    expect(seconds(2)).toEqual(['calm', 'calm']);
    expect(limit.current).toBe(5);
    // One look that is not well starts the wait anew.
    expect(seconds(1, { database: 0.8 })).toEqual([null]);
    expect(seconds(3)).toEqual([null, null, null]);
    seconds(20);
    expect(limit.current).toBe(16);
    expect(seconds(5).every((change) => change === null)).toBe(true);
  });

  test('finds what the database bears: work that slows with each run at once settles below the bound', () => {
    const { limit, seconds } = aLimit(64);
    const seen: number[] = [];
    for (let second = 0; second < 600; second++) {
      seconds(1, { database: limit.current / 30 });
      if (second > 60) seen.push(limit.current);
    }
    expect(Math.max(...seen)).toBeLessThanOrEqual(30 + 8);
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(8);
  });
});

describe('a worker that is told', () => {
  let system: TestSystem;
  afterEach(() => system.close());

  test('does so many runs at once from then on, and more again', async () => {
    const waiting: (() => void)[] = [];
    system = await startTestSystem({
      callTool: () => new Promise((resolve) => waiting.push(() => resolve({ output: null, durationMs: 0 }))),
    });
    await system.addTool({
      address: 'probe.read',
      title: 'Probe',
      description: 'Waits',
      kind: 'http',
      http: { url: 'http://localhost/' },
    });
    const task = await system.addTask({ name: 'a', pipeline: [{ id: 'one', uses: 'probe.read', with: {} }] });
    const worker = system.startWorker({ concurrency: 4 });
    const runs = [];
    for (let index = 0; index < 12; index++) runs.push(await system.runNow(task));
    const atOnce = async (count: number) => {
      while (waiting.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
      // Whatever else would begin has its chance.
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(waiting).toHaveLength(count);
    };
    await atOnce(4);
    worker.setConcurrency(1);
    for (const finish of waiting.splice(0)) finish();
    await atOnce(1);
    worker.setConcurrency(4);
    await atOnce(4);
    const over = setInterval(() => waiting.splice(0).forEach((finish) => finish()), 5);
    for (const run of runs) await system.until(run.id, 'succeeded');
    clearInterval(over);
  });
});
