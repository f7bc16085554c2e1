import type { Clock } from '../../domain/clock.js';
import type { Logger } from '../telemetry/logger.js';
import type { LoopLag } from '../telemetry/loop-lag.js';
import { ConcurrencyLimit } from './concurrency-limit.js';
import { feelPressure } from './feel-pressure.js';
import type { Worker } from './worker.js';

const EVERY_MS = 1000;

/** Fits a worker's concurrency to what its process and the database bear. @returns a function that ends it. */
export function startAdapting(options: {
  worker: Worker;
  max: number;
  lag: LoopLag;
  takeSlowestMs: () => number;
  clock: Clock;
  logger: Logger;
}): () => void {
  const { worker, lag, clock, logger } = options;
  const limit = new ConcurrencyLimit({ max: options.max });
  lag.start();
  const timer = setInterval(() => {
    const pressure = feelPressure(lag, options.takeSlowestMs());
    const change = limit.observe(clock.monotonic(), pressure);
    if (change === null) return;
    worker.setConcurrency(limit.current);
    const fields = { concurrency: limit.current, of: options.max, ...rounded(pressure) };
    if (change !== 'calm') logger.warn({ ...fields, cause: change }, 'under pressure: fewer runs at once');
    else if (limit.current === options.max)
      logger.warn(fields, 'the pressure is over: as many runs at once as before');
  }, EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

const rounded = (pressure: object) =>
  Object.fromEntries(Object.entries(pressure).map(([name, share]) => [name, Math.round(share * 100) / 100]));
