import { PaoError } from '../../domain/errors.js';
import type { Store, StepWrite } from '../store/store.js';

/** What a run reads on its way. */
const READS: ReadonlySet<string> = new Set([
  'getAgent',
  'findAgentByName',
  'getTask',
  'getEvent',
  'getRun',
  'getRunEvents',
  'getStepMemory',
  'getMeta',
  'listEvents',
  'findApproval',
  'listTools',
  'getTool',
  'toolsVersion',
]);

/**
 * The store as a dry run sees it: it reads what is there, and what it would write is handed to `onSteps` and goes nowhere.
 * No question is open, no key is held, so that every step is shown.
 */
export function dryStore(store: Store, onSteps: (steps: readonly StepWrite[]) => void): Store {
  const instead: Partial<Record<keyof Store, unknown>> = {
    async recordSteps(batch: { steps: StepWrite[] }[]) {
      for (const { steps } of batch) onSteps(steps);
      return { fenced: [], held: [] };
    },
    findOpenApproval: async () => null,
  };
  return new Proxy(store, {
    get(target, property) {
      const name = String(property);
      const own = instead[name as keyof Store];
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function') return value;
      if (READS.has(name)) return value.bind(target);
      return async () => {
        throw new PaoError('PAO_DRY_RUN', `A dry run does not ${name}.`);
      };
    },
  });
}
