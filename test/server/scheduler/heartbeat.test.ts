import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Timers, VirtualClock } from '../../../src/domain/clock.js';
import { MemoryBus } from '../../../src/server/bus/memory-bus.js';
import { Scheduler } from '../../../src/server/scheduler/scheduler.js';
import { openStore } from '../../../src/server/store/open.js';
import type { Store } from '../../../src/server/store/store.js';
import { silentLogger } from '../../../src/server/telemetry/logger.js';

/** Timers that are told when their time has come. */
class HandTimers implements Timers {
  beat: (() => void) | null = null;
  once: { work: () => void; ms: number } | null = null;

  setTimeout(work: () => void, ms: number) {
    this.once = { work, ms };
    return () => void (this.once = null);
  }

  setInterval(work: () => void) {
    this.beat = work;
    return () => void (this.beat = null);
  }
}

describe('the beat of the scheduler', () => {
  const clock = new VirtualClock('2026-11-24T06:00:00Z');
  const lines: object[] = [];
  let store: Store;
  let timers: HandTimers;
  let scheduler: Scheduler;
  /** Passes that began, and whether the next ones fail. */
  let passes = 0;
  let fails = false;

  beforeEach(async () => {
    store = await openStore({ url: 'sqlite::memory:', durability: 'normal' });
    await store.migrate(clock.now());
    [passes, fails, lines.length] = [0, false, 0];
    timers = new HandTimers();
    const broken = new Proxy(store, {
      get(target, key, self) {
        if (key !== 'reclaim') return Reflect.get(target, key, self) as unknown;
        passes += 1;
        return fails ? () => Promise.reject(new Error('no disk')) : target.reclaim.bind(target);
      },
    });
    const logger = { ...silentLogger, error: (fields: object) => void lines.push(fields) };
    scheduler = new Scheduler({ store: broken, bus: new MemoryBus(), clock, timers, logger });
  });
  afterEach(async () => {
    await scheduler.stop();
    await store.close();
  });

  /** Lets the pass that runs come to its end: stopping waits for it. */
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resume) => setImmediate(resume));
  };

  it('looks again at each beat, whatever became of the look before', async () => {
    scheduler.start();
    await settle();
    expect(passes).toBe(1);
    timers.beat?.();
    await settle();
    expect(passes).toBe(2);
    expect(scheduler.lastTickAt).toBe(clock.now());
  });

  it('looks less often while looking fails, says so with the id of the pass, and goes on by itself', async () => {
    fails = true;
    scheduler.start();
    await settle();
    expect(lines).toMatchObject([{ pass_id: expect.stringMatching(/^pas_/), retry_in_ms: 2000 }]);
    timers.beat?.();
    await settle();
    expect(passes).toBe(1);
    timers.beat?.();
    await settle();
    expect(passes).toBe(2);
    fails = false;
    for (let beat = 0; beat < 4; beat += 1) timers.beat?.();
    await settle();
    expect(passes).toBe(3);
    expect(scheduler.lastTickAt).toBe(clock.now());
  });

  it('ends with stop', async () => {
    scheduler.start();
    await scheduler.stop();
    expect([timers.beat, timers.once]).toEqual([null, null]);
  });
});
