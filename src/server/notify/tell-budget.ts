import { localDayOf } from '../../domain/pipeline/instants.js';
import { zoneOf } from '../../domain/broken-schedule.js';
import type { Run } from '../../domain/run.js';
import type { Task } from '../../domain/task.js';
import { noticeOfBudget, noticeOfLeftOut } from './notice.js';
import { type NoticeOutbox, openNoticeDesk } from './put-notice.js';

/** Tells people that a budget paused a task, where they are told of failures too; once for each time it is paused. */
export function tellBudgetPause(
  options: NoticeOutbox,
): (task: Task, why: { words: string; day: string | null; runId: string | null }) => Promise<void> {
  const tell = openNoticeDesk(options);
  return async (task, why) => {
    options.bus.publish('schedule', { reason: 'task' });
    // The version it had: paused again later, it has another. It is paused all the same, and says why.
    await tell(
      noticeOfBudget(task, why),
      { task, agentId: task.agentId },
      `budget_paused/${task.id}/${task.version}`,
    );
  };
}

/**
 * Tells people that a budget left out a run: of a task once a day, by the days of its zone. Of one that the budget paused
 * they know.
 */
export function tellLeftOut(options: NoticeOutbox): (run: Run, words: string) => Promise<void> {
  const { store, now } = options;
  const tell = openNoticeDesk(options);
  /** By task, the day on which it was told of here; that it is told once is what the key of the message is for. */
  const told = new Map<string, string>();
  return async (run, words) => {
    const task = await store.getTask(run.taskId).catch(() => null);
    if (task === null || task.state === 'paused') return;
    const { date } = localDayOf(now(), zoneOf(task.spec.schedule));
    if (told.get(task.id) === date) return;
    const isWritten = await tell(
      noticeOfLeftOut(task, run, words),
      { task, agentId: task.agentId },
      `run_left_out/${task.id}/${date}`,
    );
    if (!isWritten) return;
    if (told.size >= MOST_TOLD) told.clear();
    told.set(task.id, date);
  };
}

/** Tasks of which it is remembered that they were told of. */
const MOST_TOLD = 10_000;
