import { lastZoneChange, type ZoneChange } from '../../domain/zone-change.js';
import { BACKLOG_KEY, type BacklogSummary } from '../scheduler/backlog.js';
import type { Store } from '../store/store.js';

/** What a start says about the time before it. */
export interface WhileDown {
  /** Since when nothing ran, epoch milliseconds; null at the first start. */
  since: number | null;
  /** Null when nothing had come due, or the scheduler has not told yet. */
  backlog: BacklogSummary | null;
  /** The zone database of this Node is another one than before. */
  zones: ZoneChange | null;
}

/** When the system last ran: its clean stop or, after a crash, the last sign of one of its processes. */
export async function lastSignOfLife(store: Store): Promise<number | null> {
  const stoppedAt = await store.getMeta('stopped_at');
  const signs = (await store.listWorkers()).map(({ lastSeenAt }) => lastSeenAt);
  if (stoppedAt !== null) signs.push(Number(stoppedAt));
  return signs.length === 0 ? null : Math.max(...signs);
}

/** What the scheduler found, once it has begun. @param startedAt of this start, epoch milliseconds. */
export async function readWhileDown(
  store: Store,
  since: number | null,
  startedAt: number,
): Promise<WhileDown> {
  const text = await store.getMeta(BACKLOG_KEY);
  const backlog = text === null ? null : (JSON.parse(text) as BacklogSummary);
  const zones = await lastZoneChange(store);
  return {
    since,
    backlog: backlog !== null && backlog.at >= startedAt && backlog.first !== null ? backlog : null,
    zones: zones !== null && zones.at >= startedAt ? zones : null,
  };
}
