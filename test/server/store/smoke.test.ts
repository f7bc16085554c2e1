import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openStore } from '../../../src/server/store/open.js';
import { CRON, endOf, everyRun, leaseAs, seed, stepOf, T0 } from '../../contract/fixtures.js';

test('a task that is due becomes a run that is leased and ends', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'pao-store-'));
  const store = await openStore({ url: `sqlite:${join(directory, 'orchestrator.db')}` });
  try {
    expect(await store.migrate(T0)).toEqual({ from: 0, to: 1 });
    const { task } = await seed(store, { schedule: CRON }, { nextDueAt: T0 });
    const scheduled = await store.scheduleDue({
      now: T0,
      limit: 10,
      decide: everyRun(60_000, { serial: true }),
    });
    expect(scheduled).toMatchObject({ tasks: 1, queued: 1, duplicates: 0 });
    const [leased] = await leaseAs(store);
    expect(leased?.run.status).toBe('running');
    expect(await store.complete([endOf(leased!, { steps: [stepOf()] })], T0)).toEqual({ fenced: [] });
    expect(await store.getRun(leased!.run.id)).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect(await store.listSteps(leased!.run.id)).toHaveLength(1);
    expect(await store.getTask(task.id)).toMatchObject({ nextDueAt: T0 + 60_000, lastRunAt: T0 });
    expect(await store.stats(T0)).toMatchObject({ due: 0, leased: 0, activeWithoutDue: 0 });
  } finally {
    await store.close();
    rmSync(directory, { recursive: true });
  }
});
