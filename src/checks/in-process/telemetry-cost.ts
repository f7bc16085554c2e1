import { systemClock } from '../../domain/clock.js';
import { Redactor } from '../../domain/redact.js';
import { MemoryBus } from '../../server/bus/memory-bus.js';
import { openStore } from '../../server/store/open.js';
import { createLogger } from '../../server/telemetry/logger.js';
import { createMetrics } from '../../server/telemetry/metrics.js';
import { ObservationBuffer } from '../../server/telemetry/observation-buffer.js';

const MOVEMENTS = 20_000;
const LINES = 1000;
/** Values that are looked for in every line. */
const SECRETS = 150;
/** What a busy worker sends at a time. */
const BATCH = 100;

/** CPU time, microseconds. */
export interface TelemetryCost {
  /** One movement of a metric, from where it happens to the registry. */
  movement_us: number;
  /** One log line of the usual fields, with 150 secrets looked for. */
  line_us: number;
}

/**
 * What metrics and logs cost here, with the very code of the services: CPU time of this process, so that others on the
 * machine count for little.
 * @param redact takes the secrets out of a line; the redactor of the services when left out.
 */
export async function measureTelemetryCost(redact?: (line: string) => string): Promise<TelemetryCost> {
  const store = await openStore({ url: 'sqlite::memory:', durability: 'normal' });
  try {
    await store.migrate(0);
    const redactor = new Redactor();
    for (let index = 0; index < SECRETS; index++) redactor.register(`secret-value-${index}-${index * 7919}`);
    let written = 0;
    const logger = await createLogger({
      service: 'w1',
      level: 'info',
      redact: redact ?? ((line) => redactor.redactText(line)),
      write: (line) => void (written += line.length),
    });
    const metrics = await createMetrics({
      store,
      bus: new MemoryBus(),
      clock: systemClock,
      logger,
      version: '0',
      workersDesired: 1,
    });
    const buffer = new ObservationBuffer((all) => metrics.record(all));
    const move = (index: number) => {
      if (index % 2 === 0) buffer.add('step_success_total', { tool: 'debug.echo' });
      else buffer.observe('step_duration_seconds', { outcome: 'success' }, 0.01);
      if (index % BATCH === 0) buffer.flush();
    };
    const say = (index: number) =>
      logger.info(
        { trace_id: '0af7651916cd43dd8448eb211c80319c', run_id: `run_${index}`, attempt: 1, duration_ms: 12 },
        'run ended',
      );
    return { movement_us: cpuOf(MOVEMENTS, move), line_us: cpuOf(LINES, say) };
  } finally {
    await store.close();
  }
}

/** Mean CPU time of one, microseconds, once it is warm. */
function cpuOf(times: number, work: (index: number) => void): number {
  for (let index = 1; index <= times / 10; index++) work(index);
  const before = process.cpuUsage();
  for (let index = 1; index <= times; index++) work(index);
  const { user, system } = process.cpuUsage(before);
  return Math.round(((user + system) / times) * 100) / 100;
}
