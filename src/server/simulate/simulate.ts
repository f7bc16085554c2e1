import { VirtualClock } from '../../domain/clock.js';
import { newId } from '../../domain/ids.js';
import { Redactor } from '../../domain/redact.js';
import type { TaskSpec } from '../../domain/task.js';
import { MemoryBus } from '../bus/memory-bus.js';
import { Scheduler } from '../scheduler/scheduler.js';
import { openStore } from '../store/open.js';
import type { Completion, LeasedRun, Store } from '../store/store.js';
import { silentLogger } from '../telemetry/logger.js';
import { ObservationBuffer } from '../telemetry/observation-buffer.js';
import { CHECK_STEP_ID } from '../worker/plan.js';
import { RunExecutor } from '../worker/run-executor.js';
import { ToolCatalog } from '../worker/tool-catalog.js';
import { allMessages, allRuns, openWindows, pausedTasks, togetherOf } from './read-simulation.js';
import { answer, isOutside, standIns, stepOf } from './simulated-tools.js';
import { populate, type World } from './simulated-world.js';
import type { SimulatedTask, Simulation, SimulationOptions } from './simulation.js';
import { payFor, Spending } from './spending.js';

const WORKER = 'simulation';
const DAY = 86_400_000;
/** Longer than any simulation. */
const LEASE_MS = 3660 * DAY;
const MAX_STEPS = 200_000;
const BATCH = 250;

/** A run whose end is known and lies ahead. */
interface Running {
  completion: Completion;
  endsAt: number;
}

/**
 * Runs the real scheduler, leases and executor on a clock of its own over a store in memory, as fast as it goes: what
 * comes due, what is skipped or waits because a run before it lasts, and what the pipelines make of given answers.
 */
export async function simulate(options: SimulationOptions): Promise<Simulation> {
  const clock = new VirtualClock(options.from);
  const store = await openStore({ url: 'sqlite::memory:', durability: 'normal' });
  try {
    await store.migrate(options.from);
    const world = await populate(store, options);
    const spending = new Spending(store, { ...options, clock });
    const truncated = await play({ store, clock, world, spending }, options);
    const runs = await allRuns(store);
    return {
      runs,
      messages: await allMessages(store),
      spent: await spending.ofRuns(runs.map(({ id }) => id)),
      hits: spending.hits,
      budgetDays: await spending.ofDays((id) => world.names.get(id) ?? id),
      paused: await pausedTasks(store, world),
      together: await togetherOf(store, runs),
      openWindows: await openWindows(store, world),
      ...world.notes,
      truncated,
    };
  } finally {
    await store.close();
  }
}

interface Stage {
  store: Store;
  clock: VirtualClock;
  world: World;
  spending: Spending;
}

/** @returns whether it was cut off. */
async function play(
  stage: Stage,
  { to, signal, events: published = [] }: SimulationOptions,
): Promise<boolean> {
  const { store, clock, world } = stage;
  const scheduler = new Scheduler({
    store,
    bus: new MemoryBus(),
    clock,
    logger: silentLogger,
    reconcileMs: DAY,
  });
  const specs = [...world.tasks.values()].map(({ spec }) => spec);
  const cancels = specs.some(({ schedule }) => schedule?.overlap === 'cancel_previous');
  const events = published.filter(({ at }) => at >= clock.now() && at < to).sort((a, b) => a.at - b.at);
  const work = workOf(stage);
  let running: Running[] = [];
  for (let step = 0; step < MAX_STEPS; step += 1) {
    signal?.throwIfAborted();
    const now = clock.now();
    const ended = running.filter(({ endsAt }) => endsAt <= now).map(({ completion }) => completion);
    running = running.filter(({ endsAt }) => endsAt > now);
    if (ended.length > 0) await store.complete(ended, now);
    const begins = events.findIndex(({ at }) => at > now);
    const come = events.splice(0, begins === -1 ? events.length : begins);
    for (const { at, topic, payload } of come)
      await store.publishEvent({
        id: newId('evt', at),
        topic,
        payload,
        dedupeKey: null,
        agentId: WORKER,
        createdAt: at,
      });
    if (come.length > 0 || (now < to && (await nextLook(store)) <= now)) {
      let pass = await scheduler.runOnce();
      // One pass writes so many rows of windows and no more.
      while (
        pass.queued + pass.skipped + pass.missed > 0 &&
        ((await store.nextWindowAt()) ?? Infinity) <= now
      )
        pass = await scheduler.runOnce();
      if (cancels && running.length > 0) running = await endCanceled(store, running, now);
    }
    const { begun, nextAt } = await work(now);
    running.push(...begun);
    const look = await nextLook(store);
    const next = Math.min(
      ...[
        look < to ? look : Infinity,
        events[0]?.at ?? Infinity,
        nextAt,
        ...running.map(({ endsAt }) => endsAt),
      ].filter((at) => at > now),
    );
    // What began before the end may last beyond it; what waits for longer than a day stays as it is.
    if (next >= to + DAY) return false;
    clock.advance(next - now);
  }
  return true;
}

