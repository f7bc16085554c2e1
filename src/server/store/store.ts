import type { AuditEntry, AuditInput } from '../../domain/audit-chain.js';
import type { Agent, AgentToken } from '../../domain/agent.js';
import type { Approval, ApprovalState } from '../../domain/approval.js';
import type { AgentBudget, BudgetAccount, BudgetEntry, BudgetRefusal, Spend } from '../../domain/budget.js';
import type { Delivery, DeliveryStatus, NewDelivery } from '../../domain/delivery.js';
import type { PublishedEvent } from '../../domain/event.js';
import type { Hook } from '../../domain/hook.js';
import type { Run, RunError, RunStatus, RunTrigger, StepRun } from '../../domain/run.js';
import type { Task, TaskSpec, TaskState } from '../../domain/task.js';
import type { Tool } from '../../domain/tool.js';

/**
 * Where everything is kept. One contract, two engines (SQLite, PostgreSQL), one conformance suite (test/contract).
 *
 * Rules of the contract:
 * - Each method is one transaction: all of it or nothing.
 * - All times are epoch milliseconds given by the caller; no method reads a clock.
 * - A method that acknowledges (returns) a change has made it durable on power loss, unless it says otherwise.
 * - Callbacks given to a method (`decide`, `match`) are synchronous and pure: they may be called inside a transaction,
 *   and again when it is retried.
 */
export interface Store
  extends SchedulingStore,
    WorkStore,
    RunStore,
    TaskStore,
    AgentStore,
    EventStore,
    ApprovalStore,
    BudgetStore,
    DeliveryStore,
    HookStore,
    ToolStore {
  readonly engine: 'sqlite' | 'postgres';
  /** For people: the file, or the URL without its password. */
  readonly location: string;
  /** Brings the schema up to this program's version; concurrent starters migrate once. Throws PAO_STORE_NEWER when the database is newer. */
  migrate(now: number): Promise<{ from: number; to: number }>;
  /** The schema version the database has and the one this program wants. */
  schemaVersion(): Promise<{ current: number; wanted: number }>;
  /** One trivial read; throws when the database does not answer. @returns milliseconds it took and bytes it holds. */
  ping(): Promise<{
    durationMs: number;
    sizeBytes: number;
    walBytes: number;
    /** The database's own clock, epoch milliseconds; left out where it is this machine's. */
    clock?: number;
    /** Pooled connections, where there is a pool. */
    pool?: { idle: number; active: number; waiting: number };
  }>;
  /**
   * Looks after the room that writing needs; called once a second by one process of the system. While there is none,
   * what brings new work fails with PAO_DISK_FULL (507): tasks, runs, events, agents, tools, leases; results, audit
   * and heartbeats are written from a reserve. Goes on by itself.
   */
  tendSpace(): Promise<StoreSpace>;
  /** What the last look found; changes nothing. */
  space(): Promise<StoreSpace>;
  stats(now: number): Promise<StoreStats>;
  getMeta(key: string): Promise<string | null>;
  setMeta(key: string, value: string): Promise<void>;
  /** The answer kept for a request that may be repeated (Idempotency-Key). */
  getAnswer(id: string): Promise<{ answer: string; at: number } | null>;
  /** Keeps or replaces it; `prune` deletes it when it is old. */
  keepAnswer(id: string, answer: string, at: number): Promise<void>;
  /**
   * Writes a value if it still is what the caller saw: of several that try, one wins.
   * @param before the value seen; null: there was none. @param after null removes it. @returns whether it was written.
   */
  swapMeta(key: string, before: string | null, after: string | null): Promise<boolean>;
  /** Keys that begin with a prefix, in their order (by bytes), with their values. */
  listMeta(prefix: string, limit: number): Promise<{ key: string; value: string }[]>;
  /** Writes a change's record in the same hash chain as all others; throws when it can not be written. */
  appendAudit(entry: AuditInput): Promise<void>;
  /**
   * Newest first; `verifyAudit` of audit-chain.ts checks the whole chain. With a filter it looks at 10,000 records at most,
   * so that a page may be short, even empty, and there is more all the same: nextCursor says so.
   */
  listAudit(query: AuditQuery): Promise<Page<AuditEntry>>;
  heartbeat(worker: WorkerHeartbeat): Promise<void>;
  listWorkers(): Promise<WorkerHeartbeat[]>;
  /** Forgets one process: it said good-bye, or is known to be gone. */
  forgetWorker(id: string): Promise<void>;
  /** Forgets processes not seen since `before`. */
  forgetWorkers(before: number): Promise<number>;
  /**
   * Deletes finished runs (with steps), settled deliveries (not those of unknown outcome), dispatched events, kept answers
   * and what was spent longer ago than runs are kept, at most `limit` rows.
   * @returns rows deleted.
   */
  prune(bounds: PruneBounds & { limit: number }): Promise<number>;
  close(): Promise<void>;
}

