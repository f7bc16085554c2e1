import { EXIT, notFound, PaoError } from '../domain/errors.js';
import { isFinal } from '../domain/run.js';
import type { HealthReport } from '../domain/health.js';
import type { TaskInput } from '../domain/task.js';
import type { ToolInput } from '../domain/tool.js';
import type {
  AgendaObject,
  AgentBudgetObject,
  AgentObject,
  ApprovalObject,
  ChannelObject,
  AuditObject,
  ChangedTaskObject,
  CreatedAgentObject,
  CreatedTaskObject,
  DeliveryObject,
  EventObject,
  HookObject,
  ExplanationObject,
  ListPage,
  NewHookObject,
  NewTokenObject,
  OccurrencesObject,
  ReplayedRunObject,
  RunObject,
  SchedulePreviewObject,
  SecretChange,
  SecretObject,
  ServiceObject,
  SkippedTaskObject,
  SpendTodayObject,
  TaskCheckObject,
  TaskObject,
  TaskVersionObject,
  ToolCallObject,
  ToolImportObject,
  ToolObject,
} from './api-objects.js';
import { type StreamOptions, streamEvents } from './event-stream.js';
import {
  type ApiRequest,
  HttpTransport,
  pause,
  type QueryValue,
  type TransportOptions,
} from './http-transport.js';
import { ApiError } from './problem-error.js';

/** Longest time the server is asked to hold a request, in milliseconds; below the transport's own timeout. */
const LONG_POLL_MS = 20_000;
const SHORTEST_POLL_MS = 100;
/** How long the messages of a run are waited for, and how often they are looked at, milliseconds. */
const MESSAGES_WAIT_MS = 10_000;
const MESSAGES_LOOK_MS = 100;

const isSending = ({ deliveries = [] }: RunObject): boolean =>
  deliveries.some(({ status }) => status === 'pending' || status === 'sending');

/** What every call takes besides its own arguments. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
}

/** Which part of a list. */
export interface ListQuery extends CallOptions {
  /** How many a page; the server has its own bounds. */
  limit?: number | undefined;
  cursor?: string | undefined;
}

/** Whether a text is an id of that kind rather than a name. */
export const isIdOf = (kind: 'agt' | 'tsk' | 'run', text: string): boolean =>
  new RegExp(`^${kind}_[0-9a-f]{32}$`).test(text);

/**
 * The API of one server, typed; every method is one call unless it says otherwise.
 * @throws ApiError (a PaoError) with the server's problems; PaoError PAO_UNREACHABLE when nothing answers.
 */
export class PaoClient {
  readonly #transport: HttpTransport;

  constructor(options: TransportOptions) {
    this.#transport = new HttpTransport(options);
  }

  /** Tasks. */
  listTasks(query: ListQuery & { state?: string; search?: string } = {}): Promise<ListPage<TaskObject>> {
    return this.#list('/v1/tasks', query);
  }

  getTask(id: string, options: CallOptions = {}): Promise<TaskObject> {
    return this.#get(`/v1/tasks/${encodeURIComponent(id)}`, {}, options);
  }

