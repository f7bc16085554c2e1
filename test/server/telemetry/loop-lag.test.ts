import { expect, test } from 'vitest';
import { LoopLag } from '../../../src/server/telemetry/loop-lag.js';

test('one long pause is no lasting lag; being late again and again is', () => {
  const lag = new LoopLag(() => 0);
  for (const late of [1, 8000, 2]) lag.add(late);
  expect(lag.lasting).toBe(1);
  for (const late of [300, 450, 280, 900]) lag.add(late);
  expect(lag.lasting).toBe(280);
});

test('a blocked event loop is seen', async () => {
  const lag = new LoopLag(() => performance.now()).start();
  try {
    while (lag.lasting < 100) {
      const until = performance.now() + 700;
      while (performance.now() < until);
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    lag.stop();
  }
});