/** What a prune may delete: what ended, was dispatched or was answered before these moments. */
export interface PruneBounds {
  runsBefore: number;
  eventsBefore: number;
  answersBefore: number;
  /** Tokens that ended before: revoked, used up or expired. */
  tokensBefore: number;
}

/** A form a task had. */
export interface TaskVersion {
  version: number;
  spec: TaskSpec;
  changedBy: string;
  changedAt: number;
}

export interface Page<T> {
  items: T[];
  /** Opaque; null on the last page. */
  nextCursor: string | null;
}

export interface StoreSpace {
  /** New work is refused for lack of room. */
  full: boolean;
  /** Free bytes where the data is; null when it is not on this machine. */
  freeBytes: number | null;
}

export interface StoreStats {
  tasks: Record<TaskState, number>;
  /** Due and not leased. */
  due: number;
  /** Waiting for its time. */
  scheduled: number;
  leased: number;
  dead: number;
  /** run_at of the oldest due, unleased work; null when none. */
  oldestDueAt: number | null;
  oldestRunningStartedAt: number | null;
  /** Active timed tasks that have no due time: always 0 unless something is wrong. */
  activeWithoutDue: number;
  /** next_due_at of the task that is due first; null when none. */
  nextDueAt: number | null;
  undispatchedEvents: number;
  /** Messages that are not settled, by status, and those that need a person. */
  deliveries: { pending: number; deferred: number; sending: number; unknown: number };
  /** due_at of the oldest message that is due and not being sent; null when none. */
  oldestDeliveryDueAt: number | null;
}

// ------------------------------------------------------------------ scheduling

/** A run to be written together with its due work (status `queued`) or as a record alone (`skipped`, `missed`). */
export interface NewRun {
  id: string;
  status: 'queued' | 'skipped' | 'missed';
  reason: string | null;
  trigger: RunTrigger;
  scheduledFor: number;
  runAt: number;
  params: Record<string, unknown>;
  eventId: string | null;
  parentRunId: string | null;
  dedupeKey: string | null;
  traceId: string | null;
  /** Never leased while another serial run of the same task is leased or waiting (a step that waits or asks). */
  serial: boolean;
  /** Steps carried over from the run that is replayed; recorded as succeeded. */
  carriedSteps?: Omit<StepRun, 'runId'>[];
  /** The events that triggered it together, when they were taken together: how many, and the ids that are kept of them. */
  events?: { count: number; ids: string[] };
}

/** Events of a task that are taken together, or the span in which one must come (match-event.ts of the scheduler). */
export interface EventWindow {
  /** What the task's `key` gave for the event; '' without one. */
  key: string;
  /** Of `debounce` and `batch`, or of `absent`. */
  kind: 'together' | 'absent';
  openedAt: number;
  closesAt: number;
  /** Events taken in. */
  count: number;
  /** Characters of their payloads; of `absent`, spans that passed and whose rows are still to be written. */
  size: number;
  /** Ids of the newest of them, oldest first. */
  eventIds: string[];
}

/** What becomes of a window. */
export interface WindowChange {
  /** As it is from now on; null: there is none any more. */
  window: EventWindow | null;
  /** One more window, under a key of its own: it closes at its time. */
  rest?: EventWindow;
  runs: NewRun[];
  cancelActive?: boolean;
}

/** What an event does to a task: a run, or a change of one of the task's windows. */
export type EventMatch = { taskId: string } & (
  | { run: NewRun; cancelActive?: boolean }
  | {
      /** Of the window it is about. */
      key: string;
      /** Pure and synchronous. `open` is null when it is not open, and `others` then how many the task has open. */
      change: (open: EventWindow | null, others: number) => WindowChange;
    }
);

