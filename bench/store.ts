import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '../src/domain/ids.js';
import type { TaskSpec } from '../src/domain/task.js';
import { openStore } from '../src/server/store/open.js';
import type { DueDecision, DueTask, Store } from '../src/server/store/store.js';

/*
 * What the Store alone can do on this machine and disk: `npx tsx bench/store.ts [--runs N] [--directory DIR]`.
 * Raw cycle: occurrence and due work written, leased, step and result recorded, due work deleted, durable on power loss.
 * Prints one JSON document.
 */

const START = Date.UTC(2026, 0, 5, 8);
const EVERY_MS = 60_000;

const spec: TaskSpec = {
  name: 'bench',
  priority: 5,
  timeout: '5m',
  params: {},
  schedule: {
    kind: 'cron',
    expr: '* * * * *',
    timezone: 'UTC',
    overlap: 'skip',
    queue_limit: 1,
    catchup: { policy: 'latest', max: 10, window: '24h' },
  },
  pipeline: [{ id: 'echo', uses: 'debug.echo', with: { text: 'hello' } }] as unknown as TaskSpec['pipeline'],
};

function decide({ task }: DueTask): DueDecision {
  const at = task.nextDueAt as number;
  return {
    runs: [
      {
        id: newId('run', at),
        status: 'queued',
        reason: null,
        trigger: 'schedule',
        scheduledFor: at,
        runAt: at,
        params: {},
        eventId: null,
        parentRunId: null,
        dedupeKey: null,
        traceId: null,
        serial: true,
      },
    ],
    nextDueAt: at + EVERY_MS,
  };
}

async function seed(store: Store, tasks: number, dueFrom: number): Promise<void> {
  const agentId = newId('agt', START);
  await store.createAgent(
    {
      id: agentId,
      name: `bench-${agentId}`,
      title: null,
      scopes: ['tool:*'],
      budget: null,
      maxTasks: null,
      disabledAt: null,
      createdAt: START,
      updatedAt: START,
    },
    null,
  );
  const pending: Promise<unknown>[] = [];
  for (let index = 0; index < tasks; index++) {
    const name = `task-${index}`;
    pending.push(
      store.createTask({
        id: newId('tsk', START),
        agentId,
        name,
        version: 1,
        state: 'active',
        stateReason: null,
        spec: { ...spec, name },
        scopes: ['tool:*'],
        nextDueAt: dueFrom,
        snoozedUntil: null,
        lastRunAt: null,
        memory: null,
        createdBy: 'bench',
        createdInRun: null,
        spawnDepth: 0,
        createdAt: START,
        updatedAt: START,
      }),
    );
    if (pending.length === 1000) await Promise.all(pending.splice(0));
  }
  await Promise.all(pending);
}

async function inNewStore<T>(directory: string, job: (store: Store, path: string) => Promise<T>): Promise<T> {
  const home = mkdtempSync(join(directory, 'pao-bench-'));
  const path = join(home, 'orchestrator.db');
  const store = await openStore({ url: `sqlite:${path}` });
  try {
    await store.migrate(START);
    return await job(store, path);
  } finally {
    await store.close();
    rmSync(home, { recursive: true });
  }
}

/** Each task runs once a minute; each pass of the cycle moves the clock by a minute. */
async function rawCycle(directory: string, batch: number, runs: number) {
  return inNewStore(directory, async (store) => {
    await seed(store, batch, START);
    const spent = { scheduleMs: 0, leaseMs: 0, completeMs: 0 };
    let done = 0;
    let now = START;
    const cpu = process.cpuUsage();
    const began = performance.now();
    while (done < runs) {
      let mark = performance.now();
      const lap = () => -mark + (mark = performance.now());
      await store.scheduleDue({ now, limit: batch, decide });
      spent.scheduleMs += lap();
      const leased = await store.lease({ workerId: 'bench', now, limit: batch, leaseMs: 15_000, tags: [] });
      spent.leaseMs += lap();
      const finishedAt = now + 1;
      const { fenced } = await store.complete(
        leased.map(({ run, leaseToken }) => ({
          runId: run.id,
          leaseToken,
          status: 'succeeded' as const,
          reason: null,
          error: null,
          output: { text: 'hello' },
          finishedAt,
          steps: [
            {
              stepId: 'echo',
              position: 0,
              tool: 'debug.echo',
              status: 'succeeded' as const,
              reason: null,
              attempts: 1,
              startedAt: now,
              finishedAt,
              input: { text: 'hello' },
              output: { text: 'hello' },
              error: null,
              idempotencyKey: null,
              usage: null,
            },
          ],
        })),
        finishedAt,
      );
      spent.completeMs += lap();
      if (leased.length !== batch || fenced.length > 0)
        throw new Error(`leased ${leased.length}, fenced ${fenced.length}`);
      done += leased.length;
      now += EVERY_MS;
    }
    const elapsedMs = performance.now() - began;
    const used = process.cpuUsage(cpu);
    const { sizeBytes } = await store.ping();
    return {
      batch,
      runs: done,
      runs_per_second: Math.round((done * 1000) / elapsedMs),
      cpu_us_per_run: Math.round((used.user + used.system) / done),
      bytes_per_run: Math.round(sizeBytes / done),
      us_per_run: {
        schedule: Math.round((spent.scheduleMs * 1000) / done),
        lease: Math.round((spent.leaseMs * 1000) / done),
        complete: Math.round((spent.completeMs * 1000) / done),
      },
    };
  });
}

