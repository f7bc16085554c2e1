import type { TaskSpec } from '../../../domain/task.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import type { Page, TaskVersion } from '../store.js';

/** A row of the table task_version, in both engines. */
export interface TaskVersionRow {
  version: number;
  spec: string;
  changed_by: string;
  changed_at: number;
}

/** Newer than any version: what an integer of PostgreSQL holds. */
const NEWEST = 2 ** 31 - 1;

/** The version that a page ends before. @throws PaoError when the text is no cursor. */
export function versionsBefore(cursor: string | undefined): number {
  return cursor === undefined ? NEWEST : Math.max(0, Math.min(NEWEST, decodeNumberCursor(cursor)));
}

/** @param rows one more than `limit` when there are more. */
export function toVersionPage(rows: readonly TaskVersionRow[], limit: number): Page<TaskVersion> {
  const items = rows.slice(0, limit).map((row) => ({
    version: row.version,
    spec: JSON.parse(row.spec) as TaskSpec,
    changedBy: row.changed_by,
    changedAt: row.changed_at,
  }));
  return { items, nextCursor: rows.length > limit ? encodeCursor(items.at(-1)?.version ?? 0) : null };
}
