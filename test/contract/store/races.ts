import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { verifyAudit } from '../../../src/domain/audit-chain.js';
import { MemoryBus } from '../../../src/server/bus/memory-bus.js';
import { decideApproval } from '../../../src/server/deliver/questions/decide.js';
import {
  leavePollLeases,
  POLL_LEASE_MS,
  takePollLease,
} from '../../../src/server/deliver/questions/poll-lease.js';
import { CRON, endOf, leaseAs, runOf, seed, T0 } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

interface Process {
  child: ChildProcess;
  /** What it has said so far. */
  lines: Record<string, never>[];
  go(): void;
  ended: Promise<void>;
}

/** Starts a process of test/contract/store-process.ts and waits until it has the database open. */
async function start(role: string, url: string, options: object, onLine?: () => void): Promise<Process> {
  const args = ['--import', 'tsx', '--import', path('../sql-loader.mjs'), path('../store-process.ts')];
  const child = spawn(process.execPath, [...args, role, url, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines: Record<string, never>[] = [];
  const reader = createInterface({ input: child.stdout });
  const closed = once(reader, 'close');
  const exited = once(child, 'exit');
  await once(reader, 'line');
  reader.on('line', (line) => {
    // The last line of a process that is killed may be cut short.
    if (line.endsWith('}')) lines.push(JSON.parse(line) as Record<string, never>);
    onLine?.();
  });
  return {
    child,
    lines,
    go: () => void child.stdin.write('go\n'),
    ended: Promise.all([closed, exited]).then(() => {}),
  };
}

export function exerciseRaces(subject: Subject): void {
  describe('several at once', () => {
    test('two stores that lease at once never get the same run', async () => {
      const { store, reopen } = subject();
      const other = await reopen();
      const { task } = await seed(store);
      await Promise.all(
        Array.from({ length: 60 }, () => store.createRun({ taskId: task.id, run: runOf(), now: T0 })),
      );
      const batches = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          leaseAs(n % 2 ? store : other, { workerId: n % 2 ? 'w1' : 'w2', limit: 5 }),
        ),
      );
      const ids = batches.flat().map(({ run }) => run.id);
      expect(ids).toHaveLength(60);
      expect(new Set(ids).size).toBe(60);
    });

    test('a late write through another store is fenced', async () => {
      const { store, reopen } = subject();
      const other = await reopen();
      const { task } = await seed(store);
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [slow] = await leaseAs(store);
      await other.reclaim({ now: T0 + 15_000, limit: 10, maxDeaths: 3 });
      const [quick] = await leaseAs(other, { workerId: 'w2', now: T0 + 15_000 });
      const outcomes = await Promise.all([
        store.complete([endOf(slow!)], T0),
        other.complete([endOf(quick!)], T0),
      ]);
      expect(outcomes).toEqual([{ fenced: [slow!.run.id] }, { fenced: [] }]);
    });

    test('of several that would ask Telegram for one bot, one may, until it lets go or is silent', async () => {
      const { store, reopen } = subject();
      const other = await reopen();
      const take = (owner: number, now: number) =>
        takePollLease(owner % 2 ? store : other, 'bot', `w${owner}`, now);
      const owners = Array.from({ length: 10 }, (_, n) => n);
      const first = await Promise.all(owners.map((owner) => take(owner, T0)));
      expect(first.filter(Boolean)).toHaveLength(1);
      const holder = first.indexOf(true);
      expect(await take(holder, T0 + 10_000)).toBe(true);
      expect(await take(holder + 1, T0 + POLL_LEASE_MS)).toBe(false);
      // It was silent for too long: one of the others has it, and it sees that.
      const late = T0 + 10_000 + POLL_LEASE_MS;
      const next = await Promise.all(owners.map((owner) => (owner === holder ? false : take(owner, late))));
      expect(next.filter(Boolean)).toHaveLength(1);
      expect(await take(holder, late)).toBe(false);
      expect(await leavePollLeases(store, `w${holder}`)).toBe(0);
      expect(await leavePollLeases(other, `w${next.indexOf(true)}`)).toBe(1);
      expect(await take(holder, late)).toBe(true);
    });

    test('of several taps, one decides, whichever store hears it', async () => {
      const { store, reopen } = subject();
      const other = await reopen();
      const { task } = await seed(store);
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      const [leased] = await leaseAs(store);
      const approval = {
        id: 'apr_tap',
        stepId: 'ask',
        message: 'Yes?',
        data: null,
        onTimeout: 'deny' as const,
        requestedAt: T0,
        expiresAt: T0 + 60_000,
      };
      await store.complete(
        [
          endOf(leased!, {
            status: 'waiting',
            reason: 'approval',
            runAt: T0 + 60_000,
            approvals: [approval],
          }),
        ],
        T0,
      );
      const bus = new MemoryBus();
      const taps = Array.from({ length: 10 }, (_, n) =>
        decideApproval(
          { store: n % 2 ? store : other, bus, now: T0 + n },
          { ...approval, runId: leased!.run.id },
          {
            decision: n % 3 === 0 ? 'approve' : 'deny',
            by: `telegram:${n}`,
          },
        ),
      );
      const decided = (await Promise.all(taps)).filter((result) => result?.decided === true);
      expect(decided).toHaveLength(1);
      const { items } = await store.listAudit({ limit: 20 });
      expect(items.map(({ actor }) => actor)).toEqual([decided[0]?.approval.decidedBy]);
    });

    test('several processes work off a queue: each run once, with its step', async () => {
      const { store, url } = subject();
      const { task } = await seed(store);
      const made = await Promise.all(
        Array.from({ length: 300 }, () => store.createRun({ taskId: task.id, run: runOf(), now: T0 })),
      );
      const workers = await Promise.all(['w1', 'w2', 'w3'].map((id) => start('work', url as string, { id })));
      for (const worker of workers) worker.go();
      await Promise.all(workers.map(({ ended }) => ended));
      const lines = workers.flatMap((worker) => worker.lines) as unknown as {
        done: string[];
        fenced: string[];
      }[];
      const done = lines.flatMap((line) => line.done);
      expect(done.sort()).toEqual(made.map(({ id }) => id).sort());
      expect(lines.flatMap(({ fenced }) => fenced)).toEqual([]);
      expect((await store.listRuns({ limit: 1000, statuses: ['succeeded'] })).items).toHaveLength(300);
      expect(await store.listSteps(done[150] as string)).toHaveLength(1);
      expect(await store.stats(T0)).toMatchObject({ due: 0, leased: 0 });
    });

    test('several processes that create tasks never make more than the agent may have', async () => {
      const { store, url } = subject();
      const { agent } = await seed(store);
      const creators = await Promise.all(
        [1, 2, 3].map(() => start('create', url as string, { id: agent.id, most: 13 })),
      );
      for (const creator of creators) creator.go();
      await Promise.all(creators.map(({ ended }) => ended));
      const lines = creators.flatMap((one) => one.lines) as unknown as { made: number }[];
      expect(lines).toHaveLength(3);
      expect(lines.reduce((sum, { made }) => sum + made, 0)).toBe(12);
      expect(await store.countTasks(agent.id)).toBe(13);
    });

    test('several schedulers write each occurrence exactly once', async () => {
      const { store, url } = subject();
      const tasks = [];
      for (let index = 0; index < 20; index++) {
        tasks.push((await seed(store, { schedule: CRON }, { nextDueAt: T0 + index * 1000 })).task);
      }
      const until = T0 + 9 * 60_000 + 30_000;
      const schedulers = await Promise.all([1, 2, 3].map(() => start('schedule', url as string, { until })));
      for (const scheduler of schedulers) scheduler.go();
      await Promise.all(schedulers.map(({ ended }) => ended));
      const lines = schedulers.flatMap((one) => one.lines) as unknown as {
        queued: number;
        duplicates: number;
      }[];
      expect(lines.reduce((sum, line) => sum + line.duplicates, 0)).toBe(0);
      for (const task of tasks) {
        const { items } = await store.listRuns({ taskId: task.id, limit: 100 });
        const instants = items.map(({ scheduledFor }) => scheduledFor).reverse();
        expect(instants).toEqual(
          Array.from({ length: 10 }, (_, n) => (task.nextDueAt as number) + n * 60_000),
        );
      }
    });

    test('what was acknowledged before kill -9 is there afterwards', async () => {
      const { store, url, reopen } = subject();
      const { task } = await seed(store);
      let heard = 0;
      const writer = await start('write', url as string, { taskId: task.id }, () => {
        heard += 1;
        if (heard === 400) writer.child.kill('SIGKILL');
      });
      writer.go();
      await writer.ended;
      const after = await reopen();
      const acknowledged = writer.lines as unknown as {
        run?: string;
        event?: string;
        step?: string;
        end?: string;
      }[];
      expect(acknowledged.length).toBeGreaterThanOrEqual(400);
      for (const { run, event, step, end } of acknowledged) {
        if (run !== undefined) expect(await after.getRun(run)).not.toBeNull();
        if (event !== undefined) expect(await after.getEvent(event)).not.toBeNull();
        if (step !== undefined) expect(await after.listSteps(step)).toHaveLength(1);
        if (end !== undefined) expect((await after.getRun(end))?.status).toBe('succeeded');
      }
      // Nothing half done: what it had leased is there to be taken back.
      const { leased } = await after.stats(T0);
      const { requeued } = await after.reclaim({ now: T0, workerId: 'w', limit: 100, maxDeaths: 3 });
      expect(requeued).toHaveLength(leased);
      expect((await verifyAudit(after)).ok).toBe(true);
    });
  });
}
