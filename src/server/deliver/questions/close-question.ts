import { type Approval, withoutDeadline } from '../../../domain/approval.js';
import { CHANNEL_PREFIX, type ChannelMessage } from '../../../domain/channel.js';
import type { Clock } from '../../../domain/clock.js';
import type { Delivery } from '../../../domain/delivery.js';
import { ToolError } from '../../../domain/tool-error.js';
import type { Store } from '../../store/store.js';
import type { Logger } from '../../telemetry/logger.js';
import { truncateText } from '../../tools/long-text.js';
import { lastTelegramText } from '../../tools/channels/telegram.js';
import type { TelegramBot } from '../../tools/channels/telegram-bot.js';
import { agentName } from './agent-name.js';
import { dropQuestion } from './open-questions.js';
import { isClosed, outcomeWords } from './outcome-words.js';

/** Telegram's limit of one message, UTF-16 units. */
const MAX_TEXT = 4096;
const CALL_TIMEOUT_MS = 15_000;
/** A message that is not written within this time after its question ended never will be, milliseconds. */
const FORGET_MS = 86_400_000;
/** Telegram's refusals are taken for final when the question ended so long ago, milliseconds. */
const GIVE_UP_MS = 7 * FORGET_MS;

export interface CloseOptions {
  store: Store;
  clock: Clock;
  logger: Logger;
  /** Zone of times in words where a task has none. */
  timezone: string;
  /** Names of Telegram users by `telegram:<id>`, as far as they are known. */
  names: Map<string, string>;
  signal: AbortSignal;
}

/** Where the message of a question is; null: it is on its way, or nobody knows. */
export const messageIdOf = (delivery: Delivery | null): number | null => {
  const id = (delivery?.answer as { message_id?: unknown } | null)?.message_id;
  return delivery?.status === 'delivered' && typeof id === 'number' ? id : null;
};

/** The message that asked a question. */
export const questionMessage = (
  store: Pick<Store, 'findDelivery'>,
  { agentId, id }: Pick<Approval, 'agentId' | 'id'>,
): Promise<Delivery | null> => store.findDelivery(agentId, id);

/**
 * Writes below a question how it ended and takes its buttons away. Looks at everything as it is, so it may be asked again
 * at any time.
 * @param tapped the message, where a tap told of it.
 * @returns whether nothing is left to do for this question.
 */
export async function closeQuestion(
  options: CloseOptions,
  bot: TelegramBot,
  approvalId: string,
  tapped: { messageId: number; chatId: number } | null = null,
): Promise<boolean> {
  const { store, clock, logger, signal } = options;
  const approval = await store.getApproval(approvalId);
  if (approval === null) return done(store, approvalId);
  if (!isClosed(approval, clock.now())) return false;
  const delivery = await questionMessage(store, approval);
  const messageId = tapped?.messageId ?? messageIdOf(delivery);
  if (delivery === null) return done(store, approvalId);
  if (messageId === null) {
    const isOnItsWay =
      delivery.status === 'sending' || delivery.status === 'pending' || delivery.status === 'deferred';
    return isOnItsWay && clock.now() - approval.expiresAt < FORGET_MS ? false : done(store, approvalId);
  }
  const { zone, who } = await describe(options, approval);
  const words = outcomeWords(approval, who, zone);
  const asked = withoutDeadline(lastTelegramText(delivery.message.input as ChannelMessage));
  const parameters = {
    chat_id: tapped?.chatId ?? bot.chatId,
    message_id: messageId,
    text: `${truncateText(asked, MAX_TEXT - words.length - 2)}\n\n${words}`,
    link_preview_options: { is_disabled: true },
  };
  try {
    await bot.call('editMessageText', parameters, { signal, timeoutMs: CALL_TIMEOUT_MS });
  } catch (error) {
    // Refused for good: it says so already, or the message or the chat is gone.
    const status = error instanceof ToolError ? error.details?.['status'] : undefined;
    const isOld = clock.now() - (approval.decidedAt ?? approval.expiresAt) > GIVE_UP_MS;
    // A token that is not valid any more is refused for ever; a network that is gone is not.
    if (status !== 400 && status !== 403 && !(isOld && status !== undefined)) throw error;
    if (!/not modified/.test((error as Error).message))
      logger.warn(
        { approval_id: approvalId, channel: delivery.channel, reason: (error as Error).message },
        'a question could not be edited',
      );
  }
  return done(store, approvalId);
}

/** The zone of a question's task, and the name of who decided it. */
export async function describe(
  { store, timezone, names }: Pick<CloseOptions, 'store' | 'timezone' | 'names'>,
  { taskId, decidedBy }: Approval,
): Promise<{ zone: string; who: string }> {
  const task = await store.getTask(taskId);
  const zone = task?.spec.schedule?.timezone ?? timezone;
  const [kind, id = ''] = (decidedBy ?? '').split(':');
  if (kind === 'telegram') return { zone, who: names.get(decidedBy ?? '') ?? `Telegram user ${id}` };
  return { zone, who: (await agentName(store, decidedBy)) ?? decidedBy ?? '' };
}

/** Name of the channel that a question was sent to. */
export const channelNameOf = ({ channel }: Pick<Delivery, 'channel'>): string =>
  channel.slice(CHANNEL_PREFIX.length);

async function done(store: Store, approvalId: string): Promise<true> {
  await dropQuestion(store, { approvalId });
  return true;
}
