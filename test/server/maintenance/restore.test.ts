import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { takeAlone } from '../../../src/server/maintenance/alone.js';
import { makeBackup } from '../../../src/server/maintenance/backup.js';
import { restoreBackup } from '../../../src/server/maintenance/restore.js';
import { restorePlace } from '../../../src/server/maintenance/restore-place.js';
import { lockDataDirectory } from '../../../src/server/supervisor/data-lock.js';
import { loadDriver } from '../../../src/server/store/sqlite/open.js';
import { CRON, runOf, seed, T0 } from '../../contract/fixtures.js';
import { aDatabase, type TestDatabase } from './a-database.js';

const HOUR = 3_600_000;
const LATER = T0 + 2 * HOUR;
const HOURLY = { ...CRON, expr: '0 * * * *' };

let database: TestDatabase;
let file: string;

beforeEach(async () => {
  database = await aDatabase();
  file = join(database.home, 'copy.db');
});
afterEach(() => database.remove());

const backUp = () =>
  makeBackup({
    url: database.url,
    file,
    now: T0,
    replace: false,
    signal: new AbortController().signal,
  });

const restore = (resumeFrom: 'now' | 'backup' | 'paused' | null) =>
  restoreBackup({
    place: restorePlace({ file, url: database.url, now: LATER + 1 }),
    url: database.url,
    now: LATER + 1,
    misfireAfterMs: 60_000,
    resumeFrom,
    signal: new AbortController().signal,
  });

/** An hourly task that comes due twice after the backup, a run that was leased, one that was queued, an event. */
async function withWorkLeft() {
  return database.use(async (store) => {
    const { task, agent } = await seed(store, { schedule: HOURLY }, { nextDueAt: T0 + HOUR });
    const queued = await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
    const leased = await store.createRun({ taskId: task.id, run: runOf({ id: 'run_leased' }), now: T0 });
    await store.lease({ workerId: 'w9', now: T0, limit: 1, leaseMs: 15_000, tags: [] });
    await store.publishEvent({
      id: 'evt_1',
      topic: 'a.b',
      payload: null,
      dedupeKey: null,
      agentId: agent.id,
      createdAt: T0,
      traceId: null,
    });
    await backUp();
    return { task, runs: [queued.id, leased.id] };
  });
}

