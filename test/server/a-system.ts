import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Agent } from '../../src/domain/agent.js';
import { VirtualClock } from '../../src/domain/clock.js';
import type { Delivery } from '../../src/domain/delivery.js';
import { newId } from '../../src/domain/ids.js';
import { silentObserver } from '../../src/domain/observability/observer.js';
import { Redactor } from '../../src/domain/redact.js';
import type { Run, RunStatus, StepRun } from '../../src/domain/run.js';
import { type Task, type TaskInput, taskSpecSchema } from '../../src/domain/task.js';
import { type Tool, type ToolInput, toolSchema } from '../../src/domain/tool.js';
import { firstDue } from '../../src/server/api/task-service.js';
import type { Budgets } from '../../src/server/budget/budgets.js';
import { MemoryBus } from '../../src/server/bus/memory-bus.js';
import { configSchema } from '../../src/server/config.js';
import type { Deliverer } from '../../src/server/deliver/deliverer.js';
import { startDelivering } from '../../src/server/deliver/start-delivering.js';
import { Scheduler } from '../../src/server/scheduler/scheduler.js';
import { openStore } from '../../src/server/store/open.js';
import type { NewRun, Store } from '../../src/server/store/store.js';
import { type Logger, silentLogger } from '../../src/server/telemetry/logger.js';
import type { ToolCallContext, ToolResult } from '../../src/server/tools/caller.js';
import { RunExecutor } from '../../src/server/worker/run-executor.js';
import type { TaskPings } from '../../src/server/worker/task-pings.js';
import { ToolCatalog } from '../../src/server/worker/tool-catalog.js';
import { Worker } from '../../src/server/worker/worker.js';

/** Errors of the services are errors of the test: they are shown. */
const errorLogger: Logger = {
  ...silentLogger,
  error: (fields, message) => console.error(message, fields),
  child: () => errorLogger,
};

/** Real scheduler, worker and SQLite in one process, on a clock that a test moves. */
export interface TestSystem {
  /** What the services use. */
  store: Store;
  /** The same without the faults of `wrapStore`. */
  reliableStore: Store;
  bus: MemoryBus;
  clock: VirtualClock;
  scheduler: Scheduler;
  agent: Agent;
  /** Starts a worker; several may run. */
  startWorker(options?: Partial<{ leaseMs: number; concurrency: number; pings: TaskPings }>): Worker;
  addTool(tool: ToolInput): Promise<Tool>;
  addTask(input: TaskInput, changes?: Partial<Task>): Promise<Task>;
  runNow(task: Task, changes?: Partial<NewRun>): Promise<Run>;
  /** Waits until the run has one of the statuses. */
  until(runId: string, ...statuses: RunStatus[]): Promise<Run>;
  /** Waits until the messages of a run are sent, put off or given up; time jumps to each attempt that waits for its turn. */
  messages(runId: string): Promise<Delivery[]>;
  steps(runId: string): Promise<Record<string, StepRun>>;
  runs(task: Task): Promise<Run[]>;
  close(): Promise<void>;
}

