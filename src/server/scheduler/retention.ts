import { type Clock, systemTimers, type Timers } from '../../domain/clock.js';
import { parseDuration } from '../../domain/duration.js';
import { newId } from '../../domain/ids.js';
import type { Config } from '../config.js';
import type { PruneBounds, Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';

const EVERY_MS = 10 * 60_000;
const SLICE = 1000;
/** An answer to an Idempotency-Key is given again for a day; a second day leaves room for clocks that differ. */
const KEEP_ANSWERS_MS = 2 * 86_400_000;
/** A token that ended is listed with its end this long; each link to the dashboard is one. */
const KEEP_TOKENS_MS = 30 * 86_400_000;

/** Deletes finished history that is older than the retention policy, in slices that never hold the database for long. */
export function startRetention(options: {
  store: Store;
  clock: Clock;
  /** The machine's when left out. */
  timers?: Timers;
  logger: Logger;
  config: Config;
}): { stop(): void } {
  let stopped = false;
  const pass = async () => {
    const passId = newId('pas', options.clock.now());
    try {
      let total = 0;
      for (;;) {
        const bounds = retentionBounds(options.config.retention, options.clock.now());
        const deleted = await options.store.prune({ ...bounds, limit: SLICE });
        total += deleted;
        if (stopped || deleted < SLICE) break;
      }
      await options.store.forgetWorkers(options.clock.now() - 86_400_000);
      if (total > 0)
        options.logger.info(
          { rows: total, pass_id: passId },
          'history older than the retention policy was deleted',
        );
    } catch (error) {
      options.logger.warn({ err: error, pass_id: passId }, 'history could not be pruned');
    }
  };
  const end = (options.timers ?? systemTimers).setInterval(() => void pass(), EVERY_MS);
  return {
    stop() {
      stopped = true;
      end();
    },
  };
}

/** The oldest moment that is kept of each kind of history, by the retention policy. */
export function retentionBounds(retention: Config['retention'], now: number): PruneBounds {
  return {
    runsBefore: now - parseDuration(retention.runs),
    eventsBefore: now - parseDuration(retention.events),
    answersBefore: now - KEEP_ANSWERS_MS,
    tokensBefore: now - KEEP_TOKENS_MS,
  };
}
