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
/** Rows looked at for one notice. */
const MOST_ROWS = 1000;
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
  async #missed({ since, until }: MissedMark): Promise<Missed[]> {
    const { store } = this.options;
    const { items } = await store.listRuns({ statuses: ['missed'], limit: MOST_ROWS });
    const byTask = new Map<string, Run[]>();
    for (const run of items) {
      const isOfThese = run.createdAt >= since && run.createdAt <= until && run.trigger === 'schedule';
      if (!isOfThese || !UNWANTED.includes(run.reason ?? '')) continue;
      byTask.set(run.taskId, [...(byTask.get(run.taskId) ?? []), run]);
    }
    const missed: Missed[] = [];
    for (const [taskId, runs] of byTask) {
      const task = await store.getTask(taskId);
      if (task === null || task.state === 'canceled' || (await this.#isCaughtUp(task, runs))) continue;
      missed.push({ task, runs });
    }
    const nameOf = ({ task }: Missed) => `${task.name}/${task.id}`;
    return missed.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  }

  /** With `latest` one run stands for all that came due: when it was begun, nothing is missed. */
  async #isCaughtUp({ id, spec: { schedule } }: Task, runs: readonly Run[]): Promise<boolean> {
    if (schedule === undefined || !('catchup' in schedule) || schedule.catchup.policy !== 'latest')
      return false;
    const last = Math.max(...runs.map(({ scheduledFor }) => scheduledFor));
    const { items } = await this.options.store.listRuns({ taskId: id, since: last + 1, limit: NEAR });
    return items.some(({ trigger }) => trigger === 'catchup');
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
