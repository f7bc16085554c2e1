import type { DeliveryMessage, NewDelivery, QuietMode } from '../../domain/delivery.js';
import { newId } from '../../domain/ids.js';
import { type QuietTimes, quietAt, wantsDigest } from '../../domain/quiet-times.js';
import { digestKeyOf } from './digest.js';

/** A message as its writer has it. */
export interface Message
  extends Pick<NewDelivery, 'agentId' | 'key' | 'origin' | 'taskId' | 'runId' | 'stepId' | 'channel'> {
  message: DeliveryMessage;
  /** `defer` when left out. */
  quietHours?: QuietMode | undefined;
  urgent?: boolean | undefined;
}

/** A message for the outbox: due now, or put off or left out because it is quiet. */
export function newDelivery(message: Message, times: QuietTimes, now: number): NewDelivery {
  const { quietHours = 'defer', urgent = false, ...rest } = message;
  const quiet = urgent || quietHours === 'ignore' ? null : quietAt(times, now);
  const isLeftOut = quiet !== null && quietHours === 'skip';
  const owner = message.message.byOperator === true ? 'operator' : message.agentId;
  return {
    ...rest,
    id: newId('dlv', now),
    quietHours,
    urgent,
    // A question has its own message, with its own buttons.
    digestKey:
      wantsDigest(times) && message.origin !== 'approval'
        ? digestKeyOf(owner, message.channel, message.message.input)
        : null,
    status: quiet === null ? 'pending' : isLeftOut ? 'suppressed' : 'deferred',
    reason: quiet?.reason ?? null,
    dueAt: isLeftOut ? null : (quiet?.until ?? now),
    createdAt: now,
  };
}
