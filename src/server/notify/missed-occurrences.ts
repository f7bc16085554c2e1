import { canonicalJson } from '../../domain/json.js';
import type { Run } from '../../domain/run.js';
import type { Task } from '../../domain/task.js';
import { MISSED_KEY, type MissedMark, readMissed } from '../store/missed-mark.js';
import type { Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';
import { noticeOfMissed } from './notice.js';
import { logNotice, oneOfSeveral, type PutNotice } from './put-notice.js';

/**
 * Why an occurrence was missed that somebody wanted. Not `catchup_skip`: the task says that it is not wanted late; nor
 * `restored`, which a person did.
 */
const UNWANTED: readonly string[] = ['catchup_window', 'catchup_latest', 'catchup_max'];
/** Rows are read by so many, and so many times at most for one notice. */
const PAGE = 1000;
const MOST_PAGES = 100;
/** The newest runs of a task among which the one that caught up is. */
const NEAR = 50;

interface Missed {
  task: Task;
  /** Newest first. */
  runs: Run[];
}

/** Tells people, once all is written, which occurrences were missed and not caught up: one notice for what came together. */
export class MissedOccurrences {
  constructor(
    private readonly options: {
      store: Store;
      now: () => number;
      logger: Logger;
      put: PutNotice;
      /** An occurrence that is due for longer is late, milliseconds: the scheduler still works off what came due. */
      misfireAfterMs: number;
    },
  ) {}

  async runOnce(): Promise<void> {
    const { store, now, misfireAfterMs, logger, put } = this.options;
    const text = await store.getMeta(MISSED_KEY);
    if (text === null) return;
    const due = await store.nextDueAt();
    if (due !== null && now() - due > misfireAfterMs) return;
    const mark = readMissed(text);
    let all = true;
    for (const together of groupsOf(await this.#missed(mark))) {
      const [{ task, runs }] = together as [Missed, ...Missed[]];
      const notice = noticeOfMissed(together);
      logNotice(logger, notice);
      const isOwn = together.length === 1 || task.spec.monitor?.notify !== undefined;
      const subject = { task: isOwn ? task : null, agentId: task.agentId };
      const told = await oneOfSeveral(logger, { notice: notice.kind, task_id: task.id }, async () => {
        await put(notice, subject, `${notice.kind}/${runs[0]?.id ?? task.id}`);
      });
      all &&= told;
    }
    if (!all) return;
    // Last: a crash before it tells again, and the same notice is the same message.
    if (await store.swapMeta(MISSED_KEY, text, null)) return;
    const more = await store.getMeta(MISSED_KEY);
    if (more === null) return;
    // More was missed meanwhile, of which nobody was told yet.
    const { since, until } = readMissed(more);
    const rest: MissedMark = { since: Math.max(since, mark.until + 1), until };
    await store.swapMeta(MISSED_KEY, more, rest.since > until ? null : JSON.stringify(rest));
  }

  /** By task, in the order of their names: whoever looks says the same. */
  async #missed(mark: MissedMark): Promise<Missed[]> {
    const { store } = this.options;
    const missed: Missed[] = [];
    for (const [taskId, rows] of await this.#rowsOf(mark)) {
      const task = await store.getTask(taskId);
      if (task === null || task.state === 'canceled') continue;
      const runs = await this.#notCaughtUp(task, rows);
      if (runs.length > 0) missed.push({ task, runs });
    }
    const nameOf = ({ task }: Missed) => `${task.name}/${task.id}`;
    return missed.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  }

  /** By the id of their task. */
  async #rowsOf({ since, until }: MissedMark): Promise<Map<string, Run[]>> {
    const { store, logger } = this.options;
    const byTask = new Map<string, Run[]>();
    let cursor: string | undefined;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const { items, nextCursor } = await store.listRuns({
        statuses: ['missed'],
        reasons: [...UNWANTED],
        limit: PAGE,
        cursor,
      });
      for (const run of items) {
        if (run.createdAt < since || run.createdAt > until || run.trigger !== 'schedule') continue;
        const rows = byTask.get(run.taskId);
        if (rows === undefined) byTask.set(run.taskId, [run]);
        else rows.push(run);
      }
      if (nextCursor === null || items.every(({ createdAt }) => createdAt < since)) return byTask;
      cursor = nextCursor;
    }
    logger.warn({ rows: MOST_PAGES * PAGE }, 'more occurrences were missed than one notice can count');
    return byTask;
  }

  /**
   * The rows no run stands for. With `latest` one run stands for all that came due, also those beyond the window: when it
   * was begun, nothing is missed. Rows `catchup_latest` say themselves that it was so, be it by an order of `task resume`.
   */
  async #notCaughtUp({ id, spec: { schedule } }: Task, runs: readonly Run[]): Promise<Run[]> {
    const isLatest = schedule !== undefined && 'catchup' in schedule && schedule.catchup.policy === 'latest';
    const isForLatest = ({ reason }: Run) =>
      reason === 'catchup_latest' || (isLatest && reason === 'catchup_window');
    const last = runs.filter(isForLatest).reduce((most, { scheduledFor }) => Math.max(most, scheduledFor), 0);
    if (last === 0) return [...runs];
    const { items } = await this.options.store.listRuns({ taskId: id, since: last + 1, limit: NEAR });
    return items.some(({ trigger }) => trigger === 'catchup')
      ? runs.filter((run) => !isForLatest(run))
      : [...runs];
  }
}

/** What is told together: of one agent, and to the same people. */
function groupsOf(missed: readonly Missed[]): Missed[][] {
  const groups = new Map<string, Missed[]>();
  for (const one of missed) {
    const key = canonicalJson([one.task.agentId, one.task.spec.monitor?.notify ?? null]);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()];
}
