import type { Completion } from '../store.js';
import type { Connection } from './database.js';
import { eventKey, eventKeysFor } from './task-rows.js';

/** Notes what a run waits for. @returns whether an event came meanwhile: then the run must look again at once. */
export function openEventWaits(
  connection: Connection,
  runSeq: number,
  waits: NonNullable<Completion['eventWaits']>,
): boolean {
  let hasNews = false;
  for (const { stepId, topic, after } of waits) {
    connection
      .sql(`INSERT INTO event_wait (run_seq, step_id, event_key) VALUES (?, ?, ?)
        ON CONFLICT (run_seq, step_id) DO UPDATE SET event_key = excluded.event_key`)
      .run(runSeq, stepId, eventKey(topic));
    hasNews ||= connection.sql('SELECT 1 FROM event WHERE sequence > ? LIMIT 1').get(after) !== undefined;
  }
  return hasNews;
}

/** The run is leased again, or has ended: it waits no more. */
export function closeEventWaits(connection: Connection, runSeq: number): void {
  connection.sql('DELETE FROM event_wait WHERE run_seq = ?').run(runSeq);
}

/** Makes the runs due that may have waited for an event of this topic. @returns how many. */
export function wakeForEvent(connection: Connection, topic: string, now: number): number {
  return connection
    .sql(`UPDATE due_work SET run_at = ? WHERE state = 0 AND waiting = 1 AND run_at > ?
      AND seq IN (SELECT run_seq FROM event_wait WHERE event_key IN (?, ?, ?))`)
    .run(now, now, ...eventKeysFor(topic)).changes;
}
