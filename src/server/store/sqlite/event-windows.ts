import type { EventWindow, WindowChange } from '../store.js';
import type { Connection } from './database.js';

/** A row of `event_window` as it is stored. */
export interface WindowRow {
  task_seq: number;
  key: string;
  kind: EventWindow['kind'];
  opened_at: number;
  closes_at: number;
  count: number;
  size: number;
  event_ids: string;
}

/** The window that a row describes. */
export function toWindow(row: WindowRow): EventWindow {
  return {
    key: row.key,
    kind: row.kind,
    openedAt: row.opened_at,
    closesAt: row.closes_at,
    count: row.count,
    size: row.size,
    eventIds: JSON.parse(row.event_ids) as string[],
  };
}

/** A window of a task that is open; null when it is not. */
export function findWindow(connection: Connection, taskSeq: number, key: string): EventWindow | null {
  const row = connection.sql('SELECT * FROM event_window WHERE task_seq = ? AND key = ?').get(taskSeq, key) as
    | WindowRow
    | undefined;
  return row === undefined ? null : toWindow(row);
}

/** How many windows a task has open. */
export function countWindows(connection: Connection, taskSeq: number): number {
  return connection
    .sql('SELECT count(*) FROM event_window WHERE task_seq = ?')
    .pluck()
    .get(taskSeq) as number;
}

/** Writes a window as it is now; null: there is none any more. */
export function putWindow(
  connection: Connection,
  taskSeq: number,
  key: string,
  window: EventWindow | null,
): void {
  if (window === null) {
    connection.sql('DELETE FROM event_window WHERE task_seq = ? AND key = ?').run(taskSeq, key);
    return;
  }
  connection
    .sql(`INSERT INTO event_window (task_seq, key, kind, opened_at, closes_at, count, size, event_ids)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (task_seq, key) DO UPDATE SET kind = excluded.kind, opened_at = excluded.opened_at, closes_at = excluded.closes_at,
        count = excluded.count, size = excluded.size, event_ids = excluded.event_ids`)
    .run(
      taskSeq,
      key,
      window.kind,
      window.openedAt,
      window.closesAt,
      window.count,
      window.size,
      JSON.stringify(window.eventIds),
    );
}

/** Writes what became of a window, and the one that is left over. */
export function putWindows(
  connection: Connection,
  taskSeq: number,
  key: string,
  { window, rest }: WindowChange,
): void {
  putWindow(connection, taskSeq, key, window);
  if (rest !== undefined) putWindow(connection, taskSeq, rest.key, rest);
}
