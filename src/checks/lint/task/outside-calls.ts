import { type InnerStep, isMessage, type Step } from '../../../domain/pipeline/step.js';
import type { TaskRule } from '../rule.js';
import type { ToolKnowledge } from '../tool-knowledge.js';
import { readExpression, stepsOf } from './steps.js';

/** What tools are called that do something again each time they are called. */
const SENDS =
  /^(send|post|publish|notify|reply|forward|message|email|sms|tweet|call|pay|charge|refund|order|book|buy|transfer|submit|create|invite)(_|-|[A-Z]|$)/;

/** A call without a bound holds its worker for as long as the other side pleases. */
export const callTimeout: TaskRule = {
  id: 'call-timeout',
  title: 'Every call to the outside has a timeout',
  kind: 'task',
  severity: 'warning',
  fixable: false,
  check(file, tell) {
    for (const { spec, span } of file.tasks) {
      if (spec === null) continue;
      for (const { step, pointer } of stepsOf(spec)) {
        if (step.uses === undefined || step.timeout !== undefined) continue;
        // The outbox sends it, apart from the run.
        if (isMessage(step)) continue;
        const tool = file.tools.find(step.uses);
        if (tool !== null && (tool.isLocal || tool.timeoutMs !== null)) continue;
        tell(
          span(`${pointer}/uses`),
          `The step "${step.id}" calls ${step.uses} without a timeout of its own`,
          {
            hint: `Add timeout: 30s to the step; until then only the timeout of the task (${spec.timeout}) ends it`,
          },
        );
      }
    }
  },
};

/** A retry, a crash or a replay must not send the same thing twice. */
export const idempotencyKey: TaskRule = {
  id: 'idempotency-key',
  title: 'Every send has an idempotency key that tells its runs apart',
  kind: 'task',
  severity: 'warning',
  fixable: false,
  check(file, tell) {
    for (const { spec, span } of file.tasks) {
      if (spec === null) continue;
      for (const { step, pointer } of stepsOf(spec)) {
        if (!isSend(step, file.tools)) continue;
        const { idempotency_key: key } = step;
        if (key === undefined) {
          tell(
            span(`${pointer}/uses`),
            `The step "${step.id}" sends by ${step.uses} without an idempotency key`,
            {
              hint: `Add idempotency_key: "${spec.name}/\${run.local_date}" (what makes one message the same as another)`,
            },
          );
        } else if (!key.includes('${')) {
          tell(
            span(`${pointer}/idempotency_key`),
            'The idempotency key is the same for every run: only the first one sends',
            {
              hint: 'Put what tells the runs apart into it: "${run.id}", or "${run.local_date}" for one a day',
            },
          );
        } else if (step.foreach !== undefined && !readsItem(key, step.foreach.as)) {
          tell(
            span(`${pointer}/idempotency_key`),
            'The idempotency key is the same for every item: only the first one is sent',
            {
              hint: `Put the item into it: \${${step.foreach.as}.id}`,
            },
          );
        }
      }
    }
  },
};

function isSend(step: Step | InnerStep, tools: ToolKnowledge): boolean {
  if (step.uses === undefined) return false;
  if (step.kind === 'notify') return true;
  const known = tools.find(step.uses);
  if (known !== null && known.sideEffect !== null) return known.sideEffect === 'once';
  return SENDS.test(step.uses.slice(step.uses.lastIndexOf('.') + 1));
}

function readsItem(key: string, item: string): boolean {
  return [...key.matchAll(/\$\{([^}]*)\}/g)].some(([, text]) =>
    (readExpression(text as string) ?? []).some(({ path }) => path[0] === item),
  );
}
