import { type Clock, systemClock } from '../domain/clock.js';
import type { HttpFault } from './faults.js';
import {
  type DemoReply,
  type LoopbackServer,
  type ReceivedRequest,
  startLoopbackServer,
} from './loopback-server.js';

const FIRST_MESSAGE_ID = 101;
/** Telegram's limit of one message, in UTF-16 units. */
const MAX_TEXT = 4096;

/** `rate_limited`: 429 with `parameters.retry_after`, as the Bot API says it. */
export type TelegramFault = HttpFault | { kind: 'rate_limited'; retryAfterSeconds: number };

/** A message as it was delivered. */
export interface TelegramMessage {
  message_id: number;
  /** Unix seconds. */
  date: number;
  chat: { id: number; type: string };
  text: string;
}

export interface TelegramServerOptions {
  port: number;
  /** The token a bot must have in its path, for example `123456:TEST`. */
  token: string;
  clock?: Clock;
  /** Called with each message that was delivered. */
  onMessage?: (message: TelegramMessage) => void;
}

export interface TelegramServer extends LoopbackServer<TelegramFault> {
  /** Everything that was delivered, oldest first. */
  messages: TelegramMessage[];
}

/**
 * Starts the Telegram demo server: `POST /bot<token>/sendMessage` and `/getMe` as in https://core.telegram.org/bots/api,
 * and `GET /messages`, which is not Telegram's but lets a person see what arrived.
 */
export async function startTelegramServer(options: TelegramServerOptions): Promise<TelegramServer> {
  const clock = options.clock ?? systemClock;
  const messages: TelegramMessage[] = [];
  const server = await startLoopbackServer<TelegramFault>({
    name: 'telegram',
    port: options.port,
    isInspection: (method, path) => method === 'GET' && path === '/messages',
    answer: (request, fault) => {
      if (request.path === '/messages') return { status: 200, body: { messages } };
      const match = /^\/bot([^/]+)\/(\w+)$/.exec(request.path);
      if (!match) return failure(404, 'Not Found');
      if (decodeURIComponent(match[1] ?? '') !== options.token) return failure(401, 'Unauthorized');
      if (fault?.kind === 'rate_limited') return rateLimited(fault.retryAfterSeconds);
      if (match[2]?.toLowerCase() === 'getme') {
        return success({ id: 123456, is_bot: true, first_name: 'pao demo', username: 'pao_demo_bot' });
      }
      if (match[2]?.toLowerCase() !== 'sendmessage') return failure(404, 'Not Found');
      const parameters = readParameters(request);
      if (!parameters) return failure(400, "Bad Request: can't parse the request body");
      const problem = findProblem(parameters);
      if (problem) return failure(400, `Bad Request: ${problem}`);
      const message: TelegramMessage = {
        message_id: FIRST_MESSAGE_ID + messages.length,
        date: Math.floor(clock.now() / 1000),
        chat: { id: Number(parameters.chat_id), type: Number(parameters.chat_id) < 0 ? 'group' : 'private' },
        text: String(parameters.text),
      };
      messages.push(message);
      options.onMessage?.(message);
      return success(message);
    },
  });
  return { ...server, messages };
}

function readParameters(request: ReceivedRequest): Record<string, unknown> | null {
  if (!/^application\/json/i.test(request.headers['content-type'] ?? '')) {
    return Object.fromEntries([...request.query, ...new URLSearchParams(request.body)]);
  }
  try {
    const body: unknown = JSON.parse(request.body);
    return typeof body === 'object' && body !== null && !Array.isArray(body)
      ? (body as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function findProblem(parameters: Record<string, unknown>): string | null {
  const { chat_id: chatId, text } = parameters;
  if (chatId === undefined || chatId === '') return 'chat_id is empty';
  if (!Number.isSafeInteger(Number(chatId)) || Number(chatId) === 0) return 'chat not found';
  if (typeof text !== 'string' || text.trim() === '') return 'message text is empty';
  if (text.length > MAX_TEXT) return 'message is too long';
  return null;
}

const success = (result: unknown): DemoReply => ({ status: 200, body: { ok: true, result } });
const failure = (code: number, description: string): DemoReply => ({
  status: code,
  body: { ok: false, error_code: code, description },
});
// The Bot API names the delay in the body only; there is no Retry-After header.
const rateLimited = (seconds: number): DemoReply => ({
  status: 429,
  body: {
    ok: false,
    error_code: 429,
    description: `Too Many Requests: retry after ${seconds}`,
    parameters: { retry_after: seconds },
  },
});
