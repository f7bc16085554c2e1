import { isMainThread, parentPort, Worker as Thread, workerData } from 'node:worker_threads';
import type { Store } from '../store/store.js';

/** What the renewing thread is told. */
export interface KeeperData {
  databaseUrl: string;
  workerId: string;
  leaseMs: number;
  /** One 32-bit counter that the main thread moves; see {@link startLeaseKeeper}. */
  pulse: SharedArrayBuffer;
  /** The process is ended when its main thread has been blocked for this long, milliseconds. */
  stuckAfterMs: number;
  clockOffsetMs: number;
}

export interface LeaseKeeper {
  /** The test clock moved. */
  setClockOffset(offsetMs: number): void;
  stop(): Promise<void>;
}

export interface LeaseKeeperOptions extends Omit<KeeperData, 'pulse'> {
  /** The built file of this module. */
  entry: string | URL;
  onCancel: (runIds: string[]) => void;
  onRenewed: (count: number) => void;
  onError: (message: string) => void;
}

type FromKeeper =
  | { type: 'cancel'; runIds: string[] }
  | { type: 'renewed'; count: number }
  | { type: 'error'; message: string };

/**
 * Renews a worker's leases from a thread of its own, so that a step that blocks the event loop does not lose them
 * (reliability.md D2.4). A main thread that is blocked for much longer than any step should take is ended with the
 * process: its leases are then taken back at once.
 */
export function startLeaseKeeper(options: LeaseKeeperOptions): LeaseKeeper {
  const pulse = new SharedArrayBuffer(4);
  const beat = setInterval(() => Atomics.add(new Int32Array(pulse), 0, 1), 500);
  beat.unref();
  const { entry, onCancel, onRenewed, onError, ...rest } = options;
  const thread = new Thread(entry, { workerData: { ...rest, pulse } satisfies KeeperData, stdout: false });
  thread.on('message', (message: FromKeeper) => {
    if (message.type === 'cancel') onCancel(message.runIds);
    else if (message.type === 'renewed') onRenewed(message.count);
    else onError(message.message);
  });
  thread.on('error', (error) => onError(String(error)));
  thread.unref();
  return {
    setClockOffset: (offsetMs) => thread.postMessage({ type: 'clock', offsetMs }),
    async stop() {
      clearInterval(beat);
      await thread.terminate();
    },
  };
}

/** Renews from the main thread: for stores that only this process can see (`:memory:`). */
export function startInProcessKeeper(options: {
  store: Store;
  workerId: string;
  leaseMs: number;
  now: () => number;
  onCancel: (runIds: string[]) => void;
  onRenewed: (count: number) => void;
  onError: (message: string) => void;
}): LeaseKeeper {
  const timer = setInterval(
    () =>
      void renewOnce(options.store, options.workerId, options.leaseMs, options.now()).then(
        ({ renewed, cancelRequested }) => {
          if (renewed > 0) options.onRenewed(renewed);
          if (cancelRequested.length > 0) options.onCancel(cancelRequested);
        },
        (error: unknown) => options.onError(String(error)),
      ),
    options.leaseMs / 3,
  );
  timer.unref();
  return {
    setClockOffset() {},
    async stop() {
      clearInterval(timer);
    },
  };
}

const renewOnce = (store: Store, workerId: string, leaseMs: number, now: number) =>
  store.renewLeases({ workerId, now, leaseMs });

async function keepLeases(data: KeeperData): Promise<void> {
  const { openStore } = await import('../store/open.js');
  const store = await openStore({ url: data.databaseUrl, durability: 'normal' });
  const pulse = new Int32Array(data.pulse);
  let offsetMs = data.clockOffsetMs;
  parentPort?.on('message', (message: { type: 'clock'; offsetMs: number }) => {
    offsetMs = message.offsetMs;
  });
  let seen = -1;
  let seenAt = performance.now();
  setInterval(async () => {
    const beat = Atomics.load(pulse, 0);
    if (beat !== seen) {
      seen = beat;
      seenAt = performance.now();
    } else if (performance.now() - seenAt > data.stuckAfterMs) {
      process.kill(process.pid, 'SIGKILL');
    }
    try {
      const { renewed, cancelRequested } = await renewOnce(
        store,
        data.workerId,
        data.leaseMs,
        Date.now() + offsetMs,
      );
      if (renewed > 0) parentPort?.postMessage({ type: 'renewed', count: renewed } satisfies FromKeeper);
      if (cancelRequested.length > 0)
        parentPort?.postMessage({ type: 'cancel', runIds: cancelRequested } satisfies FromKeeper);
    } catch (error) {
      parentPort?.postMessage({ type: 'error', message: String(error) } satisfies FromKeeper);
    }
  }, data.leaseMs / 3);
}

if (!isMainThread && (workerData as Partial<KeeperData> | null)?.pulse instanceof SharedArrayBuffer) {
  void keepLeases(workerData as KeeperData);
}
