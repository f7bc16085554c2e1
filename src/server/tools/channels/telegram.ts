import { setTimeout as pause } from 'node:timers/promises';
import type { ChannelMessage } from '../../../domain/channel.js';
import { ToolError } from '../../../domain/tool-error.js';
import type { Question } from '../caller.js';
import type { ConnectorAnswer, ConnectorCall, ConnectorServices } from '../connector.js';
import { splitText } from '../long-text.js';
import { type BotAccess, callBot } from './telegram-api.js';
import { questionKeyboard } from './telegram-buttons.js';

/** Longest text, UTF-16 units: Telegram's limit of 4096 less the title that stands above it. */
export const TELEGRAM_TEXT = 3800;

/** A shorter pause that Telegram asks for is waited for at once: the parts of a long text stay together. */
const PATIENCE_MS = 10_000;

/** Text, title and link in one, as they are shown. */
export const telegramText = ({ text, title, urgent, link }: ChannelMessage): string =>
  [urgent === true && title !== undefined ? `❗ ${title}` : title, text, link]
    .filter((part) => part !== undefined && part !== '')
    .join('\n\n');

/** What stands in the last of the messages that a text becomes. */
export const lastTelegramText = (message: ChannelMessage): string =>
  telegramText({ ...message, text: splitText(message.text, TELEGRAM_TEXT).at(-1) ?? message.text });

/** `sendMessage` of https://core.telegram.org/bots/api. */
export async function sendTelegram(
  services: ConnectorServices,
  { deadline }: Pick<ConnectorCall, 'deadline'>,
  settings: BotAccess & { chat_id: number | string },
  message: ChannelMessage,
  grants: readonly string[],
  /** Asked with buttons to answer it. */
  question?: Question,
): Promise<ConnectorAnswer> {
  const keyboard = question === undefined ? null : questionKeyboard(settings.token, question);
  const parameters = {
    chat_id: settings.chat_id,
    text: telegramText(message),
    link_preview_options: { is_disabled: true },
    ...(keyboard === null ? {} : { reply_markup: keyboard }),
  };
  for (;;) {
    try {
      const { result, status } = await callBot(services, settings, {
        method: 'sendMessage',
        parameters,
        deadline,
        grants,
      });
      const { message_id: id, date } = (result ?? {}) as { message_id?: number; date?: number };
      return { output: { message_id: id ?? null, date: date ?? null }, status };
    } catch (error) {
      if (!(error instanceof ToolError) || error.kind !== 'rate_limited') throw error;
      const wait = error.retryAfterMs;
      if (wait === undefined || wait > Math.min(PATIENCE_MS, deadline.remaining() - 1000)) throw error;
      await pause(wait, undefined, { signal: deadline.signal }).catch(() => {
        throw new ToolError('rate_limited', error.message, { retryAfterMs: wait });
      });
    }
  }
}
