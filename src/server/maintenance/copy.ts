import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { EXIT, PaoError } from '../../domain/errors.js';
import { readDatabaseUrl, shownDatabase } from '../store/database-url.js';
import { inspectDatabase } from '../store/inspect.js';
import { openStore } from '../store/open.js';
import {
  COPY_PROGRESS,
  openTransfer,
  TRANSFER_TABLES,
  type Transfer,
  type TransferRow,
  type TransferTable,
} from '../store/transfer.js';
import { takeAlone } from './alone.js';
import { makeFolder } from '../supervisor/make-folder.js';

const BATCH = 500;

/** A table that is in both databases now, and the SHA-256 over its rows, which is the same in both. */
export interface CopiedTable {
  table: string;
  rows: number;
  checksum: string;
}

interface Progress {
  from: string;
  table: string;
  after: TransferRow | null;
}

/**
 * Copies everything from one database into an empty one, of whichever engine, and compares all rows of both. When it is
 * broken off it goes on where it was the next time. Neither may be in use.
 * @throws PaoError PAO_COPY_TARGET (exit 2) when there is something else in the target, PAO_COPY_DIFFERS (exit 1) when
 * the source changed meanwhile, PAO_STORE_OLD, PAO_STORE_IN_USE.
 */
export async function copyDatabase(options: {
  from: string;
  to: string;
  home: string;
  now: number;
  signal: AbortSignal;
  onProgress?: (table: string, done: number) => void;
}): Promise<{ tables: CopiedTable[]; resumed: boolean }> {
  const { from, to, home, now, signal } = options;
  if (shownDatabase(from) === shownDatabase(to)) throw badTarget(to, 'is the database to be copied itself');
  const release = await takeAlone({ home, url: [from, to], now });
  try {
    await refuseOtherSchema(from);
    await prepare(to, now);
    const source = await openTransfer(from);
    try {
      const target = await openTransfer(to);
      try {
        const progress = await progressOf(source, target);
        await copyTables(source, target, progress, options);
        await target.finish(await source.lastEvent());
        const tables = await compare(source, target, signal);
        await target.forgetProgress();
        return { tables, resumed: progress !== null };
      } finally {
        await target.close();
      }
    } finally {
      await source.close();
    }
  } finally {
    release();
  }
}

async function refuseOtherSchema(url: string): Promise<void> {
  const database = await inspectDatabase(url);
  try {
    const { current, wanted } = await database.schema();
    if (current === wanted) return;
    throw new PaoError(
      current < wanted ? 'PAO_STORE_OLD' : 'PAO_STORE_NEWER',
      `${database.location} has schema version ${current}; this pao works on ${wanted}.`,
      {
        exitCode: EXIT.unavailable,
        hints: [current < wanted ? 'pao db migrate' : 'npm install --global pao@latest'],
      },
    );
  } finally {
    await database.close();
  }
}

async function prepare(url: string, now: number): Promise<void> {
  const read = readDatabaseUrl(url);
  if (read?.engine === 'sqlite') makeFolder(dirname(read.path));
  const store = await openStore({ url });
  try {
    await store.migrate(now);
  } finally {
    await store.close();
  }
}

/** Where an earlier attempt stopped; null at the beginning. */
async function progressOf(source: Transfer, target: Transfer): Promise<Progress | null> {
  const text = await target.getMeta(COPY_PROGRESS);
  if (text === null) {
    for (const table of TRANSFER_TABLES)
      if (table.name !== 'meta' && (await target.count(table)) > 0)
        throw badTarget(target.location, `has rows in ${table.name} already`);
    await target.clearMeta();
    return null;
  }
  const progress = JSON.parse(text) as Progress;
  if (progress.from !== source.location)
    throw badTarget(target.location, `has a part of ${progress.from} in it`);
  return progress;
}

async function copyTables(
  source: Transfer,
  target: Transfer,
  progress: Progress | null,
  { signal, onProgress }: Parameters<typeof copyDatabase>[0],
): Promise<void> {
  const first = progress === null ? 0 : TRANSFER_TABLES.findIndex(({ name }) => name === progress.table);
  for (const table of TRANSFER_TABLES.slice(first)) {
    let after = progress?.table === table.name ? progress.after : null;
    const total = await source.count(table);
    for (let done = 0; ; ) {
      const rows = await source.read(table, after, BATCH);
      after = rows.at(-1)?.slice(0, table.keyLength) ?? after;
      const place: Progress = { from: source.location, table: table.name, after };
      await target.write(table, rows, JSON.stringify(place));
      done += rows.length;
      onProgress?.(table.name, total === 0 ? 1 : Math.min(1, done / total));
      signal.throwIfAborted();
      if (rows.length < BATCH) break;
    }
  }
}

async function compare(source: Transfer, target: Transfer, signal: AbortSignal): Promise<CopiedTable[]> {
  const tables: CopiedTable[] = [];
  for (const table of TRANSFER_TABLES) {
    const [one, other] = [await sum(source, table, signal), await sum(target, table, signal)];
    if (one.rows !== other.rows || one.checksum !== other.checksum) {
      throw new PaoError(
        'PAO_COPY_DIFFERS',
        `The table ${table.name} is not the same: ${one.rows} rows in ${source.location}, ${other.rows} in ${target.location}.`,
        { hints: ['Empty the target and copy again, while nothing uses either of them'] },
      );
    }
    tables.push({ table: table.name, ...one });
  }
  return tables;
}

async function sum(
  transfer: Transfer,
  table: TransferTable,
  signal: AbortSignal,
): Promise<{ rows: number; checksum: string }> {
  const hash = createHash('sha256');
  let after: TransferRow | null = null;
  for (let rows = 0; ; ) {
    const page: TransferRow[] = await transfer.read(table, after, BATCH);
    for (const row of page) hash.update(`${JSON.stringify(row)}\n`);
    rows += page.length;
    after = page.at(-1)?.slice(0, table.keyLength) ?? after;
    signal.throwIfAborted();
    if (page.length < BATCH) return { rows, checksum: hash.digest('hex') };
  }
}

function badTarget(url: string, why: string): PaoError {
  return new PaoError('PAO_COPY_TARGET', `${shownDatabase(url)} ${why}; nothing was copied.`, {
    exitCode: EXIT.usage,
    hints: ['Name an empty database with --to'],
  });
}
