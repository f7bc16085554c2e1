import type { Agent } from '../../src/domain/agent.js';
import { newId } from '../../src/domain/ids.js';
import type { TimedSchedule } from '../../src/domain/schedule.js';
import type { Task, TaskSpec } from '../../src/domain/task.js';
import type {
  Completion,
  DueDecision,
  DueTask,
  LeasedRun,
  NewRun,
  StepWrite,
  Store,
} from '../../src/server/store/store.js';

/** When the tests take place: 2026-01-05T08:00:00Z. */
export const T0 = Date.UTC(2026, 0, 5, 8);

export function agentOf(name: string, overrides: Partial<Agent> = {}): Agent {
  return {
    id: newId('agt', T0),
    name,
    title: null,
    scopes: ['tasks:read', 'tool:*'],
    budget: null,
    maxTasks: null,
    disabledAt: null,
    createdAt: T0,
    updatedAt: T0,
    ...overrides,
  };
}

/** A spec as it is once read: the store takes it as it is, it does not check it again. */
export function specOf(input: Partial<TaskSpec> = {}): TaskSpec {
  return {
    name: 'a-task',
    priority: 5,
    timeout: '5m',
    params: {},
    pipeline: [{ id: 'one', uses: 'debug.echo', with: {} }] as unknown as TaskSpec['pipeline'],
    ...input,
  };
}

export function taskOf(agent: Agent, input: Partial<TaskSpec> = {}, overrides: Partial<Task> = {}): Task {
  const spec = specOf(input);
  return {
    id: newId('tsk', T0),
    agentId: agent.id,
    name: spec.name,
    version: 1,
    state: 'active',
    stateReason: null,
    spec,
    scopes: ['tool:*'],
    nextDueAt: null,
    snoozedUntil: null,
    lastRunAt: null,
    memory: null,
    createdBy: `agent:${agent.id}`,
    createdInRun: null,
    spawnDepth: 0,
    createdAt: T0,
    updatedAt: T0,
    ...overrides,
  };
}

export function runOf(overrides: Partial<NewRun> = {}): NewRun {
  return {
    id: newId('run', T0),
    status: 'queued',
    reason: null,
    trigger: 'manual',
    scheduledFor: T0,
    runAt: T0,
    params: {},
    eventId: null,
    parentRunId: null,
    dedupeKey: null,
    traceId: null,
    serial: false,
    ...overrides,
  };
}

export function stepOf(overrides: Partial<StepWrite> = {}): StepWrite {
  return {
    stepId: 'one',
    position: 0,
    tool: 'debug.echo',
    status: 'succeeded',
    reason: null,
    attempts: 1,
    startedAt: T0,
    finishedAt: T0 + 5,
    input: { text: 'hello' },
    output: { text: 'hello' },
    error: null,
    idempotencyKey: null,
    usage: null,
    ...overrides,
  };
}

/** The end of a leased run, well unless said otherwise. */
export function endOf(leased: LeasedRun, overrides: Partial<Completion> = {}): Completion {
  return {
    runId: leased.run.id,
    leaseToken: leased.leaseToken,
    steps: [],
    status: 'succeeded',
    reason: null,
    error: null,
    output: null,
    finishedAt: T0 + 10,
    ...overrides,
  };
}

/** Decides one queued run at the due time and the next due time `everyMs` later. */
export function everyRun(everyMs: number, overrides: Partial<NewRun> = {}): (due: DueTask) => DueDecision {
  return ({ task }) => {
    const at = task.nextDueAt as number;
    return {
      runs: [runOf({ trigger: 'schedule', scheduledFor: at, runAt: at, ...overrides, id: newId('run', at) })],
      nextDueAt: at + everyMs,
    };
  };
}

export const CRON: TimedSchedule = {
  kind: 'cron',
  expr: '* * * * *',
  timezone: 'UTC',
  overlap: 'skip',
  queue_limit: 1,
  catchup: { policy: 'latest', max: 10, window: '24h' },
};

/** An agent with a task that is in the store. */
export async function seed(
  store: Store,
  input: Partial<TaskSpec> = {},
  overrides: Partial<Task> = {},
): Promise<{ agent: Agent; task: Task }> {
  const agent = agentOf(`agent-${newId('agt', T0).slice(-8)}`);
  await store.createAgent(agent, null);
  const task = taskOf(agent, input, overrides);
  await store.createTask(task);
  return { agent, task };
}

/** Leases as the worker `w1` with enough time. */
export function leaseAs(
  store: Store,
  overrides: Partial<Parameters<Store['lease']>[0]> = {},
): Promise<LeasedRun[]> {
  return store.lease({ workerId: 'w1', now: T0, limit: 10, leaseMs: 15_000, tags: [], ...overrides });
}