  /**
   * A task by id or by name.
   * @throws PaoError with exit code 5 and the nearest names when there is none.
   */
  async findTask(nameOrId: string, options: CallOptions = {}): Promise<TaskObject> {
    if (isIdOf('tsk', nameOrId)) return this.getTask(nameOrId, options);
    try {
      return await this.#get(`/v1/tasks/by-name/${encodeURIComponent(nameOrId)}`, {}, options);
    } catch (error) {
      if (!(error instanceof ApiError) || error.httpStatus !== 404) throw error;
    }
    const same = await this.listTasks({ search: nameOrId, limit: 100, ...options });
    // A canceled task has given its name free, but its history is still asked for by that name.
    const [latest] = same.items
      .filter(({ name }) => name === nameOrId)
      .sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at));
    if (latest) return latest;
    const names: string[] = [];
    for await (const { name } of pages((cursor) => this.listTasks({ limit: 1000, cursor, ...options })))
      names.push(name);
    const { nearest } = await import('../domain/nearest.js');
    const near = nearest(nameOrId, names);
    throw notFound('task', nameOrId, [...(near ? [`Did you mean ${near}?`] : []), 'pao task list']);
  }

  createTask(task: TaskInput, options: CallOptions = {}): Promise<CreatedTaskObject> {
    return this.#send('POST', '/v1/tasks', task, options);
  }

  /** Checks a task and changes nothing. @throws ApiError with every problem. */
  checkTask(task: unknown, options: CallOptions = {}): Promise<TaskCheckObject> {
    const query = { dry_run: true };
    return this.request({ method: 'POST', path: '/v1/tasks', query, body: task, ...options });
  }

  /** Creates the task of this name or changes it to this; nothing happens when it is so already. */
  applyTask(task: TaskInput, options: CallOptions = {}): Promise<ChangedTaskObject> {
    const path = `/v1/tasks/by-name/${encodeURIComponent(String(task.name))}`;
    return this.#send('PUT', path, task, options);
  }

  /** Changes what is named and leaves the rest (RFC 7396: null removes). */
  updateTask(
    id: string,
    changes: Record<string, unknown>,
    options: CallOptions = {},
  ): Promise<ChangedTaskObject> {
    return this.#send('PATCH', `/v1/tasks/${encodeURIComponent(id)}`, changes, options);
  }

  deleteTask(id: string, options: CallOptions = {}): Promise<void> {
    return this.#send('DELETE', `/v1/tasks/${encodeURIComponent(id)}`, undefined, options);
  }

  /** Starts a task now; the run is only begun when this returns. */
  runTask(
    id: string,
    input: {
      params?: Record<string, unknown> | undefined;
      force?: boolean | undefined;
      /** Only shows what it would do. */
      dry_run?: boolean | undefined;
      outputs?: unknown;
    } = {},
    options: CallOptions = {},
  ): Promise<RunObject> {
    return this.#verb(id, 'run', input, options);
  }

  snoozeTask(
    id: string,
    input: { seconds: number } | { until: string },
    options: CallOptions = {},
  ): Promise<TaskObject> {
    return this.#verb(id, 'snooze', input, options);
  }

  skipTask(id: string, options: CallOptions = {}): Promise<SkippedTaskObject> {
    return this.#verb(id, 'skip', {}, options);
  }

  pauseTask(id: string, reason?: string, options: CallOptions = {}): Promise<TaskObject> {
    return this.#verb(id, 'pause', reason === undefined ? {} : { reason }, options);
  }

  /** @param catchup what becomes of the occurrences that came due while it was paused; `skip` when left out. */
  resumeTask(
    id: string,
    catchup?: 'skip' | 'latest' | 'all',
    options: CallOptions = {},
  ): Promise<TaskObject> {
    return this.#verb(id, 'resume', catchup === undefined ? {} : { catchup }, options);
  }

  /** Brings a task back to a version it had; without one, to the newest that differs. */
  rollbackTask(id: string, to?: number, options: CallOptions = {}): Promise<ChangedTaskObject> {
    return this.#verb(id, 'rollback', to === undefined ? {} : { to }, options);
  }

  cancelTask(id: string, options: CallOptions = {}): Promise<TaskObject> {
    return this.#verb(id, 'cancel', {}, options);
  }

  occurrences(
    id: string,
    query: CallOptions & { from?: string; count?: number } = {},
  ): Promise<OccurrencesObject> {
    const { signal, ...rest } = query;
    return this.#get(`/v1/tasks/${encodeURIComponent(id)}/occurrences`, rest, { signal });
  }

  explainTask(id: string, at?: string, options: CallOptions = {}): Promise<ExplanationObject> {
    return this.#get(`/v1/tasks/${encodeURIComponent(id)}/explain`, { at }, options);
  }

  /** What a schedule means: words, next instants, warnings. @throws ApiError with every problem. */
  previewSchedule(
    schedule: NonNullable<TaskInput['schedule']>,
    count = 10,
    options: CallOptions = {},
  ): Promise<SchedulePreviewObject> {
    return this.#send('POST', '/v1/schedules/preview', { schedule, count }, options);
  }

  /** What is due in the next hours, over all tasks that may be seen. */
  agenda(
    query: CallOptions & { hours?: number; limit?: number; often?: number } = {},
  ): Promise<AgendaObject> {
    const { signal, ...rest } = query;
    return this.#get('/v1/agenda', rest, { signal });
  }

  /** What agents and tasks have used of today, and of their budgets. */
  spendToday(options: CallOptions = {}): Promise<SpendTodayObject> {
    return this.#get('/v1/spend', {}, options);
  }

  /** Every form a task had, newest first. */
  taskVersions(id: string, query: ListQuery = {}): Promise<ListPage<TaskVersionObject>> {
    return this.#list(`/v1/tasks/${encodeURIComponent(id)}/versions`, query);
  }

  /** Runs. */
  listRuns(
    query: ListQuery & { taskId?: string; status?: string; since?: string } = {},
  ): Promise<ListPage<RunObject>> {
    const { taskId, ...rest } = query;
    const request: ListQuery & { task_id?: string | undefined } = { ...rest, task_id: taskId };
    return this.#list('/v1/runs', request);
  }

  getRun(id: string, options: CallOptions = {}): Promise<RunObject> {
    return this.#get(`/v1/runs/${encodeURIComponent(id)}`, {}, options);
  }

  cancelRun(id: string, options: CallOptions = {}): Promise<RunObject> {
    return this.#send('POST', `/v1/runs/${encodeURIComponent(id)}/cancel`, {}, options);
  }

  /** Runs it again with what it was given then, from a step on or from the start. `again`: also calls that may be made once. */
  replayRun(
    id: string,
    fromStep?: string,
    options: CallOptions & { again?: boolean | undefined } = {},
  ): Promise<ReplayedRunObject> {
    const body = {
      ...(fromStep === undefined ? {} : { from_step: fromStep }),
      ...(options.again === true ? { again: true } : {}),
    };
    return this.#send('POST', `/v1/runs/${encodeURIComponent(id)}/replay`, body, options);
  }

  /** Says whether a call whose outcome was lost did its work. */
  resolveRun(
    id: string,
    decision: {
      outcome: 'done' | 'not_done';
      step?: string | undefined;
      output?: unknown;
      comment?: string | undefined;
    },
    options: CallOptions = {},
  ): Promise<RunObject> {
    return this.#send('POST', `/v1/runs/${encodeURIComponent(id)}/resolve`, decision, options);
  }

  /** What waits for a person, newest first. */
  listApprovals(query: ListQuery & { state?: string } = {}): Promise<ListPage<ApprovalObject>> {
    return this.#list('/v1/approvals', query);
  }

  getApproval(id: string, options: CallOptions = {}): Promise<ApprovalObject> {
    return this.#get(`/v1/approvals/${encodeURIComponent(id)}`, {}, options);
  }

  /** As {@link decideApproval}, by the run and its step. */
  decideStep(
    runId: string,
    step: string,
    decision: { decision: 'approve' | 'deny'; comment?: string | undefined; data?: unknown },
    options: CallOptions = {},
  ): Promise<ApprovalObject> {
    const path = `/v1/runs/${encodeURIComponent(runId)}/approvals/${encodeURIComponent(step)}`;
    return this.#send('POST', path, decision, options);
  }

  /** Says yes or no; `data` replaces what is approved. @throws ApiError 409 when it is closed already. */
  decideApproval(
    id: string,
    decision: { decision: 'approve' | 'deny'; comment?: string | undefined; data?: unknown },
    options: CallOptions = {},
  ): Promise<ApprovalObject> {
    return this.#send('POST', `/v1/approvals/${encodeURIComponent(id)}`, decision, options);
  }

  /** Messages and what became of them, newest first. */
  listDeliveries(
    query: ListQuery & { status?: string; runId?: string; channel?: string } = {},
  ): Promise<ListPage<DeliveryObject>> {
    const { runId, ...request } = query;
    return this.#list('/v1/deliveries', { ...request, ...(runId === undefined ? {} : { run_id: runId }) });
  }

  getDelivery(id: string, options: CallOptions = {}): Promise<DeliveryObject> {
    return this.#get(`/v1/deliveries/${encodeURIComponent(id)}`, {}, options);
  }

  /** Sends a message now, or once more. @throws ApiError 409 while it is being sent. */
  resendDelivery(id: string, options: CallOptions = {}): Promise<DeliveryObject> {
    return this.#send('POST', `/v1/deliveries/${encodeURIComponent(id)}/resend`, {}, options);
  }

  /** Says how one of unknown outcome ended, or that a waiting one is not to be sent. @throws ApiError 409 */
  resolveDelivery(
    id: string,
    body: { status: 'delivered' | 'failed' | 'suppressed'; comment?: string },
    options: CallOptions = {},
  ): Promise<DeliveryObject> {
    return this.#send('POST', `/v1/deliveries/${encodeURIComponent(id)}/resolve`, body, options);
  }

  /**
   * Waits a while until the messages of a run that has ended are sent, or put off; their fate is not the run's.
   * @returns the run as it is then, also when a message is still on its way after `timeoutMs` (10 s when left out).
   */
  async waitForMessages(
    run: RunObject,
    options: CallOptions & { timeoutMs?: number } = {},
  ): Promise<RunObject> {
    const end = performance.now() + (options.timeoutMs ?? MESSAGES_WAIT_MS);
    let seen = run;
    while (isSending(seen) && performance.now() < end) {
      await pause(MESSAGES_LOOK_MS, options.signal);
      seen = await this.getRun(run.id, options);
    }
    return seen;
  }

  /**
   * Waits until a run has ended; the server holds each request until then or for `everyMs` (20 s when left out).
   * @param options.onUpdate told what the run is like, each time the server answers.
   * @throws PaoError PAO_WAIT_TIMEOUT (exit 124) when it takes longer than `timeoutMs`; the run goes on.
   */
  async waitForRun(
    id: string,
    options: CallOptions & {
      timeoutMs?: number;
      everyMs?: number;
      onUpdate?: (run: RunObject) => void;
    } = {},
  ): Promise<RunObject> {
    const { signal, timeoutMs = Infinity, everyMs = LONG_POLL_MS, onUpdate } = options;
    const end = performance.now() + timeoutMs;
    for (;;) {
      const asked = performance.now();
      const waitMs = Math.round(Math.max(0, Math.min(everyMs, LONG_POLL_MS, end - asked)));
      const run = await this.#get<RunObject>(
        `/v1/runs/${encodeURIComponent(id)}`,
        { wait: `${waitMs}ms` },
        { signal },
      );
      onUpdate?.(run);
      if (isFinal(run.status)) return run;
      const now = performance.now();
      if (now >= end) {
        throw new PaoError('PAO_WAIT_TIMEOUT', `Run ${id} is still ${run.status}; it goes on.`, {
          exitCode: EXIT.timeout,
          hints: [`pao run watch ${id}`],
        });
      }
      // A server that shuts down answers early: it must not be asked in a tight loop.
      await pause(Math.max(0, Math.min(SHORTEST_POLL_MS, end - now) - (now - asked)), signal);
    }
  }

  /** Events. */
  publishEvent(
    event: {
      topic: string;
      payload?: unknown;
      dedupe_key?: string | undefined;
      /** The run it is published from, which becomes its cause. */
      run_id?: string | undefined;
    },
    options: CallOptions = {},
  ): Promise<EventObject> {
    return this.#send('POST', '/v1/events', event, options);
  }

  listEvents(query: ListQuery & { topic?: string | undefined } = {}): Promise<ListPage<EventObject>> {
    return this.#list('/v1/events', query);
  }

  /** An event with what led to it and what it led to. */
  getEvent(id: string, options: CallOptions = {}): Promise<EventObject> {
    return this.#get(`/v1/events/${encodeURIComponent(id)}`, {}, options);
  }

  /** Follows events until the signal; takes up again where it was after a lost connection. */
  streamEvents(options: StreamOptions = {}): AsyncGenerator<EventObject> {
    return streamEvents(this.#transport, options);
  }

  /** Inbound webhooks. */
  listHooks(query: ListQuery = {}): Promise<ListPage<HookObject>> {
    return this.#list('/v1/hooks', query);
  }

  /** By id or name, as the three below. */
  getHook(idOrName: string, options: CallOptions = {}): Promise<HookObject> {
    return this.#get(`/v1/hooks/${encodeURIComponent(idOrName)}`, {}, options);
  }

  /** @param hook.secret where the sender makes it; one is made when left out. */
  createHook(
    hook: {
      name: string;
      topic: string;
      scheme?: 'standard' | 'github';
      allow_repeats?: boolean;
      secret?: string | undefined;
    },
    options: CallOptions = {},
  ): Promise<NewHookObject> {
    return this.#send('POST', '/v1/hooks', hook, options);
  }

  /** @param input.grace_seconds how long the old secret counts as well; a day when left out. */
  rotateHook(
    idOrName: string,
    input: { grace_seconds?: number | undefined; secret?: string | undefined } = {},
    options: CallOptions = {},
  ): Promise<NewHookObject> {
    return this.#send('POST', `/v1/hooks/${encodeURIComponent(idOrName)}/rotate`, input, options);
  }

  deleteHook(idOrName: string, options: CallOptions = {}): Promise<void> {
    return this.#send('DELETE', `/v1/hooks/${encodeURIComponent(idOrName)}`, undefined, options);
  }

  /** Tools. */
  /** The channels of the configuration. */
  listChannels(options: CallOptions = {}): Promise<ListPage<ChannelObject>> {
    return this.#get('/v1/channels', {}, options);
  }

  listTools(query: ListQuery & { prefix?: string | undefined } = {}): Promise<ListPage<ToolObject>> {
    return this.#list('/v1/tools', query);
  }

  getTool(address: string, options: CallOptions = {}): Promise<ToolObject> {
    return this.#get(`/v1/tools/${encodeURIComponent(address)}`, {}, options);
  }

  /** @param toolTimeoutMs how long the tool may take; the server has a default of its own. */
  callTool(
    address: string,
    input: unknown,
    { toolTimeoutMs, ...options }: CallOptions & { toolTimeoutMs?: number | undefined } = {},
  ): Promise<ToolCallObject> {
    const path = `/v1/tools/${encodeURIComponent(address)}/call`;
    // A model may think for minutes, and the tool's own timeout ends it.
    const body = { input, timeout_ms: toolTimeoutMs };
    return this.request({ method: 'POST', path, body, timeoutMs: 10 * 60_000, ...options });
  }

  /** Takes in the tools of a catalog: written out, of MCP servers, of OpenAPI documents. */
  importTools(document: unknown, options: CallOptions = {}): Promise<ToolImportObject> {
    // Servers are started and asked for their tools, all in this one request.
    const timeoutMs = 3 * 60_000;
    return this.request({
      method: 'POST',
      path: '/v1/tools/import',
      body: { document },
      timeoutMs,
      ...options,
    });
  }

  /** @throws ApiError 409 when there is a tool of that address. */
  createTool(tool: ToolInput, options: CallOptions = {}): Promise<ToolObject> {
    return this.#send('POST', '/v1/tools', tool, options);
  }

  /** Creates the tool or puts this one in its place. */
  putTool(tool: ToolInput, options: CallOptions = {}): Promise<ToolObject> {
    return this.#send('PUT', `/v1/tools/${encodeURIComponent(tool.address)}`, tool, options);
  }

  deleteTool(address: string, options: CallOptions = {}): Promise<void> {
    return this.#send('DELETE', `/v1/tools/${encodeURIComponent(address)}`, undefined, options);
  }

  /** Agents. */
  listAgents(query: ListQuery = {}): Promise<ListPage<AgentObject>> {
    return this.#list('/v1/agents', query);
  }

  getAgent(id: string, options: CallOptions = {}): Promise<AgentObject> {
    return this.#get(`/v1/agents/${encodeURIComponent(id)}`, {}, options);
  }

  /** An agent by id or by name. @throws PaoError with exit code 5 and the nearest names. */
  async findAgent(nameOrId: string, options: CallOptions = {}): Promise<AgentObject> {
    try {
      return await this.getAgent(nameOrId, options);
    } catch (error) {
      if (!(error instanceof ApiError) || error.httpStatus !== 404 || isIdOf('agt', nameOrId)) throw error;
    }
    const names: string[] = [];
    for await (const { id, name } of pages((cursor) => this.listAgents({ limit: 100, cursor, ...options }))) {
      if (name === nameOrId) return this.getAgent(id, options);
      names.push(name);
    }
    const { nearest } = await import('../domain/nearest.js');
    const near = nearest(nameOrId, names);
    throw notFound('agent', nameOrId, [...(near ? [`Did you mean ${near}?`] : []), 'pao agent list']);
  }

  createAgent(
    agent: {
      name: string;
      title?: string | undefined;
      scopes?: string[] | undefined;
      budget?: AgentBudgetObject | undefined;
      /** Of its token. */
      expires_in_seconds?: number | undefined;
      token_label?: string | undefined;
    },
    options: CallOptions = {},
  ): Promise<CreatedAgentObject> {
    return this.#send('POST', '/v1/agents', agent, options);
  }

  createToken(
    agentId: string,
    input: {
      label?: string | undefined;
      scopes?: string[] | undefined;
      expires_in_seconds?: number | undefined;
      /** Ends the other tokens of the agent after this long; 0 at once. */
      revoke_others_after_seconds?: number | undefined;
    } = {},
    options: CallOptions = {},
  ): Promise<NewTokenObject> {
    return this.#send('POST', `/v1/agents/${encodeURIComponent(agentId)}/tokens`, input, options);
  }

  revokeToken(agentId: string, tokenId: string, options: CallOptions = {}): Promise<void> {
    const path = `/v1/agents/${encodeURIComponent(agentId)}/tokens/${encodeURIComponent(tokenId)}`;
    return this.request({ method: 'DELETE', path, ...options });
  }

  /** Names of the secrets this token may use; never values. */
  listSecrets(options: CallOptions = {}): Promise<ListPage<SecretObject>> {
    return this.request({ method: 'GET', path: '/v1/secrets', ...options });
  }

  /** Sets the quiet hours and vacations of an agent, in place of what it had. */
  setAgentQuiet(
    id: string,
    times: Pick<AgentObject, 'quiet_hours' | 'vacation'>,
    options: CallOptions = {},
  ): Promise<AgentObject> {
    return this.#send('PUT', `/v1/agents/${encodeURIComponent(id)}/quiet`, times, options);
  }

  /** Changes what is given of an agent. */
  updateAgent(
    id: string,
    changes: {
      title?: string | null;
      scopes?: string[];
      max_tasks?: number | null;
      budget?: AgentBudgetObject | null;
    },
    options: CallOptions = {},
  ): Promise<AgentObject> {
    return this.request({
      method: 'PATCH',
      path: `/v1/agents/${encodeURIComponent(id)}`,
      body: changes,
      ...options,
    });
  }

  /** Ends an agent: its tokens are dead at once. */
  deleteAgent(id: string, options: CallOptions = {}): Promise<void> {
    return this.#send('DELETE', `/v1/agents/${encodeURIComponent(id)}`, undefined, options);
  }

  /** How each part of the system is. */
  health(options: CallOptions = {}): Promise<HealthReport> {
    return this.#get('/v1/health', {}, options);
  }

  /** Writes into the audit log what was done to stored secrets; never a value. */
  recordSecretChange(change: SecretChange, options: CallOptions = {}): Promise<void> {
    return this.#send('POST', '/v1/secrets/changes', change, options);
  }

  /** Who did what, newest first; needs `audit:read`. `actor`: a name or an id; `action`: `task.*` for all that begin so. */
  listAudit(
    query: ListQuery & {
      actor?: string | undefined;
      action?: string | undefined;
      object?: string | undefined;
      since?: string | undefined;
    } = {},
  ): Promise<ListPage<AuditObject>> {
    return this.#list('/v1/audit', query);
  }

  /** Any other call of the API. */
  async request<Body>(request: ApiRequest): Promise<Body> {
    return (await this.#transport.send<Body>(request)).body;
  }

  #verb<Body>(id: string, verb: string, body: unknown, options: CallOptions): Promise<Body> {
    return this.#send('POST', `/v1/tasks/${encodeURIComponent(id)}/${verb}`, body, options);
  }

  /** The processes of the system, on all machines; needs `metrics:read`. */
  listServices(options: CallOptions = {}): Promise<ListPage<ServiceObject>> {
    return this.#get('/v1/workers', {}, options);
  }

  #list<Item>(path: string, { signal, ...query }: ListQuery): Promise<ListPage<Item>> {
    return this.#get(path, { ...query } as Record<string, QueryValue>, { signal });
  }

  #get<Body>(path: string, query: Record<string, QueryValue>, options: CallOptions): Promise<Body> {
    return this.request({ method: 'GET', path, query, ...options });
  }

  #send<Body>(
    method: ApiRequest['method'],
    path: string,
    body: unknown,
    options: CallOptions,
  ): Promise<Body> {
    return this.request({ method, path, body, ...options });
  }
}

/** Every item of a list, page by page: `for await (const run of pages((cursor) => client.listRuns({ cursor })))`. */
export async function* pages<Item>(
  fetchPage: (cursor: string | undefined) => Promise<ListPage<Item>>,
): AsyncGenerator<Item> {
  let cursor: string | undefined;
  do {
    const page = await fetchPage(cursor);
    yield* page.items;
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
}
