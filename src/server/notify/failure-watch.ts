import type { Clock } from '../../domain/clock.js';
import { parseDuration } from '../../domain/duration.js';
import type { Observer } from '../../domain/observability/observer.js';
import { PAUSE_REASON, pausedForFailures } from '../../domain/paused-by-pao.js';
import { isFailure, isFinal, type Run, type RunStatus } from '../../domain/run.js';
import type { Task } from '../../domain/task.js';
import type { Bus } from '../bus/bus.js';
import type { Config } from '../config.js';
import { pauseTask } from '../pause-task.js';
import type { Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';
import { type Notice, noticeOf } from './notice.js';
import { logNotice, type PutNotice } from './put-notice.js';

const PREFIX = 'failing:';
/** What failed; everything else that ended well or was not the task's doing breaks no row of failures but a success. */
const FAILED: readonly RunStatus[] = ['failed', 'dead'];
const WORKED: readonly RunStatus[] = ['succeeded', 'partial'];
const MOST_TASKS = 500;

/** What is remembered of a task that fails, in `meta`: whoever swaps it in is the one who tells. */
interface FailingState {
  since: number;
  failures: number;
  /** When people were last told; null: they could not be told yet. */
  notified_at: number | null;
  /** The key of the message that told them; whether it arrived is seen there. */
  told_by?: string | null;
  /** The reason of the pause that people were told of. */
  told_pause?: string | null;
}

export interface FailureWatchOptions {
  store: Store;
  bus: Bus;
  clock: Clock;
  logger: Logger;
  observer: Observer;
  notify: Config['notify'];
  put: PutNotice;
}

/**
 * Sees tasks that fail again and again: tells people after n failures in a row and again after the cooldown, tells them
 * when it works again, and pauses a task after its limit. Level-triggered: it looks at the runs as they are, so a restart
 * or a lost message changes nothing, and of several servers one tells.
 */
export class FailureWatch {
  /** The newest failures that were looked at: one that began before another may end after it. */
  #seen = new Set<string>();

  constructor(private readonly options: FailureWatchOptions) {}

  /** One look: costs what failed since the last one, and what is known to fail. */
  async runOnce(): Promise<void> {
    const { store, observer } = this.options;
    const known = await store.listMeta(PREFIX, MOST_TASKS);
    const page = await store.listRuns({ statuses: [...FAILED], limit: 200 });
    const fresh = page.items.filter((run) => isFailure(run) && !this.#seen.has(run.id));
    const ids = new Set([
      ...known.map(({ key }) => key.slice(PREFIX.length)),
      ...fresh.map(({ taskId }) => taskId),
    ]);
    for (const id of ids) await this.#look(id);
    this.#seen = new Set(page.items.map(({ id }) => id));
    observer.set('failing_tasks', {}, (await store.listMeta(PREFIX, MOST_TASKS)).length);
  }

  async #look(taskId: string): Promise<void> {
    const { store, clock, notify } = this.options;
    const key = PREFIX + taskId;
    const [task, text] = await Promise.all([store.getTask(taskId), store.getMeta(key)]);
    const state = text === null ? null : (JSON.parse(text) as FailingState);
    if (task === null || task.state === 'canceled') {
      if (text !== null) await store.swapMeta(key, text, null);
      return;
    }
    const monitor = task.spec.monitor ?? {};
    const after = monitor.notify_after ?? notify.after;
    const pauseAfter = monitor.pause_after ?? notify.pause_after ?? null;
    const row = await this.#rowOfFailures(taskId, Math.max(after, pauseAfter ?? 0, state?.failures ?? 0));
    const [last] = row.failures;
    if (last === undefined) {
      if (text === null || state === null || !(await store.swapMeta(key, text, null))) return;
      if (row.last !== null && state.notified_at !== null)
        await this.#tell(
          noticeOf('task_recovered', task, row.last, state.failures, state.since, clock.now()),
          task,
        );
      return;
    }
    const failures = row.failures.length;
    if (failures < Math.min(after, pauseAfter ?? after)) return;
    const since = state?.since ?? (row.failures.at(-1) as Run).finishedAt ?? clock.now();
    const isOver = pauseAfter !== null && failures >= pauseAfter;
    const justNow = isOver ? await this.#pause(task, failures, last) : null;
    const pause = justNow ?? pausedForFailures(task);
    // Also one of before: a crash, or a message that could not be written, must not leave it unsaid.
    const paused = justNow !== null || (pause !== null && !isToldOf(pause, state));
    const isNew = state === null || failures > state.failures || state.notified_at === null;
    const rested =
      state === null ||
      state.notified_at === null ||
      (await this.#didNotArrive(task, state)) ||
      clock.now() - state.notified_at >= parseDuration(monitor.cooldown ?? notify.cooldown);
    if (!paused && !(isNew && rested && failures >= after)) return;
    const kind = paused ? 'task_paused' : 'task_failing';
    // First: a crash in between tells again, and the same notice is the same message.
    const told = await this.#tell(noticeOf(kind, task, last, failures, since, clock.now()), task);
    const next: FailingState =
      told === undefined
        ? { since, failures, notified_at: null, told_pause: state?.told_pause ?? null }
        : { since, failures, notified_at: clock.now(), told_by: told, told_pause: pause };
    await store.swapMeta(key, text, JSON.stringify(next));
  }

  /** Then people are told with the next failure. */
  async #didNotArrive(task: Task, { told_by: key }: FailingState): Promise<boolean> {
    if (key === undefined || key === null) return false;
    return (await this.options.store.findDelivery(task.agentId, key))?.status === 'failed';
  }

  /** The failures since the last success, newest first, `most` at most. */
  async #rowOfFailures(taskId: string, most: number): Promise<{ failures: Run[]; last: Run | null }> {
    const failures: Run[] = [];
    let last: Run | null = null;
    let cursor: string | undefined;
    do {
      const page = await this.options.store.listRuns({
        taskId,
        statuses: [...FAILED, ...WORKED],
        limit: Math.min(1000, most + 1),
        cursor,
      });
      for (const run of page.items) {
        const worked = WORKED.includes(run.status);
        // A person's no is neither.
        if (!isFinal(run.status) || !(worked || isFailure(run))) continue;
        last ??= run;
        if (worked) return { failures, last };
        failures.push(run);
      }
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined && failures.length < most);
    return { failures, last };
  }

  /** @returns the reason, when it was active and is paused now; else null. */
  async #pause(task: Task, failures: number, last: Run): Promise<string | null> {
    const { store, clock, bus, logger, observer } = this.options;
    const cause = last.error?.message ?? last.reason ?? 'no reason was recorded';
    const reason = PAUSE_REASON.failures(failures, cause);
    if (!(await pauseTask(store, task, reason, { run_id: last.id }, clock.now()))) return null;
    bus.publish('schedule', { reason: 'task' });
    observer.add('tasks_auto_paused_total');
    logger.warn(
      { task_id: task.id, task: task.name, run_id: last.id, failures },
      'task paused after failures',
    );
    return reason.slice(0, 500);
  }

  /** @returns the key of the message, null when nobody is to be told, undefined when it could not be written. */
  async #tell(notice: Notice, task: Task): Promise<string | null | undefined> {
    const { logger } = this.options;
    logNotice(logger, notice);
    const key = `${notice.kind}/${task.id}/${notice.last_run_id}`;
    try {
      return await this.options.put(notice, { task, agentId: task.agentId }, key);
    } catch (error) {
      logger.warn({ notice: notice.kind, key, err: error }, 'a notice could not be put into the outbox');
      return undefined;
    }
  }
}

/** Whether people were told of the pause; by what an older pao remembers, of any. */
const isToldOf = (pause: string, state: FailingState | null): boolean =>
  state?.told_pause === undefined
    ? state?.told_by?.startsWith('task_paused/') === true
    : state.told_pause === pause;