describe('restoring', () => {
  test('nothing left to do: the backup is in place, and what was there is kept', async () => {
    const kept = await database.use((store) => seed(store));
    await backUp();
    const lost = await database.use((store) => seed(store, {}, { updatedAt: T0 + 1 }));
    const result = await restore(null);
    expect(result).toMatchObject({ resumeFrom: 'backup', lost: { tasks: 1, runs: 0 } });
    await database.use(async (store) => {
      expect(await store.getTask(kept.task.id)).not.toBeNull();
      expect(await store.getTask(lost.task.id)).toBeNull();
      expect((await store.listAudit({ limit: 1 })).items[0]?.action).toBe('database.restored');
    });
    await database.use(
      async (store) => expect(await store.getTask(lost.task.id)).not.toBeNull(),
      result.replaced as string,
    );
    expect(statSync(database.path).mode & 0o777).toBe(0o600);
  });

  test('work that may have been done already wants a word first, and nothing is changed', async () => {
    await withWorkLeft();
    const before = readFileSync(database.path);
    await expect(restore(null)).rejects.toMatchObject({
      code: 'PAO_RESTORE_CHOICE',
      exitCode: 2,
      message: expect.stringMatching(/1 task came due \(1 run would be caught up\), 2 runs .* 1 event /),
      hints: [
        expect.stringContaining('--resume-from now'),
        expect.stringContaining('--resume-from backup'),
        expect.stringContaining('--pause'),
      ],
    });
    expect(readFileSync(database.path)).toEqual(before);
  });

  test('--resume-from now leaves out what came due, with a row each, and cancels what had not ended', async () => {
    const { task, runs } = await withWorkLeft();
    await restore('now');
    await database.use(async (store) => {
      const { items } = await store.listRuns({ taskId: task.id, statuses: ['missed'], limit: 10 });
      expect(items.map(({ scheduledFor, reason }) => [scheduledFor, reason]).sort()).toEqual([
        [T0 + HOUR, 'restored'],
        [T0 + 2 * HOUR, 'restored'],
      ]);
      expect((await store.getTask(task.id))?.nextDueAt).toBe(T0 + 3 * HOUR);
      for (const id of runs)
        expect(await store.getRun(id)).toMatchObject({ status: 'canceled', reason: 'restored' });
      expect(await store.nextRunAt()).toBeNull();
      expect((await store.stats(LATER)).undispatchedEvents).toBe(0);
    });
  });

  test('--resume-from backup goes on where the backup was', async () => {
    const { task, runs } = await withWorkLeft();
    const { leftOver } = await restore('backup');
    expect(leftOver).toEqual({
      tasks: [{ name: task.name, dueSince: T0 + HOUR, wouldRun: 1, wouldMiss: 1 }],
      runs: 2,
      events: 1,
    });
    await database.use(async (store) => {
      expect((await store.getTask(task.id))?.nextDueAt).toBe(T0 + HOUR);
      expect((await store.getRun(runs[0] as string))?.status).toMatch(/queued|running/);
    });
  });

  test('--pause stops every task with a schedule, and says why', async () => {
    const { task } = await withWorkLeft();
    const manual = await database.use((store) => seed(store, { name: 'by-hand' }));
    expect((await restore('paused')).pausedTasks).toBe(1);
    await database.use(async (store) => {
      expect(await store.getTask(task.id)).toMatchObject({
        state: 'paused',
        stateReason: 'restored from a backup',
      });
      expect(await store.nextRunAt()).toBeNull();
      expect(await store.getTask(manual.task.id)).toBeNull();
    });
  });

  test('a damaged database can be replaced, and is kept with its log', async () => {
    const { task } = await database.use((store) => seed(store));
    await backUp();
    writeFileSync(database.path, 'x'.repeat(9000));
    writeFileSync(`${database.path}-wal`, 'y');
    (await takeAlone({ home: database.home, url: database.url, now: LATER }))();
    const { replaced, lost } = await restore(null);
    expect(lost).toBeNull();
    expect(readFileSync(replaced as string, 'utf8')).toBe('x'.repeat(9000));
    expect(readFileSync(`${replaced}-wal`, 'utf8')).toBe('y');
    await database.use(async (store) => expect(await store.getTask(task.id)).not.toBeNull());
  });
});

describe('a database that is in use is left alone', () => {
  const take = () => takeAlone({ home: database.home, url: database.url, now: T0 });
  const beat = (host: string, pid: number) =>
    database.use((store) =>
      store.heartbeat({
        id: 'wrk_1',
        kind: 'worker',
        slot: 'w1',
        pid,
        host,
        version: '1.0.0',
        tags: [],
        startedAt: T0,
        lastSeenAt: T0 - 1000,
        slotsTotal: 1,
        slotsBusy: 0,
      }),
    );

  test('while a pao has the data directory', async () => {
    const release = lockDataDirectory(database.home);
    await expect(take()).rejects.toMatchObject({ code: 'PAO_ALREADY_RUNNING', exitCode: 3 });
    release();
    (await take())();
  });

  test('while any program has the file open', async () => {
    const other = new (loadDriver())(database.path);
    other.prepare('SELECT count(*) FROM task').get();
    await expect(take()).rejects.toMatchObject({ code: 'PAO_STORE_IN_USE', exitCode: 3 });
    other.close();
    (await take())();
  });

  test('while a worker on another machine gives signs of life, and names it', async () => {
    await beat('another-machine', 4711);
    await expect(take()).rejects.toMatchObject({
      code: 'PAO_STORE_IN_USE',
      message: expect.stringContaining('worker w1 (process 4711 on another-machine)'),
    });
  });

  test('and is free at once when the worker of this machine is gone', async () => {
    await beat(hostname(), 2 ** 22 + 1);
    (await take())();
  });
});
