import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore } from '../../../src/server/store/open.js';
import type { Store } from '../../../src/server/store/store.js';
import { type LeaseKeeper, startLeaseKeeper } from '../../../src/server/worker/lease-keeper.js';
import { runOf, seed } from '../../contract/fixtures.js';

const entry = fileURLToPath(new URL('../../../dist/lease-keeper.cjs', import.meta.url));
const LEASE_MS = 1500;

let folder: string;
let store: Store;
let keeper: LeaseKeeper | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pao-keeper-'));
  store = await openStore({ url: `sqlite:${join(folder, 'a.db')}` });
  await store.migrate(Date.now());
});
afterEach(async () => {
  await keeper?.stop();
  await store.close();
  rmSync(folder, { recursive: true });
});

/** Two runs in one lease, as when the answer to one of two lease calls is lost. */
async function leaseTwo() {
  const now = Date.now();
  const { task } = await seed(store);
  for (let index = 0; index < 2; index++)
    await store.createRun({ taskId: task.id, run: runOf({ runAt: now }), now });
  const leased = await store.lease({ workerId: 'w', now, limit: 2, leaseMs: LEASE_MS, tags: [] });
  return { now, runs: leased.map(({ run }) => run.id) as [string, string] };
}

/** Starts the keeper's thread. @returns what resolves with the size of its next renewal. */
function startKeeper(held: () => string[]) {
  let renewed: (count: number) => void = () => {};
  let failed: (error: Error) => void = () => {};
  keeper = startLeaseKeeper({
    entry,
    databaseUrl: `sqlite:${join(folder, 'a.db')}`,
    workerId: 'w',
    leaseMs: LEASE_MS,
    stuckAfterMs: 60_000,
    clockOffsetMs: 0,
    held,
    onCancel: () => {},
    onRenewed: (count) => renewed(count),
    onError: (message) => failed(new Error(message)),
  });
  return () =>
    new Promise<number>((resolve, reject) => {
      renewed = resolve;
      failed = reject;
    });
}

test('a lease whose answer never came runs out by itself; the one that was taken is kept', async () => {
  const { now, runs } = await leaseTwo();
  const [mine, lost] = runs;
  const nextRenewal = startKeeper(() => [mine]);
  keeper?.hold([mine]);
  expect(await nextRenewal()).toBe(1);
  // At the very instant the first leases end: what was renewed ends later, whenever that was.
  const taken = await store.reclaim({ now: now + LEASE_MS, limit: 10, maxDeaths: 3 });
  expect(taken.requeued).toEqual([lost]);
});

test('what was leased a moment ago is renewed while the main thread is blocked', async () => {
  const { now, runs } = await leaseTwo();
  const [first, last] = runs;
  const nextRenewal = startKeeper(() => [first]);
  keeper?.hold([first]);
  // The thread is up when it has renewed once.
  expect(await nextRenewal()).toBe(1);
  keeper?.hold([last]);
  const until = performance.now() + LEASE_MS;
  while (performance.now() < until);
  const taken = await store.reclaim({ now: now + LEASE_MS, limit: 10, maxDeaths: 3 });
  expect(taken.requeued).toEqual([]);
});

test('a run that ended is not asked for any more', async () => {
  const { runs } = await leaseTwo();
  let held: string[] = [...runs];
  const nextRenewal = startKeeper(() => held);
  keeper?.hold(runs);
  expect(await nextRenewal()).toBe(2);
  held = [runs[0]];
  // The next list may be on its way while the thread renews for the last time what it knew.
  for (;;) if ((await nextRenewal()) === 1) break;
});
