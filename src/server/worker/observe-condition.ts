import { parseDuration } from '../../domain/duration.js';
import { evaluateCondition } from '../../domain/pipeline/template.js';
import type { ConditionSchedule } from '../../domain/schedule.js';

/** What a condition schedule remembers between two looks. */
interface ConditionMemory {
  previous: unknown;
  /** Since when it has been true without a break, epoch milliseconds; null while it is false. */
  true_since: number | null;
  /** It has triggered in this stretch of being true. */
  fired: boolean;
  last_fired_at: number | null;
}

/**
 * Decides whether an observation triggers the task: edge or level, held `for` long enough, not within the cooldown.
 * @param at the instant of the look, epoch milliseconds.
 * @throws TemplateError when `when` can not be evaluated.
 */
export function observe(
  schedule: ConditionSchedule,
  result: unknown,
  before: Record<string, unknown> | null,
  at: number,
): { triggered: boolean; memory: Record<string, unknown> } {
  const memory = (before as ConditionMemory | null) ?? {
    previous: null,
    true_since: null,
    fired: false,
    last_fired_at: null,
  };
  const test = (expression: string, pointer: string) =>
    evaluateCondition(
      expression,
      { result, previous: memory.previous, state: memory },
      { zone: schedule.timezone, pointer },
    );
  // Once true it stays so until `clear_when` says otherwise: a value that trembles on the threshold is one event.
  const holds =
    memory.true_since !== null && schedule.clear_when !== undefined
      ? !test(schedule.clear_when, '/schedule/clear_when')
      : test(schedule.when, '/schedule/when');
  const since = holds ? (memory.true_since ?? at) : null;
  const longEnough = since !== null && at - since >= parseDuration(schedule.for ?? '0s');
  const rested =
    schedule.cooldown === undefined ||
    memory.last_fired_at === null ||
    at - memory.last_fired_at >= parseDuration(schedule.cooldown);
  const triggered = longEnough && rested && (schedule.trigger === 'level' || !memory.fired);
  return {
    triggered,
    memory: {
      previous: result,
      true_since: since,
      fired: holds && (memory.fired || triggered),
      last_fired_at: triggered ? at : memory.last_fired_at,
    },
  };
}
