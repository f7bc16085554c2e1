import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { startCluster } from './cluster.js';

/** Where the processes of one test run meet; made and removed by global-setup.ts. */
export const RUN_DIRECTORY = 'PAO_TEST_RUN_DIRECTORY';

interface Shared {
  url?: string;
  directory?: string;
  error?: string;
}

/**
 * The PostgreSQL server of this test run: the one of `PAO_TEST_DATABASE_URL`, or a temporary one that the first test file
 * that asks for it starts.
 * @returns the URL of a database that may make others.
 */
export async function sharedCluster(): Promise<string> {
  const given = process.env.PAO_TEST_DATABASE_URL;
  if (given !== undefined && given !== '') return given;
  const folder = process.env[RUN_DIRECTORY];
  if (folder === undefined) throw new Error(`${RUN_DIRECTORY} is not set: run the tests with vitest`);
  const file = join(folder, 'postgres.json');
  try {
    mkdirSync(join(folder, 'postgres.lock'));
  } catch {
    return untilShared(file);
  }
  const say = (shared: Shared) => {
    writeFileSync(`${file}.new`, JSON.stringify(shared));
    renameSync(`${file}.new`, file);
  };
  try {
    const { url, directory } = await startCluster({ detached: true });
    say({ url, directory });
    return url;
  } catch (error) {
    say({ error: String(error) });
    throw error;
  }
}

async function untilShared(file: string): Promise<string> {
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 50));
  const { url, error } = JSON.parse(readFileSync(file, 'utf8')) as Shared;
  if (url === undefined) throw new Error(error);
  return url;
}

/** A database of its own for one test file. */
export interface TestDatabase {
  url: string;
  /** A connection of its superuser. */
  admin: pg.Client;
  /** `PostgreSQL 15.18`. */
  version: string;
  drop(): Promise<void>;
}

/** Makes an empty database. */
export async function createDatabase(prefix: string): Promise<TestDatabase> {
  const server = await sharedCluster();
  const name = `${prefix}_${process.pid}_${Math.random().toString(36).slice(2, 8)}`;
  await once(server, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const admin = new pg.Client({ connectionString: url.href });
  await admin.connect();
  const { rows } = await admin.query<{ server_version: string }>('SHOW server_version');
  return {
    url: url.href,
    admin,
    version: `PostgreSQL ${rows[0]?.server_version.split(' ')[0]}`,
    async drop() {
      await admin.end();
      await once(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

/** Empties all tables; much quicker than a new database for each test. */
export async function emptyDatabase(admin: pg.Client): Promise<void> {
  await admin.query(`
    SET session_replication_role = replica;
    DO $$ DECLARE name text; BEGIN
      FOR name IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND relname NOT IN ('schema_migration', 'event_counter') AND pg_relation_size(oid) > 0
      LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
      UPDATE event_counter SET last = 0;
    END $$;
    SET session_replication_role = DEFAULT`);
}

async function once(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
