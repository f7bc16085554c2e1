import type { Migration } from '../sqlite/migrate.js';
import type { Store } from '../store.js';
import { agentMethods } from './agents.js';
import { approvalMethods } from './approvals.js';
import { budgetMethods } from './budgets.js';
import { auditMethods } from './audit.js';
import { completingMethods } from './completing.js';
import { POSTGRES_DEFAULTS, PostgresDatabase, type PostgresSettings } from './database.js';
import { deliveryMethods } from './deliveries.js';
import { eventMethods } from './events.js';
import { hookMethods } from './hooks.js';
import { Leases } from './leases.js';
import { leasingMethods } from './leasing.js';
import { currentVersion, migratePostgres, POSTGRES_MIGRATIONS, refuseNewer } from './migrate.js';
import { operationMethods } from './operations.js';
import { Partitions } from './partitions.js';
import { pruningMethods } from './pruning.js';
import { runMethods } from './runs.js';
import { schedulingMethods } from './scheduling.js';
import { SpecCache } from './spec-cache.js';
import { parsePostgresUrl } from './target.js';
import { taskMethods } from './tasks.js';
import { toolMethods } from './tools.js';

export interface PostgresOpenOptions {
  /** `postgres://user:password@host:port/database`. */
  url: string;
  durability: 'full' | 'normal';
  readonly: boolean;
  settings?: Partial<PostgresSettings>;
}

/**
 * Opens the Store on a PostgreSQL database. It does not migrate.
 * @throws PaoError PAO_STORE_UNREACHABLE, _AUTH, _NO_DATABASE, _PERMISSION, _TOO_MANY_CONNECTIONS; PAO_STORE_NEWER when
 * it is to be written and its schema is of a newer program.
 */
export async function openPostgresStore(
  options: PostgresOpenOptions,
  migrations: readonly Migration[] = POSTGRES_MIGRATIONS,
): Promise<Store> {
  const settings = { ...POSTGRES_DEFAULTS, ...options.settings };
  const database = new PostgresDatabase(parsePostgresUrl(options.url), settings);
  try {
    await database.open();
    if (!options.readonly) refuseNewer(await currentVersion(database), migrations.length, database.location);
  } catch (error) {
    await database.close();
    throw error;
  }
  const specs = new SpecCache();
  const leases = new Leases();
  const partitions = new Partitions(database);
  return {
    engine: 'postgres',
    location: database.location,
    async migrate(now) {
      const result = await migratePostgres(database, migrations, now);
      await partitions.ensure(partitions.missing([now], now), now);
      return result;
    },
    schemaVersion: async () => ({ current: await currentVersion(database), wanted: migrations.length }),
    ...operationMethods(database),
    ...auditMethods(database),
    ...pruningMethods(database),
    ...schedulingMethods(database, specs, partitions),
    ...leasingMethods(database, specs, leases),
    ...completingMethods(database, leases, { durable: options.durability === 'full' }),
    ...runMethods(database, specs, partitions),
    ...taskMethods(database, specs),
    ...agentMethods(database),
    ...eventMethods(database),
    ...approvalMethods(database),
    ...budgetMethods(database),
    ...deliveryMethods(database),
    ...hookMethods(database),
    ...toolMethods(database),
    close: () => database.close(),
  };
}
