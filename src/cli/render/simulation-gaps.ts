import type { AgentBudget, BudgetLimits, TaskBudget } from '../../domain/budget.js';
import { listensTo, topicMatches } from '../../domain/event.js';
import type { TaskSpec } from '../../domain/task.js';
import type { SimulatedEvent } from '../../server/simulate/simulation.js';

/** Budgets that bound tasks whose tools nobody knows: what they would use of models was not played. */
export interface UnplayedBudgets {
  tasks: string[];
  tools: string[];
  words: string;
  hint: string;
}

const boundsModels = (limits: BudgetLimits | undefined): boolean =>
  limits?.tokens !== undefined || limits?.usd !== undefined;

/** @param unknown tools of a task that are in no catalog. */
export function unplayedBudgets(
  specs: readonly (Pick<TaskSpec, 'name'> & { budget?: TaskBudget | undefined; unknown: string[] })[],
  others: { agent: AgentBudget | null; all: BudgetLimits | undefined },
): UnplayedBudgets | null {
  const isShared = boundsModels(others.agent?.per_day) || boundsModels(others.all);
  const bounded = specs.filter(
    ({ budget, unknown }) =>
      unknown.length > 0 && (isShared || boundsModels(budget?.per_run) || boundsModels(budget?.per_day)),
  );
  if (bounded.length === 0) return null;
  const tasks = bounded.map(({ name }) => name);
  const tools = [...new Set(bounded.flatMap(({ unknown }) => unknown))].sort();
  return {
    tasks,
    tools,
    words: `Budgets of tokens and dollars were not played for ${tasks.join(', ')}: whether ${tools.join(', ')} ${tools.length === 1 ? 'asks' : 'ask'} a model is not known.`,
    hint: '--tools FILE names a catalog of tools; without --file the running system knows its own',
  };
}

/** Topics of events that no task is triggered by or waits for. */
export function unheardTopics(
  specs: readonly TaskSpec[],
  events: readonly Pick<SimulatedEvent, 'topic'>[],
): string[] {
  const waited = specs.flatMap(({ pipeline }) => waitedFor(pipeline));
  const isHeard = (topic: string) =>
    specs.some(({ schedule }) => schedule?.kind === 'event' && listensTo(schedule, topic)) ||
    // A template may become any topic.
    waited.some((pattern) => pattern.includes('${') || topicMatches(pattern, topic));
  return [...new Set(events.map(({ topic }) => topic))].filter((topic) => !isHeard(topic)).sort();
}

function waitedFor(steps: readonly Record<string, unknown>[]): string[] {
  return steps.flatMap(({ wait, parallel }) => {
    const event = (wait as { event?: unknown } | undefined)?.event;
    return [
      ...(typeof event === 'string' ? [event] : []),
      ...(Array.isArray(parallel) ? waitedFor(parallel as Record<string, unknown>[]) : []),
    ];
  });
}