/** When the scheduler has something to do next. */
async function nextLook(store: Store): Promise<number> {
  const [due, window] = await Promise.all([store.nextDueAt(), store.nextWindowAt()]);
  return Math.min(due ?? Infinity, window ?? Infinity);
}

/** What workers do at an instant: everything that may begin then begins, and what lasts no time ends as well. */
function workOf(stage: Stage) {
  const { store, world } = stage;
  const specs = [...world.tasks.values()].map(({ spec }) => spec);
  // One worker that may take everything.
  const tags = [...new Set(specs.flatMap(({ runs_on: wanted }) => wanted ?? []))];
  const execute = executorOf(stage, specs);
  return async (now: number): Promise<{ begun: Running[]; nextAt: number }> => {
    const begun: Running[] = [];
    for (;;) {
      const nextAt = (await store.nextRunAt({ tags })) ?? Infinity;
      const leased =
        nextAt > now
          ? []
          : await store.lease({ workerId: WORKER, now, limit: BATCH, leaseMs: LEASE_MS, tags });
      if (leased.length === 0) return { begun, nextAt };
      for (const one of leased) {
        const completion = await execute(one);
        if (completion === null) continue;
        const isFinal = completion.status !== 'queued' && completion.status !== 'waiting';
        // Schedules go by seconds: what is shorter is over at once.
        const lasts = isFinal
          ? Math.floor((world.tasks.get(one.run.taskId)?.durationMs ?? 0) / 1000) * 1000
          : 0;
        if (lasts === 0) await store.complete([completion], now);
        else begun.push({ completion: { ...completion, finishedAt: now + lasts }, endsAt: now + lasts });
      }
    }
  };
}

function executorOf({ store, clock, world, spending }: Stage, specs: readonly TaskSpec[]) {
  const ofRun = new Map<string, { task: SimulatedTask; isAssumed: boolean }>();
  const catalog = new ToolCatalog({
    store,
    builtin: standIns(specs),
    monotonic: () => clock.monotonic(),
  });
  const executor = new RunExecutor({
    store,
    clock,
    logger: silentLogger,
    catalog,
    budgets: spending.budgets,
    redactor: new Redactor(),
    random: () => 0.5,
    secrets: { resolve: async () => 'simulated' },
    async callTool(tool, input, context) {
      const { task, isAssumed } = ofRun.get(context.runId ?? '') as {
        task: SimulatedTask;
        isAssumed: boolean;
      };
      const step = stepOf(context);
      const request = task.requests?.find((one) => one.step === step);
      if (request !== undefined) await payFor(request, context.budget);
      else if (isOutside(tool)) await context.budget?.count(tool.address);
      if (isAssumed && step !== CHECK_STEP_ID) return { output: null, durationMs: 0 };
      return answer(tool, input, context, task.outputs, clock);
    },
  });
  const prepared = executor.prepare();
  const observations = new ObservationBuffer(() => {});
  // Nothing stops a run on the way: it takes no time until it has ended.
  const { signal } = new AbortController();
  return async (leased: LeasedRun) => {
    await prepared;
    const { id, taskId } = leased.run;
    const task = world.tasks.get(taskId) as SimulatedTask;
    ofRun.set(id, { task, isAssumed: world.assumed.has(taskId) });
    try {
      return await executor.execute(leased, signal, observations);
    } finally {
      ofRun.delete(id);
    }
  };
}

/** Ends what a newer occurrence canceled, as a worker does that is told so. @returns what goes on. */
async function endCanceled(store: Store, running: Running[], now: number): Promise<Running[]> {
  const { cancelRequested } = await store.renewLeases({ workerId: WORKER, now, leaseMs: LEASE_MS });
  const canceled = running.filter(({ completion }) => cancelRequested.includes(completion.runId));
  if (canceled.length === 0) return running;
  const ends = canceled.map(
    ({ completion }): Completion => ({
      ...completion,
      status: 'canceled',
      reason: 'canceled',
      error: null,
      output: null,
      finishedAt: now,
    }),
  );
  await store.complete(ends, now);
  return running.filter((one) => !canceled.includes(one));
}
