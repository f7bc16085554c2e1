import { formatDuration } from '../../domain/duration.js';
import type { Run } from '../../domain/run.js';
import type { Task } from '../../domain/task.js';

/** What people are told about a task; a tool's input may use it as `${notice.text}` and so on. */
export interface Notice {
  kind: 'task_failing' | 'task_paused' | 'task_recovered';
  title: string;
  text: string;
  task: string;
  task_id: string;
  agent_id: string;
  /** Failures in a row. */
  failures: number;
  failing_since: string;
  last_run_id: string;
  reason: string | null;
  error: string | null;
  hint: string;
}

/** Words for people about a task that fails, was paused for it, or works again. */
export function noticeOf(
  kind: Notice['kind'],
  task: Task,
  last: Run,
  failures: number,
  since: number,
  now: number,
): Notice {
  const times = `${failures} ${failures === 1 ? 'time' : 'times'} in a row`;
  const cause = last.error?.message ?? last.reason ?? 'no reason was recorded';
  const words = {
    task_failing: {
      title: `${task.name} fails`,
      text: `${task.name} has failed ${times}, since ${formatDuration(now - since)}: ${cause}`,
      hint: `pao run show ${last.id}`,
    },
    task_paused: {
      title: `${task.name} was paused`,
      text: `${task.name} has failed ${times} and was paused: ${cause}`,
      hint: `pao task resume ${task.name}`,
    },
    task_recovered: {
      title: `${task.name} works again`,
      text: `${task.name} succeeded after ${failures} ${failures === 1 ? 'failure' : 'failures'} over ${formatDuration(now - since)}.`,
      hint: `pao task history ${task.name}`,
    },
  }[kind];
  return {
    kind,
    ...words,
    task: task.name,
    task_id: task.id,
    agent_id: task.agentId,
    failures,
    failing_since: new Date(since).toISOString(),
    last_run_id: last.id,
    reason: kind === 'task_recovered' ? null : last.reason,
    error: kind === 'task_recovered' ? null : (last.error?.message ?? null),
  };
}
