import type { Connection } from './database.js';

/**
 * Lanes keep runs apart: a concurrency key lets `limit` of its runs be leased, a task lets one of its serial runs be
 * leased or waiting. A run that a lease finds due while its lane is full is parked: it leaves the index that workers
 * search, so that it is looked at once and not again and again. Whoever leaves a lane wakes the next in it.
 */
export type LaneName = `key:${string}` | `task:${number}`;

/** What of a due_work row says which lanes it is in. */
export interface LaneRow {
  task_seq: number;
  lane: string | null;
  lane_limit: number | null;
  serial: number;
}

export const keyLane = (lane: string): LaneName => `key:${lane}`;
export const taskLane = (taskSeq: number): LaneName => `task:${taskSeq}`;

/** Takes a run out of the workers' sight until its lane has room. */
export function park(connection: Connection, seq: number, lane: LaneName): void {
  connection.sql('UPDATE due_work SET state = 2, parked_on = ? WHERE seq = ?').run(lane, seq);
}

/** Runs of a concurrency key that are leased now. */
export function heldInLane(connection: Connection, lane: string): number {
  return connection
    .sql('SELECT count(*) FROM due_work WHERE state = 1 AND lane = ?')
    .pluck()
    .get(lane) as number;
}

/** Whether a serial run of the task is leased or waiting. */
export function hasSerialHolder(connection: Connection, taskSeq: number): boolean {
  return connection.sql('SELECT 1 FROM due_work WHERE serial_holder = ?').get(taskSeq) !== undefined;
}

/** Wakes who is parked behind a run that is no longer leased (or was ready and is gone). */
export function leaveLanes(
  connection: Connection,
  row: LaneRow,
  options: { keepsTask?: boolean } = {},
): void {
  if (row.serial === 1 && options.keepsTask !== true) wake(connection, taskLane(row.task_seq), 1);
  if (row.lane !== null) {
    const limit = row.lane_limit ?? 1;
    // More than one when the limit was raised in between.
    wake(
      connection,
      keyLane(row.lane),
      limit === 1 ? 1 : Math.max(1, limit - heldInLane(connection, row.lane)),
    );
  }
}

/** Wakes the first `count` of a lane for each set of worker tags: no worker may have the tags of the very first. */
function wake(connection: Connection, lane: LaneName, count: number): void {
  const nextTagSet = connection.sql(
    'SELECT tag_set FROM due_work WHERE state = 2 AND parked_on = ? AND tag_set > ? ORDER BY tag_set LIMIT 1',
  );
  let tagSet = connection
    .sql('SELECT tag_set FROM due_work WHERE state = 2 AND parked_on = ? ORDER BY tag_set LIMIT 1')
    .pluck()
    .get(lane) as string | undefined;
  while (tagSet !== undefined) {
    const seqs = connection
      .sql(
        'SELECT seq FROM due_work WHERE state = 2 AND parked_on = ? AND tag_set = ? ORDER BY priority, run_at, seq LIMIT ?',
      )
      .pluck()
      .all(lane, tagSet, count) as number[];
    for (const seq of seqs) {
      connection.sql('UPDATE due_work SET state = 0, parked_on = NULL WHERE seq = ?').run(seq);
    }
    tagSet = nextTagSet.pluck().get(lane, tagSet) as string | undefined;
  }
}

/**
 * Looks at lanes in turn for runs that are parked though nothing of the lane is leased or waiting. That can only last
 * after a fault (or when the database was changed by hand); without this they would be parked for ever.
 * @returns the lanes, to be given to {@link wakeLanes}, and where to go on the next time.
 */
export function findStranded(
  connection: Connection,
  after: string,
  lanes: number,
): { next: string; stranded: LaneName[] } {
  let name = after;
  const stranded: LaneName[] = [];
  for (let looked = 0; looked < lanes; looked++) {
    const lane = connection
      .sql('SELECT parked_on FROM due_work WHERE state = 2 AND parked_on > ? ORDER BY parked_on LIMIT 1')
      .pluck()
      .get(name) as LaneName | undefined;
    if (lane === undefined) return { next: '', stranded };
    name = lane;
    if (!isHeld(connection, lane)) stranded.push(lane);
  }
  return { next: name, stranded };
}

/** Wakes the first of each lane. */
export function wakeLanes(connection: Connection, lanes: readonly LaneName[]): void {
  for (const lane of lanes) wake(connection, lane, 1);
}

function isHeld(connection: Connection, lane: LaneName): boolean {
  if (lane.startsWith('task:')) return hasSerialHolder(connection, Number(lane.slice(5)));
  return heldInLane(connection, lane.slice(4)) > 0;
}
