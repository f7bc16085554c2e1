import { toJson } from '../sqlite/json-column.js';
import type { StepWrite } from '../store.js';

/** Steps as the columns that the function pao_write_steps takes; `owner` is the place of its run there, from 1. */
export function stepColumns(given: readonly { owner: number; step: StepWrite }[]): unknown[] {
  const column = <T>(pick: (step: StepWrite) => T): T[] => given.map(({ step }) => pick(step));
  return [
    given.map(({ owner }) => owner),
    column((step) => step.stepId),
    column((step) => step.position),
    column((step) => step.tool),
    column((step) => step.status),
    column((step) => step.reason),
    column((step) => step.attempts),
    column((step) => step.startedAt),
    column((step) => step.finishedAt),
    column((step) => toJson(step.input)),
    column((step) => toJson(step.output)),
    column((step) => toJson(step.error)),
    column((step) => step.idempotencyKey),
    column((step) => toJson(step.usage)),
  ];
}

/** Of several writes of one step in a batch only the last counts: one statement can not write a row twice. */
export function latestSteps(steps: readonly StepWrite[]): StepWrite[] {
  if (steps.length < 2) return [...steps];
  return [...new Map(steps.map((step) => [step.stepId, step])).values()];
}
