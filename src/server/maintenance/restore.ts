import { rmSync } from 'node:fs';
import { counted } from '../../domain/counted.js';
import { EXIT, PaoError } from '../../domain/errors.js';
import { readDatabaseUrl } from '../store/database-url.js';
import { inspectDatabase } from '../store/inspect.js';
import { openStore } from '../store/open.js';
import type { VerifiedBackup } from './backup.js';
import { findLeftOver, isNothing, type LeftOver, leaveOut, pauseAll } from './left-over.js';
import type { RestorePlace } from './restore-place.js';

/** How a restored database goes on: catch up as each task says, from now on, or not before a person says so. */
export type ResumeFrom = 'backup' | 'now' | 'paused';

export interface Restored {
  backup: VerifiedBackup;
  /** Where the database that was replaced is kept; null when there was none. */
  replaced: string | null;
  /** What was written after the backup and is not in the database any more; null when the old one could not be read. */
  lost: { runs: number; tasks: number; events: number } | null;
  leftOver: LeftOver;
  resumeFrom: ResumeFrom;
  pausedTasks: number;
}

/**
 * Puts a backup in place of a database that nobody uses: copies it beside that one, reads it through, brings its schema
 * up to date, decides what becomes of what it had still to do, and swaps the two in one step.
 * @param options.url the database that is replaced.
 * @throws PaoError PAO_BACKUP_UNFIT, PAO_STORE_NEWER; PAO_RESTORE_CHOICE (exit 2) when something would be caught up and
 * `resumeFrom` does not say whether it shall.
 */
export async function restoreBackup(options: {
  place: RestorePlace;
  url: string;
  now: number;
  misfireAfterMs: number;
  resumeFrom: ResumeFrom | null;
  signal: AbortSignal;
}): Promise<Restored> {
  const { place, url, signal } = options;
  try {
    const fresh = await place.fill(signal);
    const prepared = await prepare(fresh.url, options, fresh.backup);
    signal.throwIfAborted();
    const lost = (await place.isTaken()) ? await lostSince(url, fresh.backup.takenAt) : null;
    return { backup: fresh.backup, replaced: await place.swap(), lost, ...prepared };
  } finally {
    await place.clean();
  }
}

async function prepare(
  url: string,
  options: Parameters<typeof restoreBackup>[0],
  { file, takenAt }: VerifiedBackup,
): Promise<Pick<Restored, 'leftOver' | 'resumeFrom' | 'pausedTasks'>> {
  const { now } = options;
  const store = await openStore({ url });
  try {
    const { to } = await store.migrate(now);
    // The backup itself is the copy from before it.
    const read = readDatabaseUrl(url);
    if (read?.engine === 'sqlite') rmSync(`${read.path}.before-v${to}`, { force: true });
    const leftOver = await findLeftOver(store, now, options.misfireAfterMs);
    if (options.resumeFrom === null && !isNothing(leftOver)) throw choiceNeeded(file, leftOver);
    const resumeFrom = options.resumeFrom ?? 'backup';
    if (resumeFrom === 'now') await leaveOut(store, now);
    const pausedTasks = resumeFrom === 'paused' ? await pauseAll(store, now) : 0;
    await store.appendAudit({
      at: now,
      actor: 'system',
      action: 'database.restored',
      target: null,
      details: { file, taken_at: new Date(takenAt).toISOString(), resume_from: resumeFrom },
    });
    return { leftOver, resumeFrom, pausedTasks };
  } finally {
    await store.close();
  }
}

async function lostSince(url: string, takenAt: number): Promise<Restored['lost']> {
  try {
    const old = await inspectDatabase(url);
    try {
      return await old.writtenAfter(takenAt);
    } finally {
      await old.close();
    }
  } catch {
    return null;
  }
}

function choiceNeeded(file: string, { tasks, runs, events }: LeftOver): PaoError {
  const parts: string[] = [];
  if (tasks.length > 0) {
    const occurrences = tasks.reduce((sum, { wouldRun }) => sum + wouldRun, 0);
    parts.push(
      `${counted(tasks.length, 'task')} came due (${counted(occurrences, 'run')} would be caught up)`,
    );
  }
  if (runs > 0) parts.push(`${counted(runs, 'run')} had not ended`);
  if (events > 0) parts.push(`${counted(events, 'event')} had not been looked at`);
  return new PaoError(
    'PAO_RESTORE_CHOICE',
    `Since that backup was made ${parts.join(', ')}. It may be that all this was done already: say what shall become of it. Nothing was changed.`,
    {
      exitCode: EXIT.usage,
      hints: [
        `pao db restore ${file} --resume-from now (leave it out; each occurrence keeps a row that says so)`,
        `pao db restore ${file} --resume-from backup (do it, as each task's catch-up says)`,
        `pao db restore ${file} --pause (every task waits for pao task resume)`,
      ],
    },
  );
}
