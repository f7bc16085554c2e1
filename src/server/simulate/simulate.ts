import { VirtualClock } from '../../domain/clock.js';
import type { Delivery } from '../../domain/delivery.js';
import { newId } from '../../domain/ids.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import { Redactor } from '../../domain/redact.js';
import type { Run } from '../../domain/run.js';
import type { Task, TaskSpec } from '../../domain/task.js';
import { MemoryBus } from '../bus/memory-bus.js';
import { Scheduler } from '../scheduler/scheduler.js';
import { openStore } from '../store/open.js';
import type { Completion, LeasedRun, Store } from '../store/store.js';
import { silentLogger } from '../telemetry/logger.js';
import { ObservationBuffer } from '../telemetry/observation-buffer.js';
import { RunExecutor } from '../worker/run-executor.js';
import { ToolCatalog } from '../worker/tool-catalog.js';
import { answer, type Outputs, standIns, unanswered } from './simulated-tools.js';

/** A task as it is simulated. */
export interface SimulatedTask {
  /** Its id in reality, where it has one: jitter depends on it. */
  id?: string | undefined;
  /** With a start to count from (`anchored`). */
  spec: TaskSpec;
  /** Occurrences before this instant are left out, epoch milliseconds. */
  snoozedUntil?: number | undefined;
  /** How long a run is taken to last, milliseconds. */
  durationMs: number;
  /** What its tools answer; without an answer for each of them, its runs are taken to succeed. */
  outputs: Outputs;
}

export interface SimulationOptions {
  tasks: readonly SimulatedTask[];
  /** Epoch milliseconds: occurrences from here, inclusive … */
  from: number;
  /** … to here, exclusive. */
  to: number;
  signal?: AbortSignal | undefined;
}

export interface Simulation {
  /** Every row of the ledger, in order of time. */
  runs: Run[];
  /** What was written to people, in order of time; nothing of it was sent. */
  messages: Delivery[];
  /** Tasks whose pipelines were not run, with the tools that nobody said an answer for. */
  assumed: { name: string; tools: string[] }[];
  /** Tasks left out: what they wait for is not in the calendar. */
  leftOut: { name: string; why: string }[];
  /** There was more than a simulation takes; the runs end early. */
  truncated: boolean;
}

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
  const { from, tasks } = options;
  const clock = new VirtualClock(from);
  const store = await openStore({ url: 'sqlite::memory:', durability: 'normal' });
  try {
    await store.migrate(from);
    const world = await populate(store, tasks, from);
    const truncated = await play(store, clock, world, options);
    return { runs: await allRuns(store), messages: await allMessages(store), ...world.notes, truncated };
  } finally {
    await store.close();
  }
}

interface World {
  byTask: Map<string, SimulatedTask>;
  /** Ids of tasks whose pipelines are run. */
  executed: Set<string>;
  notes: Pick<Simulation, 'assumed' | 'leftOut'>;
}

async function populate(store: Store, tasks: readonly SimulatedTask[], from: number): Promise<World> {
  const agent = {
    id: newId('agt', from),
    name: 'simulation',
    title: null,
    scopes: ['admin'],
    budget: null,
    maxTasks: null,
    disabledAt: null,
    createdAt: from,
    updatedAt: from,
  };
  await store.createAgent(agent, null);
  const world: World = { byTask: new Map(), executed: new Set(), notes: { assumed: [], leftOut: [] } };
  for (const one of tasks) {
    const { name, schedule } = one.spec;
    const tools = unanswered(one.spec, one.outputs);
    const why = whyLeftOut(one.spec, tools);
    if (why !== null) {
      world.notes.leftOut.push({ name, why });
      continue;
    }
    const id = one.id ?? newId('tsk', from);
    world.byTask.set(id, one);
    if (tools.length === 0) world.executed.add(id);
    else world.notes.assumed.push({ name, tools });
    const task: Task = {
      id,
      agentId: agent.id,
      name,
      version: 1,
      state: 'active',
      stateReason: null,
      spec: one.spec,
      scopes: ['admin'],
      nextDueAt: isTimed(schedule) ? recurrenceOf(schedule).next(from - 1) : from,
      snoozedUntil: one.snoozedUntil ?? null,
      lastRunAt: null,
      memory: null,
      createdBy: 'simulation',
      createdInRun: null,
      spawnDepth: 0,
      createdAt: from,
      updatedAt: from,
    };
    if (task.nextDueAt === null) task.state = 'done';
    await store.createTask(task);
  }
  return world;
}

