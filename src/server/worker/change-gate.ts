import { createHash } from 'node:crypto';
import { canonicalJson } from '../../domain/json.js';
import { evaluateExpression } from '../../domain/pipeline/template.js';
import { TemplateError } from '../../domain/pipeline/template-error.js';
import type { Completion, StepWrite, Store } from '../store/store.js';
import { insistently, STOPPED } from './insistently.js';
import type { PlannedStep } from './plan.js';
import type { CallFrame } from './step-caller.js';

/** Steps with `changed`: whether there is anything new for them to do. */
export class ChangeGate {
  constructor(private readonly options: { store: Store }) {}

  /**
   * Notes what a step sees, and compares it with what it saw when it last did its work. A replay is wanted, so it passes;
   * so does a step of which an earlier attempt of this run has a record.
   * @returns `stopped` when the run was stopped before it could be told.
   * @throws TemplateError when the value can not be told, unless the step fails open.
   */
  async look(planned: PlannedStep, frame: CallFrame): Promise<'changed' | 'unchanged' | 'stopped'> {
    const { changed, step } = planned;
    if (changed === null) return 'changed';
    let hash: string;
    try {
      const value = evaluateExpression(changed.value, frame.scope.values, {
        zone: frame.scope.zone,
        pointer: changed.pointer,
      });
      hash = createHash('sha256').update(canonicalJson(value)).digest('hex');
    } catch (error) {
      if (error instanceof TemplateError && changed.failOpen) return 'changed';
      throw error;
    }
    frame.state.see(planned, hash);
    const { run } = frame.state.leased;
    if (run.trigger === 'replay' || frame.state.get(step.id) !== undefined) return 'changed';
    const before = await insistently(
      () => this.options.store.getStepMemory(run.taskId, step.id),
      frame.signal,
    );
    if (before === STOPPED) return 'stopped';
    return before?.hash === hash ? 'unchanged' : 'changed';
  }
}

/**
 * What is to be remembered of a run: what its steps saw that did their work, if nothing failed from there on. So what was
 * found is found again by the next run when it could not be delivered. A fallback is work done: the steps after it went on
 * with what it gave, and would with the same at the next look.
 */
export function whatWasSeen(
  status: Completion['status'],
  { seen, steps, fellBack }: CallFrame['state'],
): Completion['stepMemory'] {
  if ((status !== 'succeeded' && status !== 'partial') || seen.size === 0) return undefined;
  const all = [...steps];
  const succeeded = new Set(all.filter((step) => step.status === 'succeeded').map(({ stepId }) => stepId));
  const lastFailure = Math.max(
    -1,
    ...all.filter((step) => isFailure(step) && !fellBack.has(ownerOf(step))).map(({ position }) => position),
  );
  const memory = [...seen].flatMap(([stepId, { position, hash }]) =>
    position > lastFailure && (succeeded.has(stepId) || fellBack.has(stepId)) ? [{ stepId, hash }] : [],
  );
  return memory.length === 0 ? undefined : memory;
}

/** Left out for want of budget, or of an answer, is not done either. */
const isFailure = ({ status, reason }: StepWrite): boolean =>
  status === 'failed' || (status === 'skipped' && (reason === 'budget' || reason === 'expired'));

/** The step of the pipeline that a record belongs to: items of a foreach are `id[index]`. */
const ownerOf = ({ stepId }: StepWrite): string => stepId.replace(/\[.*$/, '');
