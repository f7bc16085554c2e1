import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { counted } from '../../domain/counted.js';
import { EXIT, PaoError } from '../../domain/errors.js';
import { inspectDatabase } from '../store/inspect.js';
import { openStore } from '../store/open.js';
import { swapSqlite } from '../store/sqlite/backup.js';
import { type VerifiedBackup, verifyBackup } from './backup.js';
import { findLeftOver, isNothing, type LeftOver, leaveOut, pauseAll } from './left-over.js';

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
 * Puts a backup in place of an SQLite database that nobody uses: reads it through, brings its schema up to date, decides
 * what becomes of what it had still to do, and swaps the files in one step.
 * @throws PaoError PAO_BACKUP_UNFIT, PAO_STORE_NEWER; PAO_RESTORE_CHOICE (exit 2) when something would be caught up and
 * `resumeFrom` does not say whether it shall.
 */
export async function restoreSqlite(options: {
  file: string;
  location: string;
  now: number;
  misfireAfterMs: number;
  resumeFrom: ResumeFrom | null;
  signal: AbortSignal;
}): Promise<Restored> {
  const { file, location, now, signal } = options;
  const backup = await verifyBackup(file);
  const fresh = `${location}.restoring`;
  mkdirSync(dirname(location), { recursive: true, mode: 0o700 });
  removeDatabase(fresh);
  try {
    const source = await inspectDatabase(`sqlite:${file}`);
    try {
      await source.backUp(fresh, { takenAt: backup.takenAt, signal });
    } finally {
      await source.close();
    }
    const prepared = await prepare(fresh, options, backup);
    signal.throwIfAborted();
    const lost = existsSync(location) ? await lostSince(location, backup.takenAt) : null;
    const replaced = existsSync(location)
      ? `${location}.replaced-${new Date(now).toISOString().replace(/[-:]|\.\d+/g, '')}`
      : null;
    swapSqlite(fresh, location, replaced ?? `${location}.replaced`);
    return { backup, replaced, lost, ...prepared };
  } finally {
    removeDatabase(fresh);
  }
}

async function prepare(
  fresh: string,
  options: Parameters<typeof restoreSqlite>[0],
  { file, takenAt }: VerifiedBackup,
): Promise<Pick<Restored, 'leftOver' | 'resumeFrom' | 'pausedTasks'>> {
  const { now } = options;
  const store = await openStore({ url: `sqlite:${fresh}` });
  try {
    const { to } = await store.migrate(now);
    // The backup itself is the copy from before it.
    rmSync(`${fresh}.before-v${to}`, { force: true });
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

async function lostSince(location: string, takenAt: number): Promise<Restored['lost']> {
  try {
    const old = await inspectDatabase(`sqlite:${location}`);
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

function removeDatabase(path: string): void {
  for (const ending of ['', '-wal', '-shm', '-journal', '.partial']) rmSync(path + ending, { force: true });
}
