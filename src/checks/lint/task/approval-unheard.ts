import { unheardSteps } from '../../../domain/pipeline/unheard.js';
import type { TaskRule } from '../rule.js';

/** A question that nobody is told of expires. */
export const approvalUnheard: TaskRule = {
  id: 'approval-unheard',
  title: 'Whoever is to answer a question is told of it',
  kind: 'task',
  severity: 'warning',
  fixable: false,
  check({ tasks, tools: { notify, channels } }, tell) {
    // Without the configuration it is not known who is asked.
    if (notify === null) return;
    for (const { spec, span } of tasks) {
      if (spec === null) continue;
      const found = unheardSteps(spec.pipeline, notify.approvals, Object.keys(channels));
      for (const { pointer, message, hint } of found) tell(span(`${pointer}/approve`), message, { hint });
    }
  },
};
