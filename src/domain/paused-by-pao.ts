/** How the reasons begin with which pao pauses a task by itself. */
const BY_PAO = /^(budget: |failed \d+ times in a row: |error: )/;

/**
 * Whether pao paused a task by itself: over its budget, after failures, or because its schedule could not be computed.
 * A person knows of the others: they paused them.
 */
export const isPausedByPao = ({
  state,
  state_reason: reason,
}: {
  state: string;
  state_reason: string | null;
}): boolean => state === 'paused' && reason !== null && BY_PAO.test(reason);