/** What the scheduler is told about a task that is due. */
export interface DueTask {
  task: Task;
  /** Runs of this task that are queued, running or waiting. Counted up to 1100 (a queue_limit is 1000 at most). */
  activeRuns: number;
  /** Of these, those queued (not yet begun, or back in the queue for another attempt). */
  queuedRuns: number;
  /**
   * Newest run of this agent that counts for this task's dedupe key (queued, running, waiting, succeeded, partial); its
   * creation time.
   */
  lastDedupeAt: number | null;
  /** Runs of this task written within the last minute and not skipped, counted up to 200; only where an event has a cause. */
  recentRuns?: number;
}

/** What the scheduler decides about it. */
export interface DueDecision {
  runs: NewRun[];
  /** null: no further occurrence. */
  nextDueAt: number | null;
  /** New state (`done` when the schedule is used up). */
  state?: TaskState;
  stateReason?: string | null;
  /** Overlap `cancel_previous`: cancel what is queued or running of this task. */
  cancelActive?: boolean;
  memory?: Record<string, unknown> | null;
  snoozedUntil?: number | null;
  /** Opens this window, or puts it in the place of the one that is open. */
  window?: EventWindow;
}

/** What became of the runs of a task that was canceled. */
export interface CanceledRuns {
  /** Ids of runs that were running and are asked to stop. */
  cancelRequested: string[];
  /** Runs that waited and have ended. */
  canceled: { id: string; trigger: RunTrigger }[];
}

export interface ScheduledResult extends CanceledRuns {
  /** Tasks looked at; fewer than the limit means that nothing more is due. */
  tasks: number;
  /** Rows written, by status. */
  queued: number;
  skipped: number;
  missed: number;
  /** Occurrences that another scheduler had written already. */
  duplicates: number;
  /** Tasks that could not be scheduled and are paused now, which the audit log has too. */
  paused: { id: string; name: string; reason: string }[];
  /** Highest priority (lowest number) and earliest run_at queued; for the wake-up. */
  earliestRunAt: number | null;
}

export interface SchedulingStore {
  /**
   * Takes active tasks whose next_due_at is not after `now`, oldest first, asks `decide` for each, and writes the
   * occurrences and the next due time in one transaction. UNIQUE(task_id, scheduled_for) on triggers schedule and
   * catchup makes a second row impossible. Several schedulers may call it at once (SKIP LOCKED, BEGIN IMMEDIATE).
   * A `decide` that throws pauses that task alone, with the message as its reason (`error: …`); the others go on. Each
   * task paused so, here and by the others below, is in the audit log and leaves word for those who tell people: the
   * meta key `broken:<task id>`, with the time as its value. Rows `missed` leave the meta key of missed-mark.ts.
   */
  scheduleDue(options: {
    now: number;
    limit: number;
    decide: (due: DueTask) => DueDecision;
  }): Promise<ScheduledResult>;
  /** The earliest next_due_at over active tasks; null when none. */
  nextDueAt(): Promise<number | null>;
  /** Active timed tasks without a due time, or due before `before` (reconciler). */
  findStrandedTasks(before: number, limit: number): Promise<Task[]>;
  setNextDue(taskId: string, version: number, nextDueAt: number | null): Promise<boolean>;
  /**
   * Takes events not dispatched, in order, asks `match` with the active event tasks whose pattern may fit, writes the
   * triggered runs, changes the windows and marks the events dispatched, in one transaction. Per (event, task) one run
   * at most. Runs that wait for such an event become due (`woken`). It may take fewer than `limit` events when they make
   * many runs, so that others can write meanwhile: none is left when it took none.
   */
  dispatchEvents(options: {
    now: number;
    limit: number;
    match: (event: PublishedEvent, candidates: DueTask[]) => EventMatch[];
  }): Promise<ScheduledResult & { events: number; woken: number }>;
  /**
   * Takes windows whose time is up, oldest first, also of tasks that are not active any more, asks `close` for each and
   * writes what it says, in one transaction. While an event waits to be dispatched nothing is closed: it may belong in a
   * window. `tasks` of the result is the number of windows.
   */
  closeWindows(options: {
    now: number;
    limit: number;
    close: (due: DueTask, window: EventWindow) => WindowChange;
  }): Promise<ScheduledResult>;
  /** When the window closes that closes first; null when none is open. */
  nextWindowAt(): Promise<number | null>;
  listWindows(taskId: string): Promise<EventWindow[]>;
}

