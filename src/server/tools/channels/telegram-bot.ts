import { createHash } from 'node:crypto';
import { CHANNEL_PREFIX, type TelegramChannel } from '../../../domain/channel.js';
import { toolSchema } from '../../../domain/tool.js';
import type { ConnectorServices } from '../connector.js';
import { startDeadline } from '../deadline.js';
import { settingsOf } from './send.js';
import { targetOfUrl } from './target.js';
import { callBot } from './telegram-api.js';
import { readTap, type Tap } from './telegram-buttons.js';

/** The bot of a channel, for what goes beyond sending. */
export interface TelegramBot {
  /** The same for all channels of one bot; tells nothing of its token. */
  readonly id: string;
  readonly chatId: string;
  /** Users who may answer; null: whoever is in the chat. */
  readonly approvers: readonly number[] | null;
  /** Calls a method. Throws ToolError. @param options.timeoutMs total time, milliseconds. */
  call(
    method: string,
    parameters: object,
    options: { signal: AbortSignal; timeoutMs: number },
  ): Promise<unknown>;
  /** Reads the data of a tap; null when it is not from a button of this bot. */
  readTap(data: unknown): Tap | null;
}

/** Opens the bot of a channel with its secrets. @param agent on whose behalf. */
export async function openTelegramBot(
  services: ConnectorServices,
  name: string,
  channel: TelegramChannel,
  agent: string,
): Promise<TelegramBot & { token: string }> {
  const tool = toolSchema.parse({ address: CHANNEL_PREFIX + name, kind: 'builtin', input_schema: {} });
  const context = { signal: new AbortController().signal, timeoutMs: 0, agent };
  const settings = await settingsOf(services, { tool, context }, channel);
  const { token, api } = settings;
  const grants = [targetOfUrl(api)];
  return {
    id: createHash('sha256').update(`${api}\n${token}`).digest('hex').slice(0, 16),
    chatId: String(settings.chat_id),
    approvers: settings.approvers ?? null,
    token,
    async call(method, parameters, { signal, timeoutMs }) {
      const deadline = startDeadline(signal, timeoutMs, () => services.clock.monotonic());
      try {
        return (await callBot(services, settings, { method, parameters, deadline, grants })).result;
      } finally {
        deadline.end();
      }
    },
    readTap: (data) => readTap(token, data),
  };
}