/** A pass with 100 tasks due among many that are not. */
async function schedulerPass(directory: string, tasks: number) {
  return inNewStore(directory, async (store) => {
    await seed(store, tasks, START + 365 * 86_400_000);
    await seed(store, 100, START);
    globalThis.gc?.();
    const before = process.memoryUsage();
    const passes: number[] = [];
    const idle: number[] = [];
    for (let pass = 0; pass < 50; pass++) {
      const now = START + pass * EVERY_MS;
      let mark = performance.now();
      const { tasks: due } = await store.scheduleDue({ now, limit: 500, decide });
      passes.push(performance.now() - mark);
      if (due !== 100) throw new Error(`${due} tasks were due`);
      mark = performance.now();
      await store.scheduleDue({ now, limit: 500, decide });
      idle.push(performance.now() - mark);
    }
    globalThis.gc?.();
    const after = process.memoryUsage();
    return {
      tasks,
      due: 100,
      pass_ms: quantiles(passes),
      idle_pass_ms: quantiles(idle),
      heap_mb: round(after.heapUsed / 1e6),
      heap_growth_mb: round((after.heapUsed - before.heapUsed) / 1e6),
      rss_mb: round(after.rss / 1e6),
    };
  });
}

/** One run at a time on an idle store: what a person waits for. */
async function singleRunLatency(directory: string) {
  return inNewStore(directory, async (store) => {
    await seed(store, 1, START + 365 * 86_400_000);
    const task = (await store.listTasks({ limit: 1 })).items[0];
    const created: number[] = [];
    const leased: number[] = [];
    for (let index = 0; index < 200; index++) {
      const now = START + index;
      let mark = performance.now();
      await store.createRun({
        taskId: task?.id as string,
        now,
        run: {
          id: newId('run', now),
          status: 'queued',
          reason: null,
          trigger: 'manual',
          scheduledFor: now,
          runAt: now,
          params: {},
          eventId: null,
          parentRunId: null,
          dedupeKey: null,
          traceId: null,
          serial: false,
        },
      });
      created.push(performance.now() - mark);
      mark = performance.now();
      await store.lease({ workerId: 'bench', now, limit: 10, leaseMs: 15_000, tags: [] });
      leased.push(performance.now() - mark);
    }
    return { create_run_ms: quantiles(created), lease_ms: quantiles(leased) };
  });
}

function quantiles(values: number[]): { p50: number; p99: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number);
  return { p50: at(0.5), p99: at(0.99) };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function option(name: string, fallback: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? fallback : (process.argv[at + 1] ?? fallback);
}

const directory = option('directory', tmpdir());
const runs = Number(option('runs', '40000'));
const loadBefore = loadavg()[0];
const cycles = [];
for (const batch of option('batches', '1,10,100,200,500').split(',').map(Number)) {
  cycles.push(await rawCycle(directory, batch, Math.max(batch, Math.min(runs, batch * 400))));
}
const scheduler = [];
for (const tasks of option('tasks', '1000,100000').split(',').map(Number)) {
  scheduler.push(await schedulerPass(directory, tasks));
}
const report = {
  bench: 'store',
  node: process.version,
  machine: { cpus: cpus().length, load_before: loadBefore, load_after: loadavg()[0] },
  directory,
  durability: 'full',
  raw_cycle: cycles,
  scheduler_pass: scheduler,
  single_run: await singleRunLatency(directory),
};
process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
