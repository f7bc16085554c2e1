import { setMaxListeners } from 'node:events';
import type { AgendaObject, ListPage, RunObject, SpentTodayObject } from '../../client/api-objects.js';
import type { PaoClient } from '../../client/pao-client.js';
import { BUDGET_UNITS } from '../../domain/budget.js';
import { PaoError } from '../../domain/errors.js';
import type { HealthReport } from '../../domain/health.js';
import { isFinal } from '../../domain/run.js';
import { type BudgetUse, TOP_PARTS, type TopPart, type TopRun, type TopSnapshot } from './snapshot.js';

const HOUR_MS = 3_600_000;
const RATE_WINDOW_MS = 600_000;
const PAGE = 100;
const AGENDA = 500;
const NEAR_LIMIT = 0.8;
/** What changes slowly is asked for in every fifth look, budgets in every fifteenth. */
const SLOW = 5;
const SLOWEST = 15;

const EVERY: Record<TopPart, number> = {
  running: 1,
  recent: 1,
  approvals: 1,
  workers: 1,
  failed: SLOW,
  messages: SLOW,
  next: SLOW,
  paused: SLOW,
  budgets: SLOWEST,
};

type Parts = Pick<
  TopSnapshot,
  'workers' | 'running' | 'approvals' | 'messages' | 'next' | 'paused' | 'budgets'
> & {
  recent: ListPage<RunObject>;
  failed: { items: TopRun[]; more: boolean };
};

const NOTHING: Parts = {
  workers: [],
  running: [],
  approvals: [],
  messages: [],
  next: [],
  paused: [],
  budgets: [],
  recent: { items: [], next_cursor: null },
  failed: { items: [], more: false },
};

/** Reads a running system again and again, with five requests a look and a few more now and then. */
export class TopSource {
  readonly #parts: Parts = { ...NOTHING };
  readonly #problems = new Map<TopPart, { code: string; message: string }>();
  #looks = 0;

  constructor(
    private readonly client: PaoClient,
    private readonly url: string,
    private readonly now: () => number = Date.now,
  ) {}

  /** Has everything read at the next look: after something was done. */
  refreshAll(): void {
    this.#looks = 0;
  }

