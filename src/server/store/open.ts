import { EXIT, PaoError } from '../../domain/errors.js';
import { readDatabaseUrl } from './database-url.js';
import type { PostgresSettings } from './postgres/database.js';
import type { Store } from './store.js';

export interface OpenStoreOptions {
  /** `sqlite:PATH`, `sqlite::memory:` or `postgres://user:password@host:port/database`. */
  url: string;
  /** `full` (the default): an acknowledged change survives a power loss. `normal`: it survives a crash of the process. */
  durability?: 'full' | 'normal' | undefined;
  /** Look only: for status and doctor. */
  readonly?: boolean | undefined;
  /** How connections to PostgreSQL are used. */
  postgres?: Partial<PostgresSettings> | undefined;
}

/**
 * Opens the Store a URL names. It does not migrate: call `migrate` first, in the one process that starts the others.
 * @throws PaoError PAO_STORE_URL when the URL names no engine we have, and what the engine says about its database.
 */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const { url } = options;
  const named = readDatabaseUrl(url);
  if (named?.engine === 'sqlite') {
    const { openSqliteStore } = await import('./sqlite/sqlite-store.js');
    return openSqliteStore({
      path: named.path,
      durability: options.durability ?? 'full',
      readonly: options.readonly ?? false,
    });
  }
  if (named?.engine === 'postgres') {
    const { openPostgresStore } = await import('./postgres/postgres-store.js');
    return openPostgresStore({
      url,
      durability: options.durability ?? 'full',
      readonly: options.readonly ?? false,
      ...(options.postgres === undefined ? {} : { settings: options.postgres }),
    });
  }
  if (url.startsWith('sqlite:')) throw badUrl('names no file', 'sqlite:./orchestrator.db');
  throw badUrl(
    'is none that pao knows',
    'sqlite:./orchestrator.db, postgres://user:password@localhost:5432/pao',
  );
}

/** A URL may hold a password: only its scheme is said. */
function badUrl(what: string, example: string): PaoError {
  return new PaoError('PAO_STORE_URL', `The database URL ${what}.`, {
    exitCode: EXIT.usage,
    hints: [`Write for example ${example}`],
  });
}
