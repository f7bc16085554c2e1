import { formatDuration } from '../../domain/duration.js';
import type { Delivery } from '../../domain/delivery.js';
import type { Run } from '../../domain/run.js';
import type { Task } from '../../domain/task.js';

/** What people are told about a task; a tool's input may use it as `${notice.text}` and so on. */
export interface Notice {
  kind: 'task_failing' | 'task_paused' | 'task_recovered' | 'message_failed' | 'message_unknown';
  title: string;
  text: string;
  task: string;
  task_id: string;
  agent_id: string;
  /** Failures in a row; of a task. */
  failures?: number;
  failing_since?: string;
  last_run_id: string | null;
  reason: string | null;
  error: string | null;
  hint: string;
}

/** Words for people about a task that fails, was paused for it, or works again. */
export function noticeOf(
  kind: 'task_failing' | 'task_paused' | 'task_recovered',
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

/** Words for people about a task that a budget paused, with what to type to go on. */
export function noticeOfBudget(
  task: Task,
  { words, day, runId }: { words: string; day: string | null; runId: string | null },
): Notice {
  const again =
    day === null
      ? 'The next run has a budget of its own.'
      : `The budget begins anew after ${day}; to go on sooner, the task needs a larger one.`;
  return {
    kind: 'task_paused',
    title: `${task.name} was paused by its budget`,
    text: `${task.name} was paused (on_exceed: pause). ${words} ${again}`,
    task: task.name,
    task_id: task.id,
    agent_id: task.agentId,
    last_run_id: runId,
    reason: 'budget',
    error: words,
    hint: `pao task resume ${task.name}`,
  };
}

/** Words for people about a message that did not arrive, or of which nobody knows. */
export function noticeOfMessage(delivery: Delivery, task: Task | null): Notice {
  const { id, channel, status, error, runId, agentId, taskId } = delivery;
  const of = task === null ? 'A message' : `A message of ${task.name}`;
  const cause = error?.message ?? 'the process that sent it died';
  const isUnknown = status === 'unknown';
  return {
    kind: isUnknown ? 'message_unknown' : 'message_failed',
    title: isUnknown ? `${of} may not have arrived` : `${of} did not arrive`,
    text: isUnknown
      ? `${of} to ${channel} was sent and its answer was lost; it is not sent again on its own: ${cause}`
      : `${of} to ${channel} could not be delivered: ${cause}`,
    task: task?.name ?? '',
    task_id: taskId ?? '',
    agent_id: agentId,
    last_run_id: runId,
    reason: delivery.reason,
    error: error?.message ?? null,
    hint: `pao delivery show ${id}`,
  };
}