function whyLeftOut({ schedule }: TaskSpec, tools: readonly string[]): string | null {
  if (schedule === undefined) return 'it runs only when asked to';
  if (schedule.kind === 'event') return `it runs on events (${schedule.topic})`;
  if (schedule.kind === 'condition' && tools.length > 0)
    return `what it observes is not known: ${tools.join(', ')}`;
  return null;
}

/** @returns whether it was cut off. */
async function play(
  store: Store,
  clock: VirtualClock,
  world: World,
  { to, signal }: SimulationOptions,
): Promise<boolean> {
  const scheduler = new Scheduler({
    store,
    bus: new MemoryBus(),
    clock,
    logger: silentLogger,
    reconcileMs: DAY,
  });
  const specs = [...world.byTask.values()].map(({ spec }) => spec);
  const cancels = specs.some(({ schedule }) => schedule?.overlap === 'cancel_previous');
  const work = workOf(store, clock, world);
  let running: Running[] = [];
  for (let step = 0; step < MAX_STEPS; step += 1) {
    signal?.throwIfAborted();
    const now = clock.now();
    const ended = running.filter(({ endsAt }) => endsAt <= now).map(({ completion }) => completion);
    running = running.filter(({ endsAt }) => endsAt > now);
    if (ended.length > 0) await store.complete(ended, now);
    const dueAt = await store.nextDueAt();
    if (dueAt !== null && dueAt <= now && dueAt < to) {
      await scheduler.runOnce();
      if (cancels && running.length > 0) running = await endCanceled(store, running, now);
    }
    const { begun, nextAt } = await work(now);
    running.push(...begun);
    const nextDue = (await store.nextDueAt()) ?? Infinity;
    const next = Math.min(
      ...[nextDue < to ? nextDue : Infinity, nextAt, ...running.map(({ endsAt }) => endsAt)].filter(
        (at) => at > now,
      ),
    );
    // What began before the end may last beyond it; what waits for longer than a day stays as it is.
    if (next >= to + DAY) return false;
    clock.advance(next - now);
  }
  return true;
}

/** What workers do at an instant: everything that may begin then begins, and what lasts no time ends as well. */
function workOf(store: Store, clock: VirtualClock, { byTask, executed }: World) {
  const specs = [...byTask.values()].map(({ spec }) => spec);
  // One worker that may take everything.
  const tags = [...new Set(specs.flatMap(({ runs_on: wanted }) => wanted ?? []))];
  const execute = executorOf(store, clock, byTask, specs);
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
        const completion = executed.has(one.run.taskId) ? await execute(one) : assumedSuccess(one, now);
        if (completion === null) continue;
        const isFinal = completion.status !== 'queued' && completion.status !== 'waiting';
        // Schedules go by seconds: what is shorter is over at once.
        const lasts = isFinal ? Math.floor((byTask.get(one.run.taskId)?.durationMs ?? 0) / 1000) * 1000 : 0;
        if (lasts === 0) await store.complete([completion], now);
        else begun.push({ completion: { ...completion, finishedAt: now + lasts }, endsAt: now + lasts });
      }
    }
  };
}

function executorOf(
  store: Store,
  clock: VirtualClock,
  byTask: ReadonlyMap<string, SimulatedTask>,
  specs: readonly TaskSpec[],
) {
  const taskOf = new Map<string, SimulatedTask>();
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
    redactor: new Redactor(),
    random: () => 0.5,
    secrets: { resolve: async () => 'simulated' },
    callTool: (tool, input, context) =>
      answer(tool, input, context, taskOf.get(context.runId ?? '')?.outputs ?? {}, clock),
  });
  const prepared = executor.prepare();
  const observations = new ObservationBuffer(() => {});
  // Nothing stops a run on the way: it takes no time until it has ended.
  const { signal } = new AbortController();
  return async (leased: LeasedRun) => {
    await prepared;
    const task = byTask.get(leased.run.taskId);
    if (task !== undefined) taskOf.set(leased.run.id, task);
    try {
      return await executor.execute(leased, signal, observations);
    } finally {
      taskOf.delete(leased.run.id);
    }
  };
}

function assumedSuccess({ run, leaseToken }: LeasedRun, now: number): Completion {
  return {
    runId: run.id,
    leaseToken,
    steps: [],
    status: 'succeeded',
    reason: null,
    error: null,
    output: null,
    finishedAt: now,
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

async function allMessages(store: Store): Promise<Delivery[]> {
  const messages: Delivery[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.listDeliveries({ limit: 1000, cursor });
    messages.push(...page.items);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return messages.reverse();
}

async function allRuns(store: Store): Promise<Run[]> {
  const runs: Run[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.listRuns({ limit: 1000, cursor });
    runs.push(...page.items);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return runs.sort((a, b) => a.scheduledFor - b.scheduledFor || (a.taskName < b.taskName ? -1 : 1));
}
