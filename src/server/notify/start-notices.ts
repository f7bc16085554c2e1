import { parseDuration } from '../../domain/duration.js';
import type { Clock } from '../../domain/clock.js';
import type { Observer } from '../../domain/observability/observer.js';
import type { Bus } from '../bus/bus.js';
import type { Config } from '../config.js';
import type { Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';
import { BrokenTasks } from './broken-tasks.js';
import { FailureWatch } from './failure-watch.js';
import { MissedOccurrences } from './missed-occurrences.js';
import { NoticeWatch } from './notice-watch.js';
import { openNoticeOutbox } from './put-notice.js';
import { StepTrouble } from './step-trouble.js';

/** Starts the watch over what people are to be told of; they are told by messages of the outbox. */
export function startNotices(options: {
  store: Store;
  bus: Bus;
  clock: Clock;
  logger: Logger;
  observer: Observer;
  config: Pick<Config, 'notify' | 'misfire_after' | 'retention'>;
}): NoticeWatch {
  const { store, bus, clock, logger, observer, config } = options;
  const { notify } = config;
  const now = () => clock.now();
  const put = openNoticeOutbox({ store, bus, now, notify, logger });
  const watch = new NoticeWatch({
    bus,
    logger,
    looks: [
      new FailureWatch({ store, bus, clock, logger, observer, notify, put }),
      new StepTrouble({ store, now, logger, put, keepMs: parseDuration(config.retention.runs) }),
      new BrokenTasks({ store, logger, put }),
      new MissedOccurrences({
        store,
        now,
        logger,
        put,
        misfireAfterMs: parseDuration(config.misfire_after),
      }),
    ],
  });
  watch.start();
  return watch;
}
