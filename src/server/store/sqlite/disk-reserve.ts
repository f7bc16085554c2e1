import { randomBytes } from 'node:crypto';
import { closeSync, openSync, statfsSync, statSync, truncateSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Clock, systemClock } from '../../../domain/clock.js';
import { PaoError } from '../../../domain/errors.js';
import type { Store, StoreSpace } from '../store.js';
import { diskFull } from './errors.js';

const RESERVE_BYTES = 1024 * 1024;
/** New work is refused below this much free space, or below this share of a smaller disk. */
const FLOOR_BYTES = 64 * 1024 * 1024;
const FLOOR_SHARE = 0.05;
/** How long what was seen of the file is believed, milliseconds. */
const LOOK_EVERY_MS = 200;

/** What makes the database grow; refused while the disk is full. */
const GROWING: ReadonlySet<string> = new Set<keyof Store>([
  'createTask',
  'updateTask',
  'createRun',
  'createAgent',
  'createToken',
  'putTool',
  'putTools',
  'publishEvent',
  'scheduleDue',
  'dispatchEvents',
  'closeWindows',
  'createHook',
  'lease',
]);

/**
 * A file of 1 MiB beside the database (`orchestrator.db-reserve`) that is emptied when the disk is full, so that results
 * of running work, heartbeats and the audit log can still be written (reliability.md D2.9). Its size is also how the
 * processes of a system agree: an empty one means that new work is refused. Without the file nothing is refused.
 */
export class DiskReserve {
  readonly #path: string;
  #full = false;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly location: string,
    private readonly clock: Clock = systemClock,
  ) {
    this.#path = `${location}-reserve`;
  }

  /** Whether new work is refused. */
  get isFull(): boolean {
    const now = this.clock.monotonic();
    if (now - this.#lookedAt > LOOK_EVERY_MS) {
      this.#lookedAt = now;
      this.#full = this.#size() === 0;
    }
    return this.#full;
  }

  /** Gives its space away. @returns false when there is no such file. */
  release(): boolean {
    const size = this.#size();
    if (size === null) return false;
    if (size > 0) truncateSync(this.#path, 0);
    this.#note(true);
    return true;
  }

  look(): StoreSpace {
    return { full: this.isFull, freeBytes: this.#disk().freeBytes };
  }

  /** Makes the file when there is none, and again when there is room for it and as much beside it. */
  tend(): StoreSpace {
    const { freeBytes, totalBytes } = this.#disk();
    const floor = Math.min(FLOOR_BYTES, totalBytes * FLOOR_SHARE);
    const size = this.#size();
    if (size !== null && size > 0) {
      if (freeBytes < floor) this.release();
      return { full: this.isFull, freeBytes };
    }
    // From an empty one it takes more than the bound to go on, or it would go to and fro.
    const enough = size === null ? floor : floor * 1.25;
    this.#note(!(freeBytes > enough + 2 * RESERVE_BYTES && this.#make()));
    return { full: this.#full, freeBytes };
  }

  #note(full: boolean): void {
    this.#full = full;
    this.#lookedAt = this.clock.monotonic();
  }

  /** Writes twice as much as is kept: what was given away an instant ago is no room. */
  #make(): boolean {
    try {
      const file = openSync(this.#path, 'w', 0o600);
      try {
        const bytes = randomBytes(RESERVE_BYTES);
        for (const place of [0, RESERVE_BYTES])
          if (writeSync(file, bytes, 0, RESERVE_BYTES, place) < RESERVE_BYTES) throw new Error('short');
      } finally {
        closeSync(file);
      }
      truncateSync(this.#path, RESERVE_BYTES);
      return true;
    } catch {
      // Whatever it was: without a reserve there is no room for new work.
      if (this.#size() !== null) truncateSync(this.#path, 0);
      return false;
    }
  }

  #disk(): { freeBytes: number; totalBytes: number } {
    const { bavail, bsize, blocks } = statfsSync(dirname(this.location));
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  }

  #size(): number | null {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? null;
  }
}

/** Refuses what makes a full database grow, and gives the reserve to everything else when the disk turns out to be full. */
export function guardSpace(store: Store, reserve: DiskReserve, location: string): Store {
  const guarded: Record<string, unknown> = { ...store };
  for (const [name, method] of Object.entries(store)) {
    if (typeof method !== 'function' || name === 'close' || name === 'migrate') continue;
    const call = method as (...given: unknown[]) => Promise<unknown>;
    const grows = GROWING.has(name);
    guarded[name] = async (...given: unknown[]) => {
      if (grows && reserve.isFull) throw diskFull(location);
      try {
        return await call(...given);
      } catch (error) {
        if (!(error instanceof PaoError) || error.code !== 'PAO_DISK_FULL') throw error;
        if (!reserve.release() || grows) throw error;
        // Others that failed in the same commit may have emptied it a moment ago.
        return call(...given);
      }
    };
  }
  return guarded as unknown as Store;
}