// ------------------------------------------------------------------ leased work

/** A run that a worker may now execute, with all it needs. */
export interface LeasedRun {
  run: Run;
  /** Fencing token: every write of this worker for this run must carry it. */
  leaseToken: number;
  leaseExpiresAt: number;
  /** The version of the task that the run was created from. */
  spec: TaskSpec;
  /** Scopes stored with the task, and those its agent has now. */
  taskScopes: string[];
  agentScopes: string[];
  agentBudget: AgentBudget | null;
  /** The agent was deleted. */
  agentDisabled: boolean;
  /** Steps recorded by earlier attempts. Empty on the first. */
  steps: StepRun[];
  cancelRequested: boolean;
  memory: Record<string, unknown> | null;
}

/** A step as a worker writes it. */
export type StepWrite = Omit<StepRun, 'runId'>;

/**
 * The end of one attempt. A run that ends wakes the run that called it (its parent, while that waits in a step
 * `task.run`); a run that ends otherwise than succeeded asks those it waits for to stop, with the reason `caller_ended`.
 * Who waits says so in the output of its step: `{"run_id": …}`.
 */
export interface Completion {
  runId: string;
  leaseToken: number;
  /** Steps begun or ended since the last write. */
  steps: StepWrite[];
  /** `queued`: another attempt at `runAt`; `waiting`: a wait or approval, looked at again at `runAt`; the rest is final. */
  status: Exclude<RunStatus, 'running' | 'missed'>;
  reason: string | null;
  error: RunError | null;
  output: unknown;
  /** For `queued` and `waiting`. */
  runAt?: number;
  finishedAt: number;
  /** When the attempt was handed back untouched (shutdown): it does not count. */
  interrupted?: boolean;
  /**
   * Questions the run waits with. One is open for a task and step at a time: where another run's is, nothing is written
   * for it, and the run asks again when it comes back.
   */
  approvals?: NewApproval[];
  /**
   * Events the run waits for: the run is due at once when a topic fits, also when one came after `after` and before this
   * was written. Whether it is the right event is for the worker to see.
   */
  eventWaits?: { stepId: string; topic: string; after: number }[];
  /** Condition schedules: what to remember on the task. */
  memory?: Record<string, unknown> | null;
  /** Messages of these steps, written with them; one whose key is there already is left out. */
  deliveries?: NewDelivery[];
  /** Steps with `changed`: what they saw, to be compared with by the next run. */
  stepMemory?: { stepId: string; hash: string }[];
}

/** An approval as a worker asks for it. */
export type NewApproval = Pick<
  Approval,
  'id' | 'stepId' | 'message' | 'data' | 'onTimeout' | 'requestedAt' | 'expiresAt'
>;

