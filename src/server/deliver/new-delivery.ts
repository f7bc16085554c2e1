import type { DeliveryMessage, NewDelivery, QuietMode } from '../../domain/delivery.js';
import { newId } from '../../domain/ids.js';
import { type Quiet, type QuietTimes, quietAt } from '../../domain/quiet-times.js';
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
  return {
    ...rest,
    id: newId('dlv', now),
    quietHours,
    urgent,
    digestKey: quiet === null ? null : digestKeyFor(message, quiet),
    status: quiet === null ? 'pending' : isLeftOut ? 'suppressed' : 'deferred',
    reason: quiet?.reason ?? null,
    dueAt: isLeftOut ? null : (quiet?.until ?? now),
    createdAt: now,
  };
}

/** What a message that is put off may be joined by; null when it stays alone. */
export function digestKeyFor(
  { agentId, origin, channel, message }: Pick<NewDelivery, 'agentId' | 'origin' | 'channel' | 'message'>,
  quiet: Quiet,
): string | null {
  // A question has its own message, with its own buttons.
  if (!quiet.digest || origin === 'approval') return null;
  return digestKeyOf(message.byOperator === true ? 'operator' : agentId, channel, message.input);
}
