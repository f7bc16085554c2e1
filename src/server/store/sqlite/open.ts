import { accessSync, closeSync, constants, existsSync, openSync, statfsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import type BetterSqlite3 from 'better-sqlite3';
import { EXIT, PaoError } from '../../../domain/errors.js';
import { explainSqliteError, notADatabase, readonlyStore } from './errors.js';

export type Driver = typeof BetterSqlite3;
export type RawDatabase = BetterSqlite3.Database;

/** How long SQLite itself waits for a lock, blocking the event loop, milliseconds. Longer waits are awaited. */
const BUSY_TIMEOUT_MS = 50;
const WAL_LIMIT_BYTES = 64 * 1024 * 1024;

export interface SqliteOpenOptions {
  /** A path, or `:memory:`. */
  path: string;
  /** `full`: an acknowledged change survives a power loss. `normal`: it survives a crash of the process. */
  durability: 'full' | 'normal';
  readonly: boolean;
}

/** The open connection of one process. */
export interface SqliteConnection {
  /** The absolute path, or `:memory:`. */
  location: string;
  raw: RawDatabase;
  /** What a commit that is acknowledged waits for; leases and heartbeats never wait for more than NORMAL. */
  synchronous: 'FULL' | 'NORMAL' | 'OFF';
}

/** The package of the SQLite driver for this Node. */
export function sqliteDriverName(): 'better-sqlite3' | 'better-sqlite3-v13' {
  return Number(process.versions.node.split('.')[0]) >= 22 ? 'better-sqlite3-v13' : 'better-sqlite3';
}

/**
 * Loads the SQLite driver that fits this Node (style.md D.4): version 12 aborts on Node 24, version 13 needs Node 22.
 * Through `require`, so that the native module stays outside of the bundle.
 * @throws PaoError PAO_STORE_DRIVER when it can not be loaded.
 */
export function loadDriver(): Driver {
  const require = createRequire(import.meta.url);
  const name = sqliteDriverName();
  try {
    return require(name) as Driver;
  } catch (error) {
    throw new PaoError(
      'PAO_STORE_DRIVER',
      `The SQLite driver ${name} can not be loaded on Node ${process.version}.`,
      {
        exitCode: EXIT.unavailable,
        status: 503,
        hints: ['npm rebuild better-sqlite3', 'pao doctor'],
        cause: error,
      },
    );
  }
}

/**
 * Opens a database file, or one in memory. The file is made (mode 0600) when it is missing, its directory is not.
 * @throws PaoError PAO_STORE_NOT_A_DATABASE, _READONLY, _CORRUPT, _UNREADABLE, _NETWORK, _DIRECTORY, PAO_DISK_FULL.
 */
export function openConnection(options: SqliteOpenOptions): SqliteConnection {
  const Driver = loadDriver();
  if (options.path === ':memory:') {
    const raw = new Driver(':memory:');
    configure(raw, 'OFF');
    return { location: ':memory:', raw, synchronous: 'OFF' };
  }
  const location = resolve(options.path);
  const synchronous = options.durability === 'full' ? 'FULL' : 'NORMAL';
  let raw: RawDatabase | undefined;
  try {
    refuseUnfit(location, options.readonly);
    const readonly = options.readonly && !leavesNothing(location);
    raw = new Driver(location, { readonly, timeout: BUSY_TIMEOUT_MS });
    if (options.readonly) raw.pragma('query_only = ON');
    else configure(raw, synchronous);
    refuseForeign(raw, location);
    return { location, raw, synchronous };
  } catch (error) {
    raw?.close();
    throw explainSqliteError(error, location);
  }
}

/** Bytes of the database file and of its write-ahead log. */
export function fileSizes(location: string): { sizeBytes: number; walBytes: number } {
  const size = (path: string) => (existsSync(path) ? statSync(path).size : 0);
  return { sizeBytes: size(location), walBytes: size(`${location}-wal`) };
}

/** Whether a file system type (statfs on Linux) is one where SQLite's locks can not be relied on. */
export function isNetworkFileSystem(type: number): boolean {
  // Magic numbers of linux/magic.h: NFS, SMB, CIFS, SMB2, NCP, AFS (two), Coda, Ceph.
  const magic = [
    0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x564c, 0x5346414f, 0x6b414653, 0x73757245, 0x00c36400,
  ];
  return magic.includes(type >>> 0);
}

function configure(database: RawDatabase, synchronous: 'FULL' | 'NORMAL' | 'OFF'): void {
  database.pragma('journal_mode = WAL');
  database.pragma(`synchronous = ${synchronous}`);
  database.pragma('foreign_keys = ON');
  database.pragma('wal_autocheckpoint = 2000');
  database.pragma(`journal_size_limit = ${WAL_LIMIT_BYTES}`);
  database.pragma('temp_store = MEMORY');
  if (process.platform === 'darwin') {
    database.pragma('fullfsync = ON');
    database.pragma('checkpoint_fullfsync = ON');
  }
}

function refuseUnfit(location: string, readonly: boolean): void {
  const directory = dirname(location);
  if (!existsSync(directory)) {
    throw new PaoError('PAO_STORE_DIRECTORY', `There is no directory ${directory} for the database.`, {
      exitCode: EXIT.usage,
      hints: [`mkdir -p ${directory}`],
    });
  }
  if (process.platform === 'linux' && isNetworkFileSystem(statfsSync(directory).type)) {
    throw new PaoError(
      'PAO_STORE_NETWORK',
      `${directory} is on a network file system, where SQLite loses data.`,
      {
        exitCode: EXIT.usage,
        hints: [
          'Put the data directory on a local disk: PAO_HOME=DIR, or DATABASE_URL=sqlite:PATH',
          'Or use PostgreSQL',
        ],
      },
    );
  }
  const exists = existsSync(location);
  if (exists && !statSync(location).isFile()) throw notADatabase(location, undefined, 'is not a file');
  if (readonly) return;
  try {
    accessSync(directory, constants.W_OK);
    if (exists) accessSync(location, constants.W_OK);
  } catch (error) {
    throw readonlyStore(location, error);
  }
  // Tokens and personal data are in it: only its owner may read it.
  if (!exists) closeSync(openSync(location, 'a', 0o600));
}

/**
 * Whether a connection that could write, and is kept from it, changes nothing by being opened and closed. One that can
 * only read can not remove the log it has to make.
 */
function leavesNothing(location: string): boolean {
  if (existsSync(`${location}-journal`) || fileSizes(location).walBytes > 0) return false;
  try {
    accessSync(dirname(location), constants.W_OK);
    accessSync(location, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** A database of another program must not get our tables. */
function refuseForeign(database: RawDatabase, location: string): void {
  const tables = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .pluck()
    .all() as string[];
  if (tables.length > 0 && !tables.includes('schema_migration')) {
    throw notADatabase(location, undefined, 'is a database of another program');
  }
}