export interface WorkStore {
  /**
   * Leases up to `limit` due runs, by priority, then run_at. Marks them running, counts the attempt, sets started_at on
   * the first one. A run that comes back from `waiting` goes on with the same attempt. Never leases more of one concurrency
   * key (of one agent) than its limit, nor two `serial` runs of one task at once; a blocked key does not hold up what is behind it. Only work whose `runs_on` tags are
   * all in `tags`. A run that a worker died of before (`deaths` > 0) is leased alone: when the first candidate is such a
   * run, only that one is returned, and a batch ends before the next such one. The lease itself need not be durable on power loss (the worker would be gone as well).
   */
  lease(options: {
    workerId: string;
    now: number;
    limit: number;
    leaseMs: number;
    tags: string[];
  }): Promise<LeasedRun[]>;
  /**
   * Extends the leases of a worker: those of `runIds` that are still its own, or all without it. With `runIds` a lease
   * whose answer the worker never got runs out by itself. Not durable. @returns runs asked to cancel among all of its own.
   */
  renewLeases(options: {
    workerId: string;
    now: number;
    leaseMs: number;
    runIds?: string[] | undefined;
  }): Promise<{ renewed: number; cancelRequested: string[] }>;
  /**
   * Records steps before the next side effect. With `reserve`, takes idempotency keys in the same transaction:
   * when another run has the key already, nothing is written for that entry and its holder is returned.
   * @returns run ids whose lease is no longer this worker's (fenced: stop at once), and held keys.
   */
  recordSteps(
    batch: {
      runId: string;
      leaseToken: number;
      steps: StepWrite[];
      reserve?: { key: string; stepId: string } | undefined;
      /** Messages of these steps; one whose key is there already is left out. */
      deliveries?: NewDelivery[] | undefined;
    }[],
    now: number,
  ): Promise<{ fenced: string[]; held: { runId: string; key: string; holder: HeldKey }[] }>;
  /**
   * Ends attempts, many in one transaction; deletes the due work of final ones. A run that was asked to cancel and comes
   * back `queued` or `waiting` is canceled; one whose work was all done (`succeeded`, `partial`) stays so, with the reason
   * `cancel_too_late` unless it has one; one that ends `canceled` has the reason of who asked for it. Idempotency keys whose step failed or was skipped are free again at the end.
   * @returns run ids that were refused (fenced).
   */
  complete(batch: Completion[], now: number): Promise<{ fenced: string[] }>;
  /**
   * Takes back leases that ran out before `now`, or all of one worker that is known to be dead (`workerId`): back to the
   * queue, one death counted; the third death makes the run `dead` with reason `poison`. Steps left `running` whose
   * tool has side effect `once` and no idempotency of its own become `unknown`: the worker that gets the run next
   * decides that, the store leaves them `running`; only in a run that is dead now they become `unknown` here. A run that
   * was asked to cancel is canceled instead of going back. A requeued run keeps its run_at, and so its place.
   */
  reclaim(options: {
    now: number;
    workerId?: string | undefined;
    limit: number;
    maxDeaths: number;
  }): Promise<{ requeued: string[]; dead: string[]; canceled: string[] }>;
  /**
   * The earliest run_at of work that could be leased, now or later (not what waits for its concurrency key or for a
   * serial run before it); with `tags`, by a worker with these. null when none.
   */
  nextRunAt(options?: { tags?: string[] | undefined }): Promise<number | null>;
}

/** Who holds an idempotency key. */
export interface HeldKey {
  runId: string;
  stepId: string;
  status: StepRun['status'];
  output: unknown;
}

// ------------------------------------------------------------------ runs

export interface RunQuery {
  agentId?: string | undefined;
  taskId?: string | undefined;
  statuses?: RunStatus[] | undefined;
  /** Of runs that ended: only for one of these reasons, and not for those. */
  reasons?: string[] | undefined;
  exceptReasons?: string[] | undefined;
  /** Scheduled at or after. */
  since?: number | undefined;
  until?: number | undefined;
  limit: number;
  cursor?: string | undefined;
}

/** What a step with `changed` saw when it last did its work. */
export interface StepMemory {
  hash: string;
  /** The run that did it, and when it ended. */
  runId: string;
  at: number;
}

export interface RunStore {
  /**
   * Writes one run outside any schedule (manual, replay), with its due work. `force` passes over the dedupe window;
   * without it a run inside the window is written as `skipped` with reason `dedupe`. Throws PAO_NOT_FOUND, and
   * PAO_CONFLICT when the task is canceled.
   */
  createRun(options: { taskId: string; run: NewRun; now: number; force?: boolean }): Promise<Run>;
  getRun(id: string): Promise<Run | null>;
  listSteps(runId: string): Promise<StepRun[]>;
  /** The events that triggered a run together, oldest first, those that still exist; null when it was not triggered so. */
  getRunEvents(runId: string): Promise<{ count: number; events: PublishedEvent[] } | null>;
  /** Runs that an event triggered, oldest first; not those it is only one of several events of. */
  listRunsOfEvent(eventId: string, limit: number): Promise<Run[]>;
  /** What a step with `changed` saw when it last did its work; null when it never did. */
  getStepMemory(taskId: string, stepId: string): Promise<StepMemory | null>;
  /** Newest first. */
  listRuns(query: RunQuery): Promise<Page<Run>>;
  /** Queued or waiting: canceled at once. Running: asked to cancel. Final: unchanged. @returns the run after it. */
  cancelRun(id: string, reason: string, now: number): Promise<{ run: Run; cancelRequested: boolean } | null>;
  /**
   * Settles a step whose outcome was lost (`unknown`) in a run that has ended, as a person found out. `failed` frees its
   * idempotency key: it may be sent then. @returns whether it was unknown until now.
   */
  resolveStep(settled: StepSettlement): Promise<boolean>;
}

