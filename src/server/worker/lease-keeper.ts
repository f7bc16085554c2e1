import {
  isMainThread,
  parentPort,
  receiveMessageOnPort,
  Worker as Thread,
  workerData,
} from 'node:worker_threads';
import type { OpenStoreOptions } from '../store/open.js';
import type { Store } from '../store/store.js';
import { STUCK_SIGNAL } from '../telemetry/restart-reason.js';

/** What the renewing thread is told. */
export interface KeeperData {
  databaseUrl: string;
  postgres?: OpenStoreOptions['postgres'];
  workerId: string;
  leaseMs: number;
  /** One 32-bit counter that the main thread moves; see {@link startLeaseKeeper}. */
  pulse: SharedArrayBuffer;
  /** The process is ended when its main thread has been blocked for this long, milliseconds. */
  stuckAfterMs: number;
  clockOffsetMs: number;
}

export interface LeaseKeeper {
  /** These runs were leased: they are renewed from now on, also while the main thread is blocked. */
  hold(runIds: string[]): void;
  /** The test clock moved. */
  setClockOffset(offsetMs: number): void;
  stop(): Promise<void>;
}

export interface LeaseKeeperOptions extends Omit<KeeperData, 'pulse'> {
  /** The built file of this module. */
  entry: string | URL;
  /** Every run the worker has now. A lease whose answer it never got is not among them, and runs out by itself. */
  held: () => string[];
  onCancel: (runIds: string[]) => void;
  onRenewed: (count: number) => void;
  onError: (message: string) => void;
}

type ToKeeper =
  | { type: 'clock'; offsetMs: number }
  /** Runs leased since the last message. */
  | { type: 'more'; runIds: string[] }
  /** All there are. */
  | { type: 'held'; runIds: string[] };

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
  const { entry, held, onCancel, onRenewed, onError, ...rest } = options;
  const thread = new Thread(entry, { workerData: { ...rest, pulse } satisfies KeeperData, stdout: false });
  thread.on('message', (message: FromKeeper) => {
    if (message.type === 'cancel') onCancel(message.runIds);
    else if (message.type === 'renewed') onRenewed(message.count);
    else onError(message.message);
  });
  thread.on('error', (error) => onError(String(error)));
  thread.unref();
  const tell = (message: ToKeeper) => thread.postMessage(message);
  const beat = setInterval(
    () => {
      Atomics.add(new Int32Array(pulse), 0, 1);
      // What has ended meanwhile is forgotten there as well.
      tell({ type: 'held', runIds: held() });
    },
    Math.min(options.leaseMs / 6, 2000),
  );
  beat.unref();
  return {
    hold: (runIds) => tell({ type: 'more', runIds }),
    setClockOffset: (offsetMs) => tell({ type: 'clock', offsetMs }),
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
  held: () => string[];
  now: () => number;
  onCancel: (runIds: string[]) => void;
  onRenewed: (count: number) => void;
  onError: (message: string) => void;
}): LeaseKeeper {
  const timer = setInterval(() => {
    const runIds = options.held();
    if (runIds.length === 0) return;
    const { store, workerId, leaseMs } = options;
    store.renewLeases({ workerId, now: options.now(), leaseMs, runIds }).then(
      ({ renewed, cancelRequested }) => {
        if (renewed > 0) options.onRenewed(renewed);
        if (cancelRequested.length > 0) options.onCancel(cancelRequested);
      },
      (error: unknown) => options.onError(String(error)),
    );
  }, options.leaseMs / 3);
  timer.unref();
  return {
    hold() {},
    setClockOffset() {},
    async stop() {
      clearInterval(timer);
    },
  };
}

async function keepLeases(data: KeeperData): Promise<void> {
  const { openStore } = await import('../store/open.js');
  const open = () => openStore({ url: data.databaseUrl, durability: 'normal', postgres: data.postgres });
  let store = await open().catch(() => null);
  const { workerId, leaseMs } = data;
  const pulse = new Int32Array(data.pulse);
  const tell = (message: FromKeeper) => parentPort?.postMessage(message);
  let offsetMs = data.clockOffsetMs;
  let held = new Set<string>();
  /** Messages wait until they are asked for: a busy worker sends hundreds a second, and none of them is worth a wake-up. */
  const listen = () => {
    for (let next = received(); next !== undefined; next = received()) {
      if (next.type === 'clock') offsetMs = next.offsetMs;
      else if (next.type === 'held') held = new Set(next.runIds);
      else for (const id of next.runIds) held.add(id);
    }
  };
  let seen = -1;
  let seenAt = performance.now();
  setInterval(async () => {
    const beat = Atomics.load(pulse, 0);
    if (beat !== seen) {
      seen = beat;
      seenAt = performance.now();
    } else if (performance.now() - seenAt > data.stuckAfterMs) {
      process.kill(process.pid, STUCK_SIGNAL);
    }
    listen();
    if (held.size === 0) return;
    try {
      const now = Date.now() + offsetMs;
      // A database that was away when this thread began is looked for until it is there.
      store ??= await open();
      const { renewed, cancelRequested } = await store.renewLeases({
        workerId,
        now,
        leaseMs,
        runIds: [...held],
      });
      if (renewed > 0) tell({ type: 'renewed', count: renewed });
      if (cancelRequested.length > 0) tell({ type: 'cancel', runIds: cancelRequested });
    } catch (error) {
      tell({ type: 'error', message: String(error) });
    }
  }, leaseMs / 3);
}

function received(): ToKeeper | undefined {
  if (parentPort === null) return undefined;
  return receiveMessageOnPort(parentPort)?.message as ToKeeper | undefined;
}

if (!isMainThread && (workerData as Partial<KeeperData> | null)?.pulse instanceof SharedArrayBuffer) {
  void keepLeases(workerData as KeeperData);
}
