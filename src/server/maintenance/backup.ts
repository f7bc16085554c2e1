import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EXIT, PaoError } from '../../domain/errors.js';
import { verifyAudit } from '../../domain/audit-chain.js';
import { readDatabaseUrl } from '../store/database-url.js';
import { type Inspection, inspectDatabase, LAST_BACKUP, TAKEN_AT } from '../store/inspect.js';
import { openStore } from '../store/open.js';
import { readDump } from '../store/postgres/dump.js';
import { makeFolder } from '../supervisor/make-folder.js';

/** What is known of a backup after it was opened and read through. */
export interface VerifiedBackup {
  file: string;
  sizeBytes: number;
  schema: number;
  /** When it was made, epoch milliseconds; of a copy that does not say, when its file was written. */
  takenAt: number;
  rows: Record<string, number>;
  /** Where the chain of the audit log breaks, which the database then has brought along; null when it is whole. */
  auditBrokenAt: number | null;
}

/** Where backups go when no file is named. */
export function backupFolder(home: string): string {
  return join(home, 'backups');
}

/** A name that sorts by time: `orchestrator-20261125T170900Z.db`; `.dump` for what pg_dump writes. */
export function backupName(now: number, url: string): string {
  const ending = readDatabaseUrl(url)?.engine === 'postgres' ? 'dump' : 'db';
  return `orchestrator-${timeStamp(now)}.${ending}`;
}

/** An instant as part of a name: `20261125T170900Z`. */
export const timeStamp = (now: number): string => new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');

/**
 * Copies a database into a file while others use it, opens the copy and reads it through, and notes in the database that
 * there is a backup.
 * @throws PaoError PAO_BACKUP_EXISTS (exit 2) unless `replace`, PAO_BACKUP_UNFIT when the copy is not right.
 */
export async function makeBackup(options: {
  url: string;
  file: string;
  now: number;
  replace: boolean;
  signal: AbortSignal;
  onProgress?: (done: number) => void;
}): Promise<
  VerifiedBackup & { /** Why the database could not note it; null when it did. */ notNoted: string | null }
> {
  const { url, file, now, signal } = options;
  if (!options.replace && existsSync(file)) {
    throw new PaoError('PAO_BACKUP_EXISTS', `${file} is there already.`, {
      exitCode: EXIT.usage,
      hints: ['Name another file, or add --force to replace it'],
    });
  }
  makeFolder(dirname(file));
  const database = await inspectDatabase(url);
  let verified: VerifiedBackup;
  try {
    await database.backUp(file, {
      takenAt: now,
      signal,
      ...(options.onProgress ? { onProgress: options.onProgress } : {}),
    });
    verified =
      database.engine === 'postgres'
        ? await verifyDump(file, database, now, signal)
        : await verifyBackup(file);
  } finally {
    await database.close();
  }
  return { ...verified, notNoted: await note(url, file, now) };
}

/**
 * Opens a backup and reads all of it.
 * @throws PaoError PAO_BACKUP_UNFIT (exit 1) when it is damaged or incomplete, PAO_STORE_NEWER when this program is too old for it.
 */
export async function verifyBackup(file: string): Promise<VerifiedBackup> {
  const url = `sqlite:${file}`;
  const database = await inspectDatabase(url);
  try {
    const [problem] = await database.problems('full');
    if (problem !== undefined) throw unfit(file, problem);
    const { current, wanted } = await database.schema();
    if (current === 0) throw unfit(file, 'there is nothing in it');
    if (current > wanted) throw backupTooNew(file, current, wanted);
    const takenAt = await database.getMeta(TAKEN_AT);
    const { mtimeMs, size } = statSync(file);
    return {
      file,
      sizeBytes: size,
      schema: current,
      takenAt: takenAt === null ? Math.floor(mtimeMs) : Number(takenAt),
      rows: await database.rows(),
      auditBrokenAt: await auditBreak(url),
    };
  } finally {
    await database.close();
  }
}

/** A dump is read through by pg_restore; how many rows are in it is known of the database it was made of. */
async function verifyDump(
  file: string,
  database: Inspection,
  now: number,
  signal: AbortSignal,
): Promise<VerifiedBackup> {
  const tables = await readDump(file, signal);
  const rows = await database.rows();
  // A table that is partitioned is in it by its partitions.
  const missing = ['agent', 'task', 'meta', 'due_work'].filter((name) => !tables.includes(name));
  if (missing.length > 0) throw unfit(file, `${missing.join(', ')} is not in it`);
  const { current } = await database.schema();
  return { file, sizeBytes: statSync(file).size, schema: current, takenAt: now, rows, auditBrokenAt: null };
}

/** Deletes the oldest backups of a folder that {@link backupName} named, all but some. @returns what was deleted. */
export function keepNewest(folder: string, count: number): string[] {
  const names = readdirSync(folder)
    .filter((name) => /^orchestrator-\d{8}T\d{6}Z\.(db|dump)$/.test(name))
    .sort();
  const old = names.slice(0, Math.max(0, names.length - count));
  for (const name of old) rmSync(join(folder, name));
  return old.map((name) => join(folder, name));
}

async function auditBreak(url: string): Promise<number | null> {
  const store = await openStore({ url, readonly: true });
  try {
    return (await verifyAudit(store)).brokenAt;
  } finally {
    await store.close();
  }
}

async function note(url: string, file: string, now: number): Promise<string | null> {
  try {
    const store = await openStore({ url });
    try {
      await store.setMeta(LAST_BACKUP.at, String(now));
      await store.setMeta(LAST_BACKUP.file, file);
    } finally {
      await store.close();
    }
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The error for a backup that a newer pao made. */
export function backupTooNew(file: string, current: number, wanted: number): PaoError {
  return new PaoError(
    'PAO_STORE_NEWER',
    `The backup ${file} has schema version ${current}; this version of pao knows ${wanted} at most.`,
    { exitCode: EXIT.unavailable, hints: ['npm install --global pao@latest'] },
  );
}

function unfit(file: string, why: string): PaoError {
  return new PaoError('PAO_BACKUP_UNFIT', `${file} is not a sound copy: ${why}.`, {
    hints: ['pao db status --full', 'pao doctor'],
  });
}
