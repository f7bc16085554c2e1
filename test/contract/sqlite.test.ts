import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../src/server/store/open.js';
import { loadDriver } from '../../src/server/store/sqlite/open.js';
import type { Store } from '../../src/server/store/store.js';
import { T0 } from './fixtures.js';
import { exerciseStore, type FreshStore } from './store-contract.js';

async function freshFile(): Promise<FreshStore> {
  const directory = mkdtempSync(join(tmpdir(), 'pao-contract-'));
  const path = join(directory, 'orchestrator.db');
  const url = `sqlite:${path}`;
  const open: Store[] = [];
  const reopen = async () => {
    const store = await openStore({ url });
    open.push(store);
    return store;
  };
  const store = await reopen();
  await store.migrate(T0);
  return {
    store,
    url,
    reopen,
    async tamper(sql) {
      const database = new (loadDriver())(path);
      database.exec(sql);
      database.close();
    },
    async cleanup() {
      for (const one of open.reverse()) await one.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

exerciseStore('an SQLite file', freshFile, true);

async function freshMemory(): Promise<FreshStore> {
  const store = await openStore({ url: 'sqlite::memory:' });
  await store.migrate(T0);
  return { store, url: null, reopen: async () => store, tamper: null, cleanup: () => store.close() };
}

exerciseStore('an SQLite database in memory', freshMemory, false);
