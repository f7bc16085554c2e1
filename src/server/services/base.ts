import type { Clock } from '../../domain/clock.js';
import type { Redactor } from '../../domain/redact.js';
import type { Bus } from '../bus/bus.js';
import type { Store } from '../store/store.js';
import type { ServiceInit } from '../supervisor/service-messages.js';
import type { Logger } from '../telemetry/logger.js';
import type { LoopLag } from '../telemetry/loop-lag.js';
import type { ObservationBuffer } from '../telemetry/observation-buffer.js';
import type { Tracer } from '../telemetry/tracing.js';

/** A service that runs, in a process of its own or beside others. */
export interface RunningService {
  url?: string;
  stop(graceMs: number): Promise<Record<string, number>>;
}

/** A service as its own starter knows it. */
export interface StartedService extends RunningService {
  slots?: () => { total: number; busy: number };
  /** When it last looked at its work, monotonic milliseconds; left out by one that does not look again and again. */
  lastLook?: () => number;
}

/** What all services of one process share. */
export interface Base {
  init: ServiceInit;
  store: Store;
  bus: Bus;
  clock: Clock;
  logger: Logger;
  redactor: Redactor;
  /** What this process says about itself; it goes to the registry, wherever that is. */
  observations: ObservationBuffer;
  tracer: Tracer | null;
  /** How late the event loop is; a service that wants to know starts it. */
  lag: LoopLag;
  /** The longest call of the store since it was asked for the last time, milliseconds. */
  takeSlowestMs: () => number;
}