export async function startTestSystem(options: {
  start?: string;
  callTool: (tool: Tool, input: unknown, context: ToolCallContext) => Promise<ToolResult>;
  builtin?: Tool[];
  secrets?: Record<string, string>;
  /** An empty store that is open before and after; a SQLite file of its own when left out. */
  openStore?: Store;
  /** Private addresses that webhooks may reach. */
  grants?: string[];
  /** Told of each question before it is sent. */
  expectAnswer?: (delivery: Delivery) => Promise<void>;
  /** Puts faults between the services and the store. */
  wrapStore?: (store: Store) => Store;
  /** Decides what may be paid for. */
  budgets?: (store: Store, clock: VirtualClock) => Budgets;
  /** Errors of the services are expected. */
  quiet?: boolean;
}): Promise<TestSystem> {
  const logger = options.quiet === true ? silentLogger : errorLogger;
  const folder = mkdtempSync(join(tmpdir(), 'pao-test-'));
  const clock = new VirtualClock(options.start ?? '2026-11-24T06:00:00Z');
  const own = join(folder, 'test.db');
  const reliableStore =
    options.openStore ?? (await openStore({ url: `sqlite:${own}`, durability: 'normal' }));
  await reliableStore.migrate(clock.now());
  const bus = new MemoryBus();
  const now = clock.now();
  const agent: Agent = {
    id: newId('agt', now),
    name: 'tester',
    title: null,
    scopes: ['admin'],
    budget: null,
    maxTasks: null,
    disabledAt: null,
    createdAt: now,
    updatedAt: now,
  };
  await reliableStore.createAgent(agent, null);
  const store = options.wrapStore?.(reliableStore) ?? reliableStore;
  const scheduler = new Scheduler({ store, bus, clock, logger });
  const budgets = options.budgets?.(store, clock);
  const workers: Worker[] = [];
  const deliverers: Deliverer[] = [];
  const redactor = new Redactor();
  const secrets = {
    async resolve(name: string) {
      const value = options.secrets?.[name] ?? '';
      redactor.register(value);
      return value;
    },
  };
  const system: TestSystem = {
    store,
    reliableStore,
    bus,
    clock,
    scheduler,
    agent,
    startWorker(settings = {}) {
      const monotonic = () => performance.now();
      const catalog = new ToolCatalog({ store, builtin: options.builtin ?? [], monotonic, maxAgeMs: 0 });
      const executor = new RunExecutor({
        ...(budgets === undefined ? {} : { budgets }),
        store,
        clock: { now: () => clock.now(), monotonic },
        logger,
        catalog,
        redactor,
        random: () => 0.5,
        callTool: options.callTool,
        onMessage: () => bus.publish('delivery', { count: 1 }),
        secrets,
      });
      const worker = new Worker({
        store,
        bus,
        clock: { now: () => clock.now(), monotonic },
        logger,
        executor,
        workerId: newId('wrk', clock.now()),
        concurrency: settings.concurrency ?? 4,
        leaseMs: settings.leaseMs ?? 15_000,
        tags: [],
        pollMs: 50,
        ...(settings.pings === undefined ? {} : { pings: settings.pings }),
      });
      workers.push(worker);
      worker.start();
      deliverers.push(
        startDelivering({
          store,
          bus,
          clock: { now: () => clock.now(), monotonic },
          logger,
          observer: silentObserver,
          owner: newId('wrk', clock.now()),
          config: configSchema.parse({ notify: { grants: options.grants ?? [] } }),
          secrets,
          expectAnswer: options.expectAnswer,
          pollMs: 20,
          async findTool(address) {
            await catalog.refresh();
            return catalog.find(address) ?? catalog.findNew(address);
          },
          callTool: options.callTool,
        }),
      );
      return worker;
    },
    async addTool(input) {
      const tool = toolSchema.parse(input);
      await store.putTool({ tool, createdBy: 'test', createdAt: clock.now(), updatedAt: clock.now() });
      return tool;
    },
    async addTask(input, changes = {}) {
      const spec = taskSpecSchema.parse(input);
      const at = clock.now();
      const task: Task = {
        id: newId('tsk', at),
        agentId: agent.id,
        name: spec.name,
        version: 1,
        state: 'active',
        stateReason: null,
        spec,
        scopes: ['admin'],
        nextDueAt: firstDue(spec, at),
        snoozedUntil: null,
        lastRunAt: null,
        memory: null,
        createdBy: `agent:${agent.id}`,
        createdInRun: null,
        spawnDepth: 0,
        createdAt: at,
        updatedAt: at,
        ...changes,
      };
      await store.createTask(task);
      return task;
    },
    async runNow(task, changes = {}) {
      const at = clock.now();
      const run = await store.createRun({
        taskId: task.id,
        now: at,
        run: {
          id: newId('run', at),
          status: 'queued',
          reason: null,
          trigger: 'manual',
          scheduledFor: at,
          runAt: at,
          params: {},
          eventId: null,
          parentRunId: null,
          dedupeKey: task.spec.dedupe?.key ?? null,
          traceId: null,
          serial: false,
          ...changes,
        },
      });
      bus.publish('work', { count: 1 });
      return run;
    },
    async until(runId, ...statuses) {
      const deadline = performance.now() + 20_000;
      for (;;) {
        const run = await store.getRun(runId);
        if (run !== null && statuses.includes(run.status)) return run;
        if (performance.now() > deadline)
          throw new Error(`run ${runId} is ${run?.status} (${run?.reason}), not ${statuses.join(' or ')}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async messages(runId) {
      const deadline = performance.now() + 20_000;
      for (;;) {
        const { items } = await store.listDeliveries({ runIds: [runId], limit: 100 });
        const open = items.filter(({ status }) => status === 'pending' || status === 'sending');
        if (open.length === 0) return items.reverse();
        const next = Math.min(...open.map(({ dueAt }) => dueAt ?? 0));
        if (next > clock.now()) clock.set(next);
        bus.publish('delivery', { count: 1 });
        if (performance.now() > deadline) throw new Error(`messages stay: ${JSON.stringify(open)}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async steps(runId) {
      return Object.fromEntries((await store.listSteps(runId)).map((step) => [step.stepId, step]));
    },
    async runs(task) {
      const page = await store.listRuns({ taskId: task.id, limit: 1000 });
      return page.items.sort((a, b) => a.scheduledFor - b.scheduledFor || (a.id < b.id ? -1 : 1));
    },
    async close() {
      await Promise.all([...workers, ...deliverers].map((one) => one.stop(0)));
      await scheduler.stop();
      if (options.openStore === undefined) await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return system;
}
