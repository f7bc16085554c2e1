import type { Store } from '../store.js';
import { agentMethods } from './agents.js';
import { approvalMethods } from './approvals.js';
import { auditMethods } from './audit.js';
import { budgetMethods } from './budgets.js';
import { completingMethods } from './completing.js';
import { SqliteDatabase } from './database.js';
import { DiskReserve, guardSpace } from './disk-reserve.js';
import { deliveryMethods } from './deliveries.js';
import { eventMethods } from './events.js';
import { hookMethods } from './hooks.js';
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

/** A database in memory: no disk that could be full. */
const NO_LIMIT = { full: false, freeBytes: null };

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
  const inMemory = database.location === ':memory:';
  const reserve = new DiskReserve(database.location);
  let migrated = false;
  const store: Store = {
    engine: 'sqlite',
    location: database.location,
    async migrate(now) {
      const result = await migrateSqlite(database, migrations, now);
      migrated = true;
      return result;
    },
    schemaVersion: async () => ({ current: await database.read(currentVersion), wanted: migrations.length }),
    ...operationMethods(database),
    ...auditMethods(database),
    ...schedulingMethods(database, specs),
    ...leasingMethods(database, specs),
    ...completingMethods(database),
    ...runMethods(database, specs),
    ...taskMethods(database, specs),
    ...agentMethods(database),
    ...eventMethods(database),
    ...approvalMethods(database),
    ...budgetMethods(database),
    ...deliveryMethods(database),
    ...hookMethods(database),
    ...toolMethods(database),
    space: async () => (inMemory ? NO_LIMIT : reserve.look()),
    async tendSpace() {
      if (inMemory) return NO_LIMIT;
      // A long log is space as well, and what is written again and again must not make it grow.
      if (reserve.isFull) await database.truncateLog();
      return reserve.tend();
    },
    close: () => database.close(migrated ? markClosed : undefined),
  };
  return inMemory || options.readonly ? store : guardSpace(store, reserve, database.location);
}