/** What a person found out about a call whose outcome was lost. */
export interface StepSettlement {
  runId: string;
  stepId: string;
  status: 'succeeded' | 'failed';
  reason: string;
  output: unknown;
  error: RunError | null;
}

// ------------------------------------------------------------------ tasks

export interface TaskQuery {
  agentId?: string | undefined;
  states?: TaskState[] | undefined;
  /** Part of the name or title, case-insensitive. */
  search?: string | undefined;
  limit: number;
  cursor?: string | undefined;
}

/** What of the audit log to list. */
export interface AuditQuery {
  limit: number;
  cursor?: string | undefined;
  actor?: string | undefined;
  /** An action, or the beginning of some: `task.*`. */
  action?: string | undefined;
  /** The id of what it was about, or its name as the details have it. */
  object?: string | undefined;
  /** Epoch milliseconds. */
  since?: number | undefined;
}

export interface TaskStore {
  /**
   * Throws PaoError PAO_CONFLICT (409) when the agent has a task of that name that is not canceled.
   * @param most how many tasks the agent may have, counted in the same transaction; any number when left out.
   * @returns false when it has that many, not counting canceled ones: nothing was written then.
   */
  createTask(task: Task, most?: number): Promise<boolean>;
  getTask(id: string): Promise<Task | null>;
  /** Not among canceled ones: their name is free again. */
  findTaskByName(agentId: string, name: string): Promise<Task | null>;
  /** By name over all agents, for an admin; not canceled ones; 100 at most. */
  findTasksByName(name: string): Promise<Task[]>;
  listTasks(query: TaskQuery): Promise<Page<Task>>;
  /**
   * Writes the task as version `expectedVersion` + 1 if it still has `expectedVersion`; the former spec stays as a
   * version. last_run_at is left alone. Throws PAO_CONFLICT when its name is taken. @returns false when it changed in between.
   */
  updateTask(task: Task, expectedVersion: number, changedBy: string): Promise<boolean>;
  /** Newest first, the present one included. */
  listTaskVersions(
    taskId: string,
    query: { limit: number; cursor?: string | undefined },
  ): Promise<Page<TaskVersion>>;
  /** Cancels queued and waiting runs of a task and asks the running ones to stop. */
  cancelRunsOfTask(taskId: string, reason: string, now: number): Promise<CanceledRuns>;
  /** Those not canceled. */
  countTasks(agentId: string): Promise<number>;
}

// ------------------------------------------------------------------ agents

export interface AgentStore {
  /** Throws PAO_CONFLICT when an agent that is not disabled has the name. */
  createAgent(agent: Agent, token: AgentToken | null): Promise<void>;
  getAgent(id: string): Promise<Agent | null>;
  /** Not among disabled ones: their name is free again. */
  findAgentByName(name: string): Promise<Agent | null>;
  listAgents(query: { limit: number; cursor?: string | undefined }): Promise<Page<Agent>>;
  /**
   * @param seen only when it was last changed then, epoch milliseconds.
   * @returns false when there is no such agent.
   */
  updateAgent(agent: Agent, seen?: number): Promise<boolean>;
  createToken(token: AgentToken): Promise<void>;
  listTokens(agentId: string): Promise<AgentToken[]>;
  /** Looks a token up by its hash; used on every request, so it is one indexed read. */
  findToken(hash: string): Promise<{ token: AgentToken; agent: Agent } | null>;
  /** Sets expiry and/or revocation and/or last use. */
  updateToken(token: AgentToken): Promise<boolean>;
  /** last_used_at alone; not durable. */
  touchToken(id: string, now: number): Promise<void>;
}

// ------------------------------------------------------------------ events and tools

