import type { Store } from '../store.js';
import { agentMethods } from './agents.js';
import { completingMethods } from './completing.js';
import { SqliteDatabase } from './database.js';
import { eventMethods } from './events.js';
import { leasingMethods } from './leasing.js';
import {
  currentVersion,
  type Migration,
  markClosed,
  migrateSqlite,
  refuseNewer,
  SQLITE_MIGRATIONS,
} from './migrate.js';
import { openConnection, type SqliteOpenOptions } from './open.js';
import { operationMethods } from './operations.js';
import { runMethods } from './runs.js';
import { schedulingMethods } from './scheduling.js';
import { SpecCache } from './spec-cache.js';
import { taskMethods } from './tasks.js';
import { toolMethods } from './tools.js';

/**
 * Opens the Store on an SQLite file or in memory. It does not migrate.
 * @throws PaoError as {@link openConnection}; PAO_STORE_NEWER when it is to be written and its schema is of a newer
 * program.
 */
export async function openSqliteStore(
  options: SqliteOpenOptions,
  migrations: readonly Migration[] = SQLITE_MIGRATIONS,
): Promise<Store> {
  const database = new SqliteDatabase(openConnection(options));
  if (!options.readonly) {
    try {
      refuseNewer(await database.read(currentVersion), migrations.length, database.location);
    } catch (error) {
      await database.close();
      throw error;
    }
  }
  const specs = new SpecCache();
  let migrated = false;
  return {
    engine: 'sqlite',
    location: database.location,
    async migrate(now) {
      const result = await migrateSqlite(database, migrations, now);
      migrated = true;
      return result;
    },
    schemaVersion: async () => ({ current: await database.read(currentVersion), wanted: migrations.length }),
    ...operationMethods(database),
    ...schedulingMethods(database, specs),
    ...leasingMethods(database, specs),
    ...completingMethods(database),
    ...runMethods(database, specs),
    ...taskMethods(database, specs),
    ...agentMethods(database),
    ...eventMethods(database),
    ...toolMethods(database),
    close: () => database.close(migrated ? markClosed : undefined),
  };
}
