/** The reasons with which pao pauses a task by itself: over its budget, after failures, or because it could not be scheduled. */
export const PAUSE_REASON = {
  budget: (words: string): string => `budget: ${words}`,
  failures: (count: number, cause: string): string => `failed ${count} times in a row: ${cause}`,
  error: (message: string): string => `error: ${message.slice(0, 500)}`,
};

/** The reason with which pao paused a task after failures; null where that is not why it is as it is. */
export const pausedForFailures = (task: { state: string; stateReason: string | null }): string | null =>
  task.state === 'paused' && /^failed \d+ times in a row: /.test(task.stateReason ?? '')
    ? task.stateReason
    : null;

/** Keys in `meta`, followed by the id of a task that could not be scheduled: of its pause people are still to be told. */
export const BROKEN_PREFIX = 'broken:';

/** How those begin. */
const BY_PAO = /^(budget: |failed \d+ times in a row: |error: )/;

/** Whether pao paused a task by itself. A person knows of the others: they paused them. */
export const isPausedByPao = ({
  state,
  state_reason: reason,
}: {
  state: string;
  state_reason: string | null;
}): boolean => state === 'paused' && reason !== null && BY_PAO.test(reason);
