import { errorContext } from './code/error-context.js';
import { exhaustiveKinds } from './code/exhaustive-kinds.js';
import { floatingPromise } from './code/floating-promise.js';
import { injectedClock } from './code/injected-clock.js';
import { injectedTimers } from './code/injected-timers.js';
import { openTransaction } from './code/open-transaction.js';
import { schedulerContract } from './code/scheduler-contract.js';
import { selfChainingTimer } from './code/self-chaining-timer.js';
import { swallowedError } from './code/swallowed-error.js';
import type { RuleInfo } from './finding.js';
import type { CodeRule, TaskRule } from './rule.js';
import { approvalUnheard } from './task/approval-unheard.js';
import { callTimeout, idempotencyKey } from './task/outside-calls.js';
import { intervalTooShort, scheduleInvalid, scheduleWarning } from './task/schedule-rules.js';
import { taskSchema, unknownKey, unknownReference } from './task/task-check.js';
import { unreachableStep } from './task/unreachable-step.js';
import { unusedSaveAs } from './task/unused-save-as.js';

export const CODE_RULES: readonly CodeRule[] = [
  schedulerContract,
  exhaustiveKinds,
  injectedClock,
  injectedTimers,
  selfChainingTimer,
  floatingPromise,
  swallowedError,
  errorContext,
  openTransaction,
];

export const TASK_RULES: readonly TaskRule[] = [
  taskSchema,
  unknownKey,
  unknownReference,
  scheduleInvalid,
  scheduleWarning,
  intervalTooShort,
  callTimeout,
  idempotencyKey,
  unreachableStep,
  unusedSaveAs,
  approvalUnheard,
];

/** What the linter says by itself, whatever it looks at. */
const OWN_RULES: readonly RuleInfo[] = [
  { id: 'syntax', title: 'The file can be read', kind: 'both', severity: 'error', fixable: false },
  {
    id: 'suppression',
    title: 'Every suppression names rules that exist and gives a reason',
    kind: 'both',
    severity: 'error',
    fixable: false,
  },
  {
    id: 'unused-suppression',
    title: 'Every suppression suppresses something',
    kind: 'both',
    severity: 'warning',
    fixable: true,
  },
];

/** Every rule, in the order in which they are listed. */
export const RULES: readonly RuleInfo[] = [...CODE_RULES, ...TASK_RULES, ...OWN_RULES];
