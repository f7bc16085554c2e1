import { readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newId } from '../../../src/domain/ids.js';
import { makeBackup } from '../../../src/server/maintenance/backup.js';
import { copyDatabase } from '../../../src/server/maintenance/copy.js';
import { databaseStatus } from '../../../src/server/maintenance/database-status.js';
import { migrateDatabase } from '../../../src/server/maintenance/migrate.js';
import { openStore } from '../../../src/server/store/open.js';
import { readDump } from '../../../src/server/store/postgres/dump.js';
import type { Store } from '../../../src/server/store/store.js';
import { OWN_META, TRANSFER_TABLES } from '../../../src/server/store/transfer.js';
import { agentOf, CRON, endOf, runOf, stepOf, T0, taskOf } from '../../contract/fixtures.js';
import { createDatabase, type TestDatabase as PostgresDatabase } from '../../postgres/shared-cluster.js';
import { aDatabase, type TestDatabase } from './a-database.js';

const WEEK = 7 * 86_400_000;
let source: TestDatabase;
let postgres: PostgresDatabase;

beforeEach(async () => {
  [source, postgres] = await Promise.all([aDatabase(), createDatabase('copy')]);
});
afterEach(async () => {
  source.remove();
  await postgres.drop();
});

const copy = (from: string, to: string, more: Partial<Parameters<typeof copyDatabase>[0]> = {}) =>
  copyDatabase({ from, to, home: source.home, now: T0, signal: new AbortController().signal, ...more });

/** Something of everything: ended, queued, leased and waiting runs, over several weeks. */
async function fill(store: Store): Promise<{ task: string; queued: string; steps: string }> {
  const agent = agentOf('mailer', { title: 'Größe ✓', budget: { per_day: { usd: 2 }, on_exceed: 'skip' } });
  await store.createAgent(agent, {
    id: 'tok_1',
    agentId: agent.id,
    hash: 'hash',
    prefix: 'pao_a_',
    label: null,
    scopes: ['tasks:read'],
    createdAt: T0,
    expiresAt: T0 + WEEK,
    revokedAt: null,
    lastUsedAt: null,
  });
  const task = taskOf(
    agent,
    { schedule: CRON, dedupe: { key: 'k', window: '1h' } },
    { nextDueAt: T0 + 60_000, memory: { seen: [1, '"'] } },
  );
  await store.createTask(task);
  await store.updateTask({ ...task, spec: { ...task.spec, priority: 2 }, updatedAt: T0 + 1 }, 1, 'test');
  const run = (changes: Parameters<typeof runOf>[0] = {}) =>
    store.createRun({
      taskId: task.id,
      run: runOf({ id: newId('run', T0), ...changes }),
      now: T0,
      force: true,
    });
  for (let week = 0; week < 4; week++)
    await run({ status: 'skipped', reason: 'overlap', trigger: 'schedule', scheduledFor: T0 - week * WEEK });
  const steps = await run({ dedupeKey: 'k' });
  const [leased] = await store.lease({ workerId: 'w1', now: T0, limit: 1, leaseMs: 15_000, tags: [] });
  if (leased === undefined) throw new Error('nothing to lease');
  await store.recordSteps(
    [
      {
        runId: steps.id,
        leaseToken: leased.leaseToken,
        steps: [stepOf({ idempotencyKey: 'key' })],
        reserve: { key: 'key', stepId: 'one' },
      },
    ],
    T0,
  );
  await store.complete([endOf(leased, { output: { text: 'a "quoted" line\n' } })], T0 + 10);
  const queued = await run();
  await run({ runAt: T0 - 1 });
  await store.lease({ workerId: 'w2', now: T0, limit: 1, leaseMs: 15_000, tags: [] });
  for (const id of ['evt_1', 'evt_2'])
    await store.publishEvent({
      id,
      topic: 'mail.received',
      payload: { from: 'a' },
      dedupeKey: id,
      agentId: agent.id,
      createdAt: T0,
    });
  for (const action of ['one', 'two'])
    await store.appendAudit({ at: T0, actor: 'system', action, target: null, details: { b: 1, a: 2 } });
  await store.putTool({
    tool: {
      address: 'news.top',
      kind: 'http',
      http: { method: 'GET', url: 'https://example.com' },
      input_schema: { type: 'object' },
      side_effect: 'read',
    },
    createdBy: 'test',
    createdAt: T0,
    updatedAt: T0,
  });
  await store.setMeta('note', 'kept');
  const spent = { tokens: 576, nanoUsd: 3, calls: 1, runs: 0, unpriced: 0 };
  await store.reserveBudget(
    {
      id: 'bud_1',
      runId: steps.id,
      taskId: task.id,
      agentId: agent.id,
      stepId: 'one',
      tool: 'llm.chat',
      model: 'small',
      at: T0,
      amount: spent,
    },
    [{ key: 'all:2026-01-05', limits: {} }],
  );
  return { task: task.id, queued: queued.id, steps: steps.id };
}

