import { VirtualClock } from '../../domain/clock.js';
import { newId } from '../../domain/ids.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import { type TaskInput, taskSpecSchema } from '../../domain/task.js';
import { MemoryBus } from '../../server/bus/memory-bus.js';
import type { SchedulerContract } from '../../server/scheduler/contract.js';
import { Scheduler } from '../../server/scheduler/scheduler.js';
import { openStore } from '../../server/store/open.js';
import { silentLogger } from '../../server/telemetry/logger.js';

/** One row of the ledger, as the checks compare it. */
export interface LedgerRow {
  /** `2026-11-24T05:00Z`. */
  at: string;
  status: string;
  reason: string | null;
  trigger: string;
}

/** The real scheduler with one task, in memory, on a clock that stands still until it is moved. */
export interface Simulation {
  scheduler: SchedulerContract;
  /** Moves the clock to an instant and lets the scheduler look once. */
  passAt(instant: string): Promise<void>;
  /** Takes the run that is due first, as a worker does, and keeps it running. */
  lease(): Promise<void>;
  /** The ledger of the task, the earliest first. */
  rows(): Promise<LedgerRow[]>;
  /** Runs that were asked to cancel. */
  canceling(): string[];
  close(): Promise<void>;
}

/** Starts one. @param options.start the instant at which the task is handed in. */
export async function startSimulation(options: { task: TaskInput; start: string }): Promise<Simulation> {
  const clock = new VirtualClock(options.start);
  const store = await openStore({ url: 'sqlite::memory:', durability: 'normal' });
  const now = clock.now();
  await store.migrate(now);
  const spec = taskSpecSchema.parse(options.task);
  const agentId = newId('agt', now);
  await store.createAgent(
    {
      id: agentId,
      name: 'checker',
      title: null,
      scopes: ['admin'],
      budget: null,
      maxTasks: null,
      disabledAt: null,
      createdAt: now,
      updatedAt: now,
    },
    null,
  );
  const taskId = newId('tsk', now);
  await store.createTask({
    id: taskId,
    agentId,
    name: spec.name,
    version: 1,
    state: 'active',
    stateReason: null,
    spec,
    scopes: ['admin'],
    nextDueAt: isTimed(spec.schedule) ? recurrenceOf(spec.schedule).next(now) : null,
    snoozedUntil: null,
    lastRunAt: null,
    memory: null,
    createdBy: 'system',
    createdInRun: null,
    spawnDepth: 0,
    createdAt: now,
    updatedAt: now,
  });
  const bus = new MemoryBus();
  const canceling: string[] = [];
  bus.subscribe('cancel', ({ runIds }) => void canceling.push(...runIds));
  const scheduler = new Scheduler({ store, bus, clock, logger: silentLogger });
  return {
    scheduler,
    async passAt(instant) {
      clock.advance(Date.parse(instant) - clock.now());
      await scheduler.runOnce();
    },
    async lease() {
      await store.lease({ workerId: 'checker', now: clock.now(), limit: 1, leaseMs: 86_400_000, tags: [] });
    },
    async rows() {
      const { items } = await store.listRuns({ taskId, limit: 200 });
      return items
        .map(({ scheduledFor, status, reason, trigger }) => ({
          at: new Date(scheduledFor).toISOString().replace(/:00\.000Z$/, 'Z'),
          status,
          reason,
          trigger,
        }))
        .sort((a, b) => (a.at < b.at ? -1 : 1));
    },
    canceling: () => canceling,
    close: () => store.close(),
  };
}
