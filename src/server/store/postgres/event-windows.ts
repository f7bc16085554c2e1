import { toWindow, type WindowRow } from '../sqlite/event-windows.js';
import type { EventWindow, WindowChange } from '../store.js';
import type { Sql } from './database.js';

/** A window of a task that is open; null when it is not. */
export async function findWindow(sql: Sql, taskSeq: number, key: string): Promise<EventWindow | null> {
  const row = await sql.row<WindowRow>(
    'SELECT * FROM event_window WHERE task_seq = $1 AND key = $2 FOR UPDATE',
    [taskSeq, key],
  );
  return row === undefined ? null : toWindow(row);
}

/** How many windows a task has open. */
export async function countWindows(sql: Sql, taskSeq: number): Promise<number> {
  const row = await sql.row<{ count: number }>('SELECT count(*) FROM event_window WHERE task_seq = $1', [
    taskSeq,
  ]);
  return row?.count ?? 0;
}

/** Writes a window as it is now; null: there is none any more. */
export async function putWindow(
  sql: Sql,
  taskSeq: number,
  key: string,
  window: EventWindow | null,
): Promise<void> {
  if (window === null) {
    await sql.run('DELETE FROM event_window WHERE task_seq = $1 AND key = $2', [taskSeq, key]);
    return;
  }
  await sql.run(
    `INSERT INTO event_window (task_seq, key, kind, opened_at, closes_at, count, size, event_ids)
      VALUES ($1, $2, $3, pao_at($4), pao_at($5), $6, $7, $8)
      ON CONFLICT (task_seq, key) DO UPDATE SET kind = excluded.kind, opened_at = excluded.opened_at, closes_at = excluded.closes_at,
        count = excluded.count, size = excluded.size, event_ids = excluded.event_ids`,
    [
      taskSeq,
      key,
      window.kind,
      window.openedAt,
      window.closesAt,
      window.count,
      window.size,
      JSON.stringify(window.eventIds),
    ],
  );
}

/** Writes what became of a window, and the one that is left over. */
export async function putWindows(
  sql: Sql,
  taskSeq: number,
  key: string,
  { window, rest }: WindowChange,
): Promise<void> {
  await putWindow(sql, taskSeq, key, window);
  if (rest !== undefined) await putWindow(sql, taskSeq, rest.key, rest);
}