export interface EventStore {
  /** With a dedupe key that this agent used on this topic within 24 hours, or `dedupeMs`: nothing is written and the first event is returned, `duplicate` true. */
  publishEvent(
    event: Omit<PublishedEvent, 'sequence' | 'dispatchedAt' | 'traceId' | 'causeRunId' | 'depth'> &
      Partial<Pick<PublishedEvent, 'traceId' | 'causeRunId' | 'depth'>> & { dedupeMs?: number },
  ): Promise<{ event: PublishedEvent; duplicate: boolean }>;
  getEvent(id: string): Promise<PublishedEvent | null>;
  /** Events that a run published, oldest first. */
  listEventsOfRun(runId: string, limit: number): Promise<PublishedEvent[]>;
  /** In order of sequence when `after` is given, else newest first. `topic` is a pattern. */
  listEvents(query: {
    topic?: string | undefined;
    after?: number | undefined;
    limit: number;
    cursor?: string | undefined;
  }): Promise<Page<PublishedEvent>>;
}

export interface HookStore {
  /** Throws PAO_CONFLICT when the agent has a hook of that name. */
  createHook(hook: Hook): Promise<void>;
  getHook(id: string): Promise<Hook | null>;
  /** Of one agent, or of all; newest first. */
  listHooks(query: {
    agentId?: string | undefined;
    limit: number;
    cursor?: string | undefined;
  }): Promise<Page<Hook>>;
  /** Writes its secrets. @returns false when it is gone. */
  updateHook(hook: Hook): Promise<boolean>;
  /** last_received_at alone. */
  touchHook(id: string, now: number): Promise<void>;
  deleteHook(id: string): Promise<boolean>;
}

export interface ApprovalStore {
  getApproval(id: string): Promise<Approval | null>;
  /** The one of a run's step; null when it was never asked. */
  findApproval(runId: string, stepId: string): Promise<Approval | null>;
  /** The one that is open for a task's step, whichever run asks. */
  findOpenApproval(taskId: string, stepId: string): Promise<Approval | null>;
  /** Newest first. */
  listApprovals(query: {
    agentId?: string | undefined;
    states?: ApprovalState[] | undefined;
    limit: number;
    cursor?: string | undefined;
  }): Promise<Page<Approval>>;
  /**
   * Ends an approval that is pending, and makes every run of its task that waits due at once: the one that asked, and
   * those that wait for their turn to ask. `approved` and `denied` are refused (unchanged) once it has expired at `now`.
   * `data` replaces what was to be approved; `audit` is written with the decision, or neither is.
   * @returns it as it is now, and whether this call decided it; null when there is none.
   */
  decideApproval(decision: {
    id: string;
    state: Exclude<ApprovalState, 'pending'>;
    by: string;
    comment: string | null;
    data?: unknown;
    now: number;
    audit?: Pick<AuditInput, 'action' | 'details'>;
  }): Promise<{ approval: Approval; decided: boolean } | null>;
}

/** What is about to be paid for. */
export interface BudgetReservation
  extends Pick<BudgetEntry, 'id' | 'runId' | 'taskId' | 'agentId' | 'stepId' | 'tool' | 'model' | 'at'> {
  amount: Spend;
}

export interface BudgetStore {
  /**
   * Adds an amount to every account, or to none when one of them would go above a limit: of any number of callers at once,
   * in any number of processes, those that are granted never go above it together. An id that was granted before is
   * granted again and changes nothing. What is never settled stays charged in full.
   * @param options.settled the amount is known: nothing more will be said about it.
   * @returns null when granted, else the limit that is in the way.
   */
  reserveBudget(
    entry: BudgetReservation,
    accounts: readonly BudgetAccount[],
    options?: { settled?: boolean },
  ): Promise<BudgetRefusal | null>;
  /** Puts what was really used in the place of what was reserved, once. @returns false when it is not reserved (any more). */
  settleBudget(settlement: {
    id: string;
    spent: Spend;
    inputTokens: number | null;
    outputTokens: number | null;
    estimated: boolean;
    now: number;
  }): Promise<boolean>;
  /** What each account has, by its key. */
  getSpent(keys: readonly string[]): Promise<Map<string, Spend>>;
  /** What a run paid for, in order. */
  listBudgetEntries(query: { runId: string; limit: number }): Promise<BudgetEntry[]>;
}

// ------------------------------------------------------------------ deliveries

/** What became of a delivery that was looked at. */
export interface DeliveryOutcome {
  id: string;
  leaseToken: number;
  status: Exclude<DeliveryStatus, 'sending'>;
  reason: string | null;
  error: RunError | null;
  answer: unknown;
  /** For `pending` and `deferred`. */
  dueAt: number | null;
  mergedInto: string | null;
  /** What it may be joined by from now on; as it was when left out or null. */
  digestKey?: string | null;
}