  /** @throws what the server says of its health, when it says nothing of that: it is away, or knows the token not. */
  async look(until: AbortSignal): Promise<TopSnapshot> {
    const signal = AbortSignal.any([until]);
    // Every request of the look listens to it.
    setMaxListeners(0, signal);
    const due = TOP_PARTS.filter((part) => this.#looks % EVERY[part] === 0);
    const [health] = await Promise.all([
      this.client.health({ signal }),
      ...due.map((part) => this.#read(part, signal)),
    ]);
    this.#looks += 1;
    return this.#snapshot(health);
  }

  async #read(part: TopPart, signal: AbortSignal): Promise<void> {
    try {
      Object.assign(this.#parts, { [part]: await this.#ask(part, signal) });
      this.#problems.delete(part);
    } catch (error) {
      if (!(error instanceof PaoError)) throw error;
      if (error.code === 'PAO_UNREACHABLE') throw error;
      Object.assign(this.#parts, { [part]: NOTHING[part] });
      this.#problems.set(part, { code: error.code, message: error.message });
    }
  }

  async #ask(part: TopPart, signal: AbortSignal): Promise<Parts[TopPart]> {
    const { client } = this;
    const hourAgo = new Date(this.now() - HOUR_MS).toISOString();
    switch (part) {
      case 'workers':
        return (await client.listServices({ signal })).items.filter(({ kind }) => kind === 'worker');
      case 'running':
        return (await client.listRuns({ status: 'running,waiting', limit: PAGE, signal })).items.map(runOf);
      case 'recent':
        return client.listRuns({ since: hourAgo, limit: PAGE, signal });
      case 'failed': {
        const page = await client.listRuns({
          status: 'failed,dead,missed',
          since: hourAgo,
          limit: PAGE,
          signal,
        });
        return { items: page.items.map(runOf), more: page.next_cursor !== null };
      }
      case 'approvals':
        return (await client.listApprovals({ limit: PAGE, signal })).items;
      case 'messages': {
        const status = 'pending,sending,deferred,unknown,failed';
        const { items } = await client.listDeliveries({ status, limit: PAGE, signal });
        return items
          .filter(({ status: at, created_at: since }) => at !== 'failed' || since >= hourAgo)
          .map(messageOf);
      }
      case 'next':
        return nextOfEach(await client.agenda({ hours: 24, limit: AGENDA, often: 1, signal }));
      case 'paused': {
        const { items } = await client.listTasks({ state: 'paused', limit: PAGE, signal });
        return items.map(({ id, name, state_reason, updated_at }) => ({
          id,
          name,
          state_reason,
          updated_at,
        }));
      }
      case 'budgets':
        return this.#budgets(signal);
    }
  }

  /** Agents and tasks that have a budget of a day, and have used most of it. */
  async #budgets(signal: AbortSignal): Promise<BudgetUse[]> {
    const { tasks, agents } = await this.client.spendToday({ signal });
    return [
      ...tasks.flatMap(({ task_id, name, spent_today }) => usesOf('task', task_id, name, spent_today)),
      ...agents.flatMap(({ agent_id, name, spent_today }) => usesOf('agent', agent_id, name, spent_today)),
    ].sort((a, b) => b.share - a.share);
  }

  #snapshot(health: HealthReport): TopSnapshot {
    const now = this.now();
    const { recent, failed, ...parts } = this.#parts;
    const may = (part: TopPart) => !this.#problems.has(part);
    const detail = (check: string, name: string): number | null => {
      const value = health.checks.find((one) => one.name === check)?.[name];
      return typeof value === 'number' ? value : null;
    };
    // What has failed since the last slow look stands among the newest runs.
    const known = new Set(failed.items.map(({ id }) => id));
    const failures = [
      ...recent.items.filter((run) => isFailure(run) && !known.has(run.id)).map(runOf),
      ...failed.items,
    ].sort((a, b) => (endOf(a) < endOf(b) ? 1 : -1));
    const waiting = parts.running.filter(({ status }) => status === 'waiting').length;
    return {
      url: this.url,
      at: new Date(now).toISOString(),
      health,
      queue: {
        due: detail('queue', 'due'),
        leased: detail('queue', 'leased'),
        lag_seconds: detail('queue', 'lag_seconds'),
        running: may('running') ? parts.running.length - waiting : null,
        waiting: may('running') ? waiting : null,
        dead: detail('queue', 'dead'),
      },
      rates: {
        ...ratesOf(recent, now, may('recent')),
        failed_last_hour: may('failed') ? failures.length : null,
        failed_last_hour_truncated: failed.more,
      },
      ...parts,
      failed: failures,
      not_shown: [...this.#problems].map(([part, problem]) => ({ part, ...problem })),
    };
  }
}

/** What each task is due for next; of those that are due again and again, the agenda has just that. */
function nextOfEach({ items, often = [] }: AgendaObject): TopSnapshot['next'] {
  return [...items, ...often].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

const endOf = ({ finished_at: at, scheduled_for: due }: TopRun): string => at ?? due;

const isFailure = ({ status }: Pick<RunObject, 'status'>): boolean =>
  status === 'failed' || status === 'dead' || status === 'missed';

/** How many runs ended a minute, over ten minutes or as far back as one page of runs reaches. */
function ratesOf({ items, next_cursor }: ListPage<RunObject>, now: number, isKnown: boolean) {
  const oldest = items.at(-1);
  const reach =
    next_cursor === null || oldest === undefined ? RATE_WINDOW_MS : now - Date.parse(oldest.created_at);
  const windowMs = Math.max(1000, Math.min(RATE_WINDOW_MS, reach));
  const ended = items.filter(
    ({ status, started_at: started, finished_at: at }) =>
      isFinal(status) && started !== null && at !== null && Date.parse(at) > now - windowMs,
  );
  const aMinute = (count: number) => Math.round((count / (windowMs / 60_000)) * 10) / 10;
  return {
    window_seconds: Math.round(windowMs / 1000),
    runs_per_minute: isKnown ? aMinute(ended.length) : null,
    failures_per_minute: isKnown ? aMinute(ended.filter(isFailure).length) : null,
  };
}

function usesOf(kind: BudgetUse['kind'], id: string, name: string, spent: SpentTodayObject): BudgetUse[] {
  return BUDGET_UNITS.flatMap((unit) => {
    const limit = spent.limits[unit];
    if (limit === undefined) return [];
    const share = limit === 0 ? 1 : spent[unit] / limit;
    return share < NEAR_LIMIT ? [] : [{ kind, id, name, unit, used: spent[unit], limit, share }];
  });
}

const runOf = (run: RunObject | TopRun): TopRun => ({
  id: run.id,
  task_id: run.task_id,
  task_name: run.task_name,
  status: run.status,
  reason: run.reason,
  trigger: run.trigger,
  scheduled_for: run.scheduled_for,
  started_at: run.started_at,
  finished_at: run.finished_at,
  duration_ms: run.duration_ms,
  attempt: run.attempt,
  worker_id: run.worker_id,
  error: run.error,
});

const messageOf = (message: TopSnapshot['messages'][number]): TopSnapshot['messages'][number] => ({
  id: message.id,
  run_id: message.run_id,
  task_id: message.task_id,
  channel: message.channel,
  status: message.status,
  reason: message.reason,
  due_at: message.due_at,
  attempts: message.attempts,
  error: message.error,
  created_at: message.created_at,
});
