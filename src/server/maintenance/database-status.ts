import { inspectDatabase, LAST_BACKUP } from '../store/inspect.js';
import { type RunFile, readRunFile } from '../supervisor/run-file.js';

/** What `pao db status` says; keys as in its JSON document. */
export interface DatabaseStatus {
  engine: 'sqlite' | 'postgres';
  location: string;
  schema: { current: number; wanted: number; pending: string[] };
  size_bytes: number;
  wal_bytes: number;
  /** Unused inside the file; new rows fill it before the file grows. */
  free_bytes: number;
  rows: Record<string, number>;
  /** How thoroughly it was looked at. */
  checked: 'quick' | 'full';
  problems: string[];
  last_backup: { at: string; file: string } | null;
  running: Pick<RunFile, 'pid' | 'url' | 'version'> | null;
  hints: string[];
}

/** Looks at a database as a whole, also while it is in use. */
export async function databaseStatus(
  url: string,
  { home, depth }: { home: string; depth: 'quick' | 'full' },
): Promise<DatabaseStatus> {
  const database = await inspectDatabase(url);
  try {
    const problems = await database.problems(depth);
    const [schema, sizes] = [await database.schema(), await database.sizes()];
    const [at, file] = [await database.getMeta(LAST_BACKUP.at), await database.getMeta(LAST_BACKUP.file)];
    const run = readRunFile(home);
    const running =
      run?.database === database.location ? { pid: run.pid, url: run.url, version: run.version } : null;
    const lastBackup = at === null ? null : { at: new Date(Number(at)).toISOString(), file: file ?? '' };
    const hints: string[] = [];
    if (problems.length > 0) hints.push('pao db restore FILE');
    if (schema.current > schema.wanted) hints.push('npm install --global pao@latest');
    if (schema.pending.length > 0) hints.push('pao db migrate');
    if (lastBackup === null && problems.length === 0) hints.push('pao db backup');
    return {
      engine: database.engine,
      location: database.location,
      schema,
      size_bytes: sizes.sizeBytes,
      wal_bytes: sizes.walBytes,
      free_bytes: sizes.freeBytes,
      rows: problems.length > 0 ? {} : await database.rows(),
      checked: depth,
      problems,
      last_backup: lastBackup,
      running,
      hints,
    };
  } finally {
    await database.close();
  }
}
