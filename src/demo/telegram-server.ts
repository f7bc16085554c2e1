import { type Clock, systemClock } from '../domain/clock.js';
import type { HttpFault } from './faults.js';
import {
  type DemoReply,
  type LoopbackServer,
  type ReceivedRequest,
  startLoopbackServer,
} from './loopback-server.js';
import {
  failure,
  keyboardProblem,
  success,
  type TelegramButton,
  type TelegramMessage,
  TelegramTaps,
  type TelegramUser,
} from './telegram-bot.js';

const FIRST_MESSAGE_ID = 101;
const TAP = /^\/messages\/(\d+)\/tap$/;
/** Telegram's limit of one message, in UTF-16 units. */
const MAX_TEXT = 4096;

/** `rate_limited`: 429 with `parameters.retry_after`, as the Bot API says it. */
export type TelegramFault = HttpFault | { kind: 'rate_limited'; retryAfterSeconds: number };

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
  /** Taps on buttons, and what the bot answered. */
  taps: TelegramTaps;
  /** Somebody taps a button of a message. @param button its text, or callback data. */
  tap(messageId: number, button: string | { data: string }, from: TelegramUser): void;
}

/**
 * Starts the Telegram demo server: `sendMessage`, `getMe`, `getUpdates`, `answerCallbackQuery` and the edits of messages
 * under `/bot<token>/` as in https://core.telegram.org/bots/api. Not Telegram's, but for the person who looks at the demo:
 * `GET /messages` shows what arrived, `POST /messages/<id>/tap` with `{"button": "Approve"}` taps a button.
 */
export async function startTelegramServer(options: TelegramServerOptions): Promise<TelegramServer> {
  const clock = options.clock ?? systemClock;
  const messages: TelegramMessage[] = [];
  const taps = new TelegramTaps();
  const seconds = () => Math.floor(clock.now() / 1000);

  const send = (parameters: Record<string, unknown>): DemoReply => {
    const problem = findProblem(parameters) ?? keyboardProblem(parameters.reply_markup);
    if (problem) return failure(400, `Bad Request: ${problem}`);
    const message: TelegramMessage = {
      message_id: FIRST_MESSAGE_ID + messages.length,
      date: seconds(),
      chat: { id: Number(parameters.chat_id), type: Number(parameters.chat_id) < 0 ? 'group' : 'private' },
      text: String(parameters.text),
      ...keyboardOf(parameters),
    };
    messages.push(message);
    options.onMessage?.(message);
    return success(message);
  };

  /** An edit without a keyboard takes the keyboard away. */
  const edit = (parameters: Record<string, unknown>, text: string | undefined): DemoReply => {
    const { message_id: id, chat_id: chat } = parameters;
    const message = messages.find((one) => one.message_id === Number(id) && one.chat.id === Number(chat));
    if (message === undefined) return failure(400, 'Bad Request: message to edit not found');
    const problem =
      (text === undefined ? null : findProblem(parameters)) ?? keyboardProblem(parameters.reply_markup);
    if (problem) return failure(400, `Bad Request: ${problem}`);
    const before = JSON.stringify([message.text, message.reply_markup?.inline_keyboard]);
    const keyboard = keyboardOf(parameters);
    if (JSON.stringify([text ?? message.text, keyboard.reply_markup?.inline_keyboard]) === before)
      return failure(400, 'Bad Request: message is not modified');
    delete message.reply_markup;
    Object.assign(message, { edit_date: seconds() }, text === undefined ? {} : { text }, keyboard);
    return success(message);
  };

  const tap: TelegramServer['tap'] = (messageId, button, from) => {
    const message = messages.find(({ message_id: id }) => id === messageId);
    if (message === undefined) throw new Error(`There is no message ${messageId}.`);
    taps.tap(message, button, from);
  };

  /** Who taps is the person of the chat, or `user_id`. */
  const tapByHand = (messageId: number, request: ReceivedRequest): DemoReply => {
    const refused = (status: number, error: string): DemoReply => ({ status, body: { error } });
    if (request.method !== 'POST') return refused(405, 'POST a {"button": "Approve"} here.');
    const given = readParameters(request);
    if (typeof given?.button !== 'string') return refused(400, 'Say which: {"button": "Approve"}');
    const chat = messages.find(({ message_id: id }) => id === messageId)?.chat.id;
    const user = Number(given.user_id ?? Math.abs(chat ?? 0));
    try {
      tap(messageId, given.button, { id: user, first_name: user === chat ? 'You' : `User ${user}` });
    } catch (error) {
      return refused(404, (error as Error).message);
    }
    return { status: 202, body: { tapped: given.button, look: '/messages' } };
  };

  const server = await startLoopbackServer<TelegramFault>({
    name: 'telegram',
    port: options.port,
    isInspection: (method, path) => (method === 'GET' && path === '/messages') || TAP.test(path),
    answer: (request, fault, { response }) => {
      if (request.path === '/messages') return { status: 200, body: { messages } };
      const [, tapped] = TAP.exec(request.path) ?? [];
      if (tapped !== undefined) return tapByHand(Number(tapped), request);
      const match = /^\/bot([^/]+)\/(\w+)$/.exec(request.path);
      if (!match) return failure(404, 'Not Found');
      if (decodeURIComponent(match[1] ?? '') !== options.token) return failure(401, 'Unauthorized');
      if (fault?.kind === 'rate_limited') return rateLimited(fault.retryAfterSeconds);
      const parameters = readParameters(request);
      if (!parameters) return failure(400, "Bad Request: can't parse the request body");
      switch (match[2]?.toLowerCase()) {
        case 'getme':
          return success({ id: 123456, is_bot: true, first_name: 'pao demo', username: 'pao_demo_bot' });
        case 'sendmessage':
          return send(parameters);
        case 'editmessagetext':
          return edit(parameters, String(parameters.text));
        case 'editmessagereplymarkup':
          return edit(parameters, undefined);
        case 'answercallbackquery':
          return taps.answer(parameters);
        case 'getupdates':
          return taps.poll(parameters, (gone) => response.on('close', gone));
        default:
          return failure(404, 'Not Found');
      }
    },
  });
  return {
    ...server,
    messages,
    taps,
    tap,
  };
}

/** The keyboard of a message; an empty one is none. */
function keyboardOf({
  reply_markup: markup,
}: Record<string, unknown>): Pick<TelegramMessage, 'reply_markup'> {
  const given = markup as { inline_keyboard: TelegramButton[][] } | undefined;
  return given === undefined || given.inline_keyboard.flat().length === 0 ? {} : { reply_markup: given };
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