/** Messages, apart from the runs that wrote them; of several that send, the store decides which one does. */
export interface DeliveryStore {
  /** Writes messages; one whose key the agent has already is left out. @returns ids of those written. */
  enqueueDeliveries(deliveries: NewDelivery[]): Promise<{ written: string[] }>;
  getDelivery(id: string): Promise<Delivery | null>;
  findDelivery(agentId: string, key: string): Promise<Delivery | null>;
  /** Newest first. */
  listDeliveries(query: {
    agentId?: string | undefined;
    runIds?: string[] | undefined;
    statuses?: DeliveryStatus[] | undefined;
    channel?: string | undefined;
    limit: number;
    cursor?: string | undefined;
  }): Promise<Page<Delivery>>;
  /** Those that are due, oldest first; nothing is taken by it. */
  dueDeliveries(options: { now: number; limit: number }): Promise<Delivery[]>;
  /** The earliest due_at, or end of a lease; null when nothing is on its way. */
  nextDeliveryAt(): Promise<number | null>;
  /**
   * Takes deliveries for one attempt, just before they are sent: `sending`, attempt counted, leased. Those that another
   * took, or settled, since they were read (`leaseToken`) are left out.
   * @returns what was taken, with the new token.
   */
  beginDeliveries(options: {
    wanted: { id: string; leaseToken: number; repeatable: boolean }[];
    owner: string;
    now: number;
    leaseMs: number;
  }): Promise<{ id: string; leaseToken: number }[]>;
  /** Writes what became of them. @returns ids that were refused: another has them, or they are settled. */
  settleDeliveries(outcomes: DeliveryOutcome[], now: number): Promise<{ refused: string[] }>;
  /**
   * Takes back attempts whose lease ran out before `now`, or all of an owner that is known to be dead. What may be
   * repeated is due again; the outcome of the rest is unknown.
   */
  reclaimDeliveries(options: { now: number; owner?: string | undefined }): Promise<{
    requeued: string[];
    unknown: string[];
  }>;
  /**
   * Makes what waits for the end of a quiet time due now, of one agent or task: its quiet times have changed, and each
   * message is looked at by those that hold now. @returns how many.
   */
  bringForward(options: {
    agentId?: string | undefined;
    taskId?: string | undefined;
    now: number;
  }): Promise<number>;
  /**
   * What a person decides: `pending` sends it (again) now. Refused (unchanged) while it is being sent; `delivered` and
   * `failed` only say how one of unknown outcome ended. @returns null when there is none.
   */
  resolveDelivery(options: {
    id: string;
    status: 'pending' | 'delivered' | 'failed' | 'suppressed';
    reason: string;
    now: number;
  }): Promise<{ delivery: Delivery; changed: boolean } | null>;
}

// ------------------------------------------------------------------ tools

export interface StoredTool {
  tool: Tool;
  /** Grows with each change; workers cache by it. */
  version: number;
  createdBy: string;
  createdAt: number;
  updatedAt: number;
}

export interface ToolStore {
  /** Creates or replaces. @returns whether it was new. Throws PAO_CONFLICT when `create` is true and it exists. */
  putTool(
    stored: Omit<StoredTool, 'version'>,
    options?: { create?: boolean },
  ): Promise<{ created: boolean; version: number }>;
  putTools(stored: Omit<StoredTool, 'version'>[]): Promise<{ created: number; replaced: number }>;
  getTool(address: string): Promise<StoredTool | null>;
  listTools(query: {
    prefix?: string | undefined;
    limit: number;
    cursor?: string | undefined;
  }): Promise<Page<StoredTool>>;
  deleteTool(address: string): Promise<boolean>;
  /** A number that grows with any change of any tool: one cheap read tells whether a cache is stale. */
  toolsVersion(): Promise<number>;
}

// ------------------------------------------------------------------ operations

export interface WorkerHeartbeat {
  id: string;
  kind: 'supervisor' | 'api' | 'scheduler' | 'worker';
  /** Slot name, bounded: `w1`, `w2`, `scheduler`, `api`. */
  slot: string;
  pid: number;
  host: string;
  version: string;
  tags: string[];
  startedAt: number;
  lastSeenAt: number;
  slotsTotal: number;
  slotsBusy: number;
}
