import { hostname } from 'node:os';
import type { Base, StartedService } from './base.js';

const HEARTBEAT_MS = 5000;

/** Signs of life, and a good-bye: what was stopped on purpose is not missed. */
export function startHeartbeat(
  { init, store, clock, logger }: Base,
  service: StartedService,
): { stop(): Promise<void> } {
  const startedAt = clock.now();
  let written: Promise<void> = Promise.resolve();
  const beat = () => {
    written = store
      .heartbeat({
        id: init.workerId,
        kind: init.kind,
        slot: init.place ?? init.slot,
        pid: process.pid,
        host: hostname(),
        version: init.version,
        tags: init.config.worker_tags,
        startedAt,
        lastSeenAt: clock.now(),
        slotsTotal: service.slots?.().total ?? 0,
        slotsBusy: service.slots?.().busy ?? 0,
      })
      .catch((error: unknown) => logger.warn({ err: error }, 'the heartbeat could not be written'));
  };
  beat();
  const timer = setInterval(beat, HEARTBEAT_MS);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await written;
      // The last sign of the API tells when the system was last there.
      if (init.kind !== 'api')
        await store
          .forgetWorker(init.workerId)
          .catch((error: unknown) => logger.warn({ err: error }, 'the good-bye could not be written'));
    },
  };
}
