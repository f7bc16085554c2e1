import { closeSync, existsSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { EXIT, PaoError } from '../../domain/errors.js';
import { readDatabaseUrl, shownDatabase } from '../store/database-url.js';
import { inspectDatabase } from '../store/inspect.js';
import { readDump } from '../store/postgres/dump.js';
import { type FreshDatabase, makeFreshDatabase } from '../store/postgres/restoring.js';
import { swapSqlite } from '../store/sqlite/backup.js';
import { backupTooNew, timeStamp, type VerifiedBackup, verifyBackup } from './backup.js';
import { makeFolder } from '../supervisor/make-folder.js';

/** Where a backup goes: beside the database it will replace, whole, before that one is touched. */
export interface RestorePlace {
  /** For people: the file, or the URL without its password. */
  location: string;
  /** Reads the backup through; nothing is changed. */
  check(signal: AbortSignal): Promise<void>;
  /** Whether something is there that would be replaced. */
  isTaken(): Promise<boolean>;
  /** Copies the backup beside the database. @returns the URL of that copy. */
  fill(signal: AbortSignal): Promise<{ url: string; backup: VerifiedBackup }>;
  /** Puts the copy in the database's place, in one step. @returns where the replaced one is kept; null: there was none. */
  swap(): Promise<string | null>;
  /** Removes the copy when it did not take the place. */
  clean(): Promise<void>;
}

/**
 * The place for a backup of a database.
 * @throws PaoError PAO_STORE_URL (exit 2) for a database that can not be restored, PAO_BACKUP_UNFIT (exit 1) for a backup of another engine.
 */
export function restorePlace(options: { file: string; url: string; now: number }): RestorePlace {
  const { file, url } = options;
  const read = readDatabaseUrl(url);
  if (read === null || (read.engine === 'sqlite' && read.path === ':memory:')) {
    throw new PaoError('PAO_STORE_URL', `${shownDatabase(url)} can not be restored.`, {
      exitCode: EXIT.usage,
      hints: ['Name it with --database sqlite:PATH or postgres://…'],
    });
  }
  const holds = engineOf(file);
  if (holds !== null && holds !== read.engine) {
    const names = { sqlite: 'an SQLite database', postgres: 'a dump of PostgreSQL' };
    throw new PaoError(
      'PAO_BACKUP_UNFIT',
      `${file} is ${names[holds]}; ${shownDatabase(url)} takes ${names[read.engine]}.`,
      {
        hints: [
          holds === 'sqlite'
            ? `pao db copy --from sqlite:${file} --to "$DATABASE_URL" (into an empty database)`
            : 'pao db restore FILE --database postgres://user@host/database',
        ],
      },
    );
  }
  return read.engine === 'sqlite' ? sqlitePlace(options, resolve(read.path)) : postgresPlace(options);
}

function sqlitePlace({ file, now }: { file: string; now: number }, location: string): RestorePlace {
  const fresh = `${location}.restoring`;
  const remove = () => {
    for (const ending of ['', '-wal', '-shm', '-journal', '.partial'])
      rmSync(fresh + ending, { force: true });
  };
  return {
    location,
    async check() {
      await verifyBackup(file);
    },
    isTaken: async () => existsSync(location),
    async fill(signal) {
      const backup = await verifyBackup(file);
      makeFolder(dirname(location));
      remove();
      const source = await inspectDatabase(`sqlite:${file}`);
      try {
        await source.backUp(fresh, { takenAt: backup.takenAt, signal });
      } finally {
        await source.close();
      }
      return { url: `sqlite:${fresh}`, backup };
    },
    async swap() {
      const replaced = existsSync(location) ? `${location}.replaced-${timeStamp(now)}` : null;
      swapSqlite(fresh, location, replaced ?? `${location}.replaced`);
      return replaced;
    },
    clean: async () => remove(),
  };
}

function postgresPlace({ file, url, now }: { file: string; url: string; now: number }): RestorePlace {
  const name = decodeURIComponent(new URL(url).pathname.slice(1));
  let fresh: FreshDatabase | null = null;
  return {
    location: shownDatabase(url),
    async check(signal) {
      await readDump(file, signal);
    },
    isTaken: () => hasSchema(url),
    // Not read through once more: pg_restore stops at what is damaged, before anything has taken the old one's place.
    async fill(signal) {
      fresh = await makeFreshDatabase(url, `${name}_restoring`);
      await fresh.fill(file, signal);
      return { url: fresh.url, backup: await describeDump(file, fresh.url) };
    },
    swap: async () => (await fresh?.takePlace(`${name}_replaced_${timeStamp(now).toLowerCase()}`)) ?? null,
    async clean() {
      await fresh?.drop();
    },
  };
}

/** What a restored dump holds. It does not say when it was made: no later than the newest row in it by much. */
async function describeDump(file: string, url: string): Promise<VerifiedBackup> {
  const database = await inspectDatabase(url);
  try {
    const [problem] = await database.problems('full');
    const { current, wanted } = await database.schema();
    const why = problem ?? (current === 0 ? 'there is no database of pao in it' : undefined);
    if (why !== undefined) throw new PaoError('PAO_BACKUP_UNFIT', `${file} is not a sound dump: ${why}.`);
    if (current > wanted) throw backupTooNew(file, current, wanted);
    const { mtimeMs, size } = statSync(file);
    return {
      file,
      sizeBytes: size,
      schema: current,
      takenAt: (await database.newestRowAt()) ?? Math.floor(mtimeMs),
      rows: await database.rows(),
      auditBrokenAt: null,
    };
  } finally {
    await database.close();
  }
}

/** Whether a PostgreSQL database is there and has something of pao in it. */
async function hasSchema(url: string): Promise<boolean> {
  try {
    const database = await inspectDatabase(url);
    try {
      return (await database.schema()).current > 0;
    } finally {
      await database.close();
    }
  } catch (error) {
    if (error instanceof PaoError && ['PAO_STORE_MISSING', 'PAO_STORE_NO_DATABASE'].includes(error.code))
      return false;
    throw error;
  }
}

/** Which engine a file comes from by its first bytes; null when they say nothing, or it can not be read. */
function engineOf(file: string): 'sqlite' | 'postgres' | null {
  const head = Buffer.alloc(16);
  try {
    const descriptor = openSync(file, 'r');
    try {
      readSync(descriptor, head, 0, head.length, 0);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return null;
  }
  if (head.toString('latin1').startsWith('SQLite format 3')) return 'sqlite';
  return head.toString('latin1').startsWith('PGDMP') ? 'postgres' : null;
}
