import { counted } from '../../domain/counted.js';
import { zoneOf } from '../../domain/broken-schedule.js';
import { formatDuration } from '../../domain/duration.js';
import type { Delivery } from '../../domain/delivery.js';
import { formatInZone } from '../../domain/recurrence/index.js';
import type { Run, StepRun } from '../../domain/run.js';
import type { Task } from '../../domain/task.js';

/** What people are told about a task; a tool's input may use it as `${notice.text}` and so on. */
export interface Notice {
  kind:
    | 'task_failing'
    | 'task_paused'
    | 'task_recovered'
    | 'step_failing'
    | 'run_needs_person'
    | 'run_left_out'
    | 'runs_missed'
    | 'message_failed'
    | 'message_unknown';
  title: string;
  text: string;
  /** Empty when it is about several tasks. */
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

/** Words for people about a task that can not be scheduled and was paused for it. */
export function noticeOfBroken(task: Task, reason: string): Notice {
  return {
    kind: 'task_paused',
    title: `${task.name} was paused`,
    text: `${task.name} can not be scheduled and was paused (${reason.replace(/\.$/, '')}). Its definition in the database was damaged: hand it in again (pao task apply FILE).`,
    ...about(task, null),
    reason: 'error',
    error: reason,
    hint: `pao task resume ${task.name}`,
  };
}

/** Words for people about a run with calls of which nobody knows whether they did their work. */
export function noticeOfLost(task: Task, run: Run, steps: readonly StepRun[]): Notice {
  const [first] = steps as [StepRun, ...StepRun[]];
  const names = steps.map(({ stepId, tool }) => (tool === null ? stepId : `${stepId} (${tool})`));
  const isOne = steps.length === 1;
  return {
    kind: 'run_needs_person',
    title: `${task.name} needs you`,
    text: `Whether ${names.join(', ')} of ${task.name} did ${isOne ? 'its' : 'their'} work is not known: the answer was lost, and pao does not call again on its own. Look at the other side.`,
    ...about(task, run.id),
    reason: 'unknown_outcome',
    error: first.error?.message ?? run.error?.message ?? null,
    hint: `pao run resolve ${run.id}${isOne ? '' : ` ${first.stepId}`} --done (or --not-done)`,
  };
}

/** Words for people about a step that will not work again by itself, while its task goes on without it. */
export function noticeOfStep(task: Task, step: StepRun): Notice {
  const { stepId, tool, reason, error } = step;
  const cause = error?.message ?? reason ?? 'no reason was recorded';
  return {
    kind: 'step_failing',
    title: `${stepId} of ${task.name} does not work`,
    text: `${stepId}${tool === null ? '' : ` (${tool})`} of ${task.name} ended with ${reason}, and the run went on without it: ${cause.replace(/\.$/, '')}. That does not mend itself; you are told once until it works again.`,
    ...about(task, step.runId),
    reason,
    error: error?.message ?? null,
    hint: `pao run show ${step.runId}`,
  };
}

/** Words for people about a run that a budget left out. */
export function noticeOfLeftOut(task: Task, run: Run, words: string): Notice {
  const when = formatInZone(zoneOf(task.spec.schedule), run.scheduledFor);
  return {
    kind: 'run_left_out',
    title: `${task.name} is left out by its budget`,
    text: `The run of ${task.name} of ${when} was left out: ${words.replace(/\.$/, '')}. More of them today are not told of.`,
    ...about(task, run.id),
    reason: 'budget',
    error: words,
    hint: `pao task show ${task.name}`,
  };
}

/** Tasks that are named in one notice. */
const MOST_NAMED = 5;

/** Words for people about occurrences that were missed and are not caught up, of tasks of one agent. */
export function noticeOfMissed(missed: readonly { task: Task; runs: readonly Run[] }[]): Notice {
  const [first] = missed as [(typeof missed)[number], ...typeof missed];
  const total = missed.reduce((sum, { runs }) => sum + runs.length, 0);
  const named = missed.slice(0, MOST_NAMED).map(({ task, runs }) => {
    const last = Math.max(...runs.map(({ scheduledFor }) => scheduledFor));
    const zone = zoneOf(task.spec.schedule);
    const when = `${runs.length === 1 ? '' : 'the last one '}${formatInZone(zone, last)} ${zone}`;
    return `${task.name} (${runs.length === 1 ? '' : `${runs.length}, `}${when})`;
  });
  const more = missed.length - named.length;
  const what = `${counted(total, 'occurrence')} of ${counted(missed.length, 'task')}`;
  const isOne = missed.length === 1;
  return {
    kind: 'runs_missed',
    title: `${what} ${total === 1 ? 'was' : 'were'} missed`,
    text: `While nothing ran, ${what} ${total === 1 ? 'was' : 'were'} missed and not caught up: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}.`,
    ...(isOne
      ? about(first.task, first.runs[0]?.id ?? null)
      : { task: '', task_id: '', agent_id: first.task.agentId, last_run_id: first.runs[0]?.id ?? null }),
    reason: 'missed',
    error: null,
    hint: isOne ? `pao task run ${first.task.name}` : 'pao run list --status missed',
  };
}

const about = (task: Task, runId: string | null) => ({
  task: task.name,
  task_id: task.id,
  agent_id: task.agentId,
  last_run_id: runId,
});

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
