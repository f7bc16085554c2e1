import { setTimeout as pause } from 'node:timers/promises';
import type { ChannelMessage } from '../../../domain/channel.js';
import { ToolError } from '../../../domain/tool-error.js';
import { parseAnswer } from '../answer.js';
import type { ConnectorAnswer, ConnectorCall, ConnectorServices } from '../connector.js';
import { sendHttp } from '../http-request.js';
import { statusError } from '../http-status.js';
import { readUrl } from './target.js';

/** The Bot API itself. */
export const TELEGRAM_API = 'https://api.telegram.org';
/** Longest text, UTF-16 units: Telegram's limit of 4096 less the title that stands above it. */
export const TELEGRAM_TEXT = 3800;

/** A shorter pause that Telegram asks for is waited for at once: the parts of a long text stay together. */
const PATIENCE_MS = 10_000;

/** `sendMessage` of https://core.telegram.org/bots/api. */
export async function sendTelegram(
  services: ConnectorServices,
  call: Pick<ConnectorCall, 'deadline'>,
  settings: { token: string; chat_id: number | string; api: string },
  { text, title, urgent, link }: ChannelMessage,
  grants: readonly string[],
): Promise<ConnectorAnswer> {
  const url = readUrl(`${settings.api.replace(/\/+$/, '')}/bot${settings.token}/sendMessage`);
  const body = JSON.stringify({
    chat_id: settings.chat_id,
    text: [urgent === true && title !== undefined ? `❗ ${title}` : title, text, link]
      .filter((part) => part !== undefined && part !== '')
      .join('\n\n'),
    link_preview_options: { is_disabled: true },
  });
  const headers = { 'content-type': 'application/json', 'user-agent': services.userAgent };
  for (;;) {
    const response = await sendHttp(
      services.guard,
      { method: 'POST', url, headers, body, grants },
      call.deadline,
    );
    const answer = parseAnswer(response, 'auto', { lenient: true });
    if (response.status >= 200 && response.status < 300) {
      const { result } = (answer ?? {}) as { result?: { message_id?: number; date?: number } };
      return {
        output: { message_id: result?.message_id ?? null, date: result?.date ?? null },
        status: response.status,
      };
    }
    const error = statusError('Telegram', response, answer, services.clock.now());
    const wait = error.retryAfterMs;
    if (
      error.kind !== 'rate_limited' ||
      wait === undefined ||
      wait > Math.min(PATIENCE_MS, call.deadline.remaining() - 1000)
    )
      throw error;
    await pause(wait, undefined, { signal: call.deadline.signal }).catch(() => {
      throw new ToolError('rate_limited', error.message, { retryAfterMs: wait });
    });
  }
}
