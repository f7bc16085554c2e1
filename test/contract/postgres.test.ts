import { afterAll, beforeAll } from 'vitest';
import { openStore } from '../../src/server/store/open.js';
import type { Store } from '../../src/server/store/store.js';
import { createDatabase, emptyDatabase, type TestDatabase } from '../postgres/shared-cluster.js';
import { T0 } from './fixtures.js';
import { exerciseStore, type FreshStore } from './store-contract.js';

let database: TestDatabase;
/** Open over all tests, as its connections and what it has prepared cost more than most of them. */
let store: Store;
beforeAll(async () => {
  database = await createDatabase('contract');
  process.stderr.write(`Store contract on ${database.version}\n`);
  store = await openStore({ url: database.url });
  await store.migrate(T0);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

async function freshDatabase(): Promise<FreshStore> {
  const { url, admin } = database;
  await emptyDatabase(admin);
  const open: Store[] = [];
  let isShared = false;
  return {
    store,
    get url() {
      isShared = true;
      return url;
    },
    async reopen() {
      const other = await openStore({ url });
      open.push(other);
      return other;
    },
    async tamper(sql) {
      await admin.query(sql);
    },
    async cleanup() {
      for (const one of open) await one.close();
      if (!isShared) return;
      // What a process that was killed had asked for may still be under way.
      await store.close();
      await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`);
      store = await openStore({ url });
    },
  };
}

exerciseStore('PostgreSQL', freshDatabase, true);
