import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../../src/server/store/open.js';
import { loadDriver } from '../../../src/server/store/sqlite/open.js';
import type { Store } from '../../../src/server/store/store.js';
import { T0 } from '../../contract/fixtures.js';

/** A data directory of its own with a migrated database that nobody has open. */
export interface TestDatabase {
  home: string;
  path: string;
  url: string;
  /** Opens the store, lets `work` use it, closes it. */
  use<T>(work: (store: Store) => Promise<T>, path?: string): Promise<T>;
  /** One statement, past the store. */
  raw(sql: string, path?: string): unknown;
  remove(): void;
}

export async function aDatabase(): Promise<TestDatabase> {
  const home = mkdtempSync(join(tmpdir(), 'pao-db-'));
  const path = join(home, 'orchestrator.db');
  const database: TestDatabase = {
    home,
    path,
    url: `sqlite:${path}`,
    async use(work, file = path) {
      const store = await openStore({ url: `sqlite:${file}`, durability: 'normal' });
      try {
        return await work(store);
      } finally {
        await store.close();
      }
    },
    raw(sql, file = path) {
      const connection = new (loadDriver())(file);
      try {
        const statement = connection.prepare(sql);
        return statement.reader ? statement.all() : statement.run();
      } finally {
        connection.close();
      }
    },
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
  await database.use((store) => store.migrate(T0));
  return database;
}
