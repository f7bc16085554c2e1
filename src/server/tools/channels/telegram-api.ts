import { parseAnswer } from '../answer.js';
import type { ConnectorServices } from '../connector.js';
import type { Deadline } from '../deadline.js';
import { sendHttp } from '../http-request.js';
import { statusError } from '../http-status.js';
import { readUrl } from './target.js';

/** The Bot API itself. */
export const TELEGRAM_API = 'https://api.telegram.org';

/** A bot and where it is reached. */
export interface BotAccess {
  token: string;
  api: string;
}

/**
 * Calls a method of https://core.telegram.org/bots/api.
 * @returns its `result`, and the status.
 * @throws ToolError; `details.status` is that of the answer, `retryAfterMs` what Telegram asks for.
 */
export async function callBot(
  services: ConnectorServices,
  { token, api }: BotAccess,
  call: { method: string; parameters: object; deadline: Deadline; grants: readonly string[] },
): Promise<{ result: unknown; status: number }> {
  const url = readUrl(`${api.replace(/\/+$/, '')}/bot${token}/${call.method}`);
  const headers = { 'content-type': 'application/json', 'user-agent': services.userAgent };
  const body = JSON.stringify(call.parameters);
  const response = await sendHttp(
    services.guard,
    { method: 'POST', url, headers, body, grants: call.grants },
    call.deadline,
  );
  const answer = parseAnswer(response, 'auto', { lenient: true });
  if (response.status < 200 || response.status > 299)
    throw statusError('Telegram', response, answer, services.clock.now());
  const { result } = (answer ?? {}) as { result?: unknown };
  return { result: result ?? null, status: response.status };
}