/** What a system that goes on with the copy does first. */
async function goesOn(url: string, ids: Awaited<ReturnType<typeof fill>>): Promise<void> {
  const store = await openStore({ url });
  try {
    expect(await store.getTask(ids.task)).toMatchObject({
      version: 2,
      memory: { seen: [1, '"'] },
      nextDueAt: T0 + 60_000,
    });
    expect(await store.listSteps(ids.steps)).toMatchObject([{ stepId: 'one', idempotencyKey: 'key' }]);
    expect(await store.getRun(ids.steps)).toMatchObject({
      status: 'succeeded',
      output: { text: 'a "quoted" line\n' },
    });
    expect(await store.stats(T0)).toMatchObject({ tasks: { active: 1 }, undispatchedEvents: 2 });
    expect(await store.getMeta('note')).toBe('kept');
    expect((await store.getSpent(['all:2026-01-05'])).get('all:2026-01-05')).toMatchObject({ tokens: 576 });
    expect(await store.listBudgetEntries({ runId: ids.steps, limit: 10 })).toMatchObject([
      { id: 'bud_1', state: 'reserved', model: 'small' },
    ]);
    const leased = await store.lease({
      workerId: 'w3',
      now: T0 + 1000,
      limit: 10,
      leaseMs: 15_000,
      tags: [],
    });
    expect(leased.map(({ run }) => run.id)).toContain(ids.queued);
    expect((await store.listRuns({ limit: 100 })).items).toHaveLength(7);
    // New rows go on after the copied ones.
    const agent = agentOf('another');
    await store.createAgent(agent, null);
    await store.createTask(taskOf(agent, { name: 'new' }));
    const { event } = await store.publishEvent({
      id: 'evt_3',
      topic: 'a',
      payload: null,
      dedupeKey: null,
      agentId: agent.id,
      createdAt: T0,
    });
    expect(event.sequence).toBe(3);
    await store.appendAudit({ at: T0, actor: 'system', action: 'three', target: null, details: {} });
  } finally {
    await store.close();
  }
}

describe('copying', () => {
  test('SQLite to PostgreSQL and back: every row is the same, and both go on from there', async () => {
    const ids = await source.use(fill);
    const there = await copy(source.url, postgres.url);
    expect(there.tables.find(({ table }) => table === 'run')).toMatchObject({ rows: 7 });
    const back = `sqlite:${join(source.home, 'back.db')}`;
    expect((await copy(postgres.url, back)).tables).toEqual(there.tables);
    await goesOn(postgres.url, ids);
    await goesOn(back, ids);
    const full = await databaseStatus(back, { home: source.home, depth: 'full' });
    expect(full.problems).toEqual([]);
    expect((await databaseStatus(postgres.url, { home: source.home, depth: 'full' })).problems).toEqual([]);
  });

  test('goes on where it was broken off', async () => {
    const ids = await source.use(fill);
    const controller = new AbortController();
    const broken = copy(source.url, postgres.url, {
      signal: controller.signal,
      onProgress: (table) => table === 'run' && controller.abort(),
    });
    await expect(broken).rejects.toMatchObject({ name: 'AbortError' });
    const seen: string[] = [];
    const { resumed } = await copy(source.url, postgres.url, { onProgress: (table) => seen.push(table) });
    expect(resumed).toBe(true);
    expect(seen[0]).toBe('run');
    await goesOn(postgres.url, ids);
  });

  test('into a database with something in it is refused, and so is another source for half a copy', async () => {
    await source.use(fill);
    await copy(source.url, postgres.url);
    await expect(copy(source.url, postgres.url)).rejects.toMatchObject({
      code: 'PAO_COPY_TARGET',
      exitCode: 2,
      message: expect.stringContaining('has rows in agent already'),
    });
    await expect(copy(source.url, source.url)).rejects.toMatchObject({ code: 'PAO_COPY_TARGET' });
  });

  test('of a source that changed since it was broken off is told', async () => {
    await source.use(fill);
    const controller = new AbortController();
    await copy(source.url, postgres.url, {
      signal: controller.signal,
      onProgress: (table) => table === 'event' && controller.abort(),
    }).catch(() => {});
    source.raw("UPDATE task SET state_reason = 'changed'");
    await expect(copy(source.url, postgres.url)).rejects.toMatchObject({
      code: 'PAO_COPY_DIFFERS',
      message: expect.stringContaining('The table task is not the same'),
    });
  });

  test('takes along every column that SQLite keeps', () => {
    const derived = ['schema_migration', 'worker_heartbeat', 'task_count'];
    const leases = ['state', 'parked_on', 'lease_expires_at'];
    const tables = source.raw(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    ) as { name: string }[];
    const kept = tables
      .filter(({ name }) => !derived.includes(name))
      .map(({ name }) => [
        name,
        (source.raw(`PRAGMA table_info(${name})`) as { name: string }[])
          .map((column) => column.name)
          .filter((column) => !(name === 'due_work' && leases.includes(column)))
          .sort(),
      ]);
    const copied = TRANSFER_TABLES.map(({ name, columns }) => [
      name,
      columns.map((column) => column.name).sort(),
    ]);
    expect(copied.sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1))).toEqual(kept);
    expect(OWN_META).toContain('in_use_since');
  });
});

describe('PostgreSQL', () => {
  let folder: TestDatabase;
  beforeAll(async () => {
    folder = await aDatabase();
  });
  afterAll(() => folder.remove());

  test('a backup is a dump that pg_restore takes, and it is noted', async () => {
    await migrateDatabase({ home: source.home, url: postgres.url, now: T0 });
    const file = join(folder.home, 'copy.dump');
    const { signal } = new AbortController();
    const backup = await makeBackup({ url: postgres.url, file, now: T0, replace: false, signal });
    expect(backup.rows).toMatchObject({ agent: 0, task: 0 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file).subarray(0, 5).toString()).toBe('PGDMP');
    const status = await databaseStatus(postgres.url, { home: source.home, depth: 'quick' });
    expect(status).toMatchObject({ engine: 'postgres', problems: [], last_backup: { file } });
    truncateSync(file, statSync(file).size - 2000);
    await expect(readDump(file, signal)).rejects.toMatchObject({ code: 'PAO_BACKUP_UNFIT' });
  });
});
