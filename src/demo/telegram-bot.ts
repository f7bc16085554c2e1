import type { DemoReply } from './loopback-server.js';

/** A button under a message, as https://core.telegram.org/bots/api#inlinekeyboardbutton says it. */
export interface TelegramButton {
  text: string;
  callback_data?: string;
  url?: string;
}

/** A message as it was delivered, and as it was edited since. */
export interface TelegramMessage {
  message_id: number;
  /** Unix seconds. */
  date: number;
  chat: { id: number; type: string };
  text: string;
  edit_date?: number;
  reply_markup?: { inline_keyboard: TelegramButton[][] };
}

/** Who taps a button. */
export interface TelegramUser {
  id: number;
  first_name: string;
  username?: string;
}

interface CallbackQuery {
  id: string;
  from: TelegramUser & { is_bot: false };
  message: TelegramMessage;
  chat_instance: string;
  data: string;
}

interface Update {
  update_id: number;
  callback_query: CallbackQuery;
}

/** What the bot showed to the person who tapped. */
export interface TelegramAnswer {
  callback_query_id: string;
  text: string;
  show_alert: boolean;
}

export const success = (result: unknown): DemoReply => ({ status: 200, body: { ok: true, result } });
export const failure = (code: number, description: string): DemoReply => ({
  status: code,
  body: { ok: false, error_code: code, description },
});

const FIRST_UPDATE_ID = 9001;
const MAX_ANSWER = 200;
const MAX_DATA_BYTES = 64;
const CONFLICT =
  'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running';
const WEBHOOK =
  "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";

/** Taps on buttons on their way to the bot, by `getUpdates`: one that waits at a time, as Telegram has it. */
export class TelegramTaps {
  /** What the bot answered to taps, oldest first. */
  readonly answers: TelegramAnswer[] = [];
  /** Set: updates go there, and `getUpdates` is refused. */
  webhook: string | null = null;
  #next = FIRST_UPDATE_ID;
  #updates: Update[] = [];
  #open = new Set<string>();
  #waiting: ((reply: DemoReply) => void) | null = null;

  /** Updates that the bot has not confirmed. */
  get unconfirmed(): number {
    return this.#updates.length;
  }

  /** Somebody taps. @param button its text, or callback data that it need not have (a client may send any). */
  tap(message: TelegramMessage, button: string | { data: string }, from: TelegramUser): void {
    const buttons = message.reply_markup?.inline_keyboard.flat() ?? [];
    const data =
      typeof button === 'string' ? buttons.find((one) => one.text === button)?.callback_data : button.data;
    if (data === undefined) throw new Error(`Message ${message.message_id} has no button ${String(button)}.`);
    const id = this.#next++;
    const query = {
      id: `q${id}`,
      from: { ...from, is_bot: false as const },
      message,
      chat_instance: '1',
      data,
    };
    this.#updates.push({ update_id: id, callback_query: query });
    this.#open.add(query.id);
    this.#waiting?.(this.#result());
  }

  /** Ends the request that is held, as another program's does. */
  interrupt(): void {
    this.#waiting?.(failure(409, CONFLICT));
  }

  /** `getUpdates`. */
  poll(
    parameters: Record<string, unknown>,
    onGone: (gone: () => void) => void,
  ): Promise<DemoReply> | DemoReply {
    if (this.webhook !== null) return failure(409, WEBHOOK);
    // The newer request wins.
    this.#waiting?.(failure(409, CONFLICT));
    const offset = Number(parameters.offset ?? 0);
    this.#updates = this.#updates.filter(({ update_id: id }) => id >= offset);
    const seconds = Math.min(50, Number(parameters.timeout ?? 0));
    if (this.#updates.length > 0 || seconds === 0) return this.#result();
    return new Promise((resolve) => {
      const end = (reply: DemoReply) => {
        clearTimeout(timer);
        if (this.#waiting === end) this.#waiting = null;
        resolve(reply);
      };
      const timer = setTimeout(() => end(this.#result()), seconds * 1000).unref();
      this.#waiting = end;
      onGone(() => end(this.#result()));
    });
  }

  /** `answerCallbackQuery`. */
  answer(parameters: Record<string, unknown>): DemoReply {
    const id = String(parameters.callback_query_id);
    const text = String(parameters.text ?? '');
    if (!this.#open.delete(id))
      return failure(
        400,
        'Bad Request: query is too old and response timeout expired or query ID is invalid',
      );
    if (text.length > MAX_ANSWER) return failure(400, 'Bad Request: MESSAGE_TOO_LONG');
    this.answers.push({ callback_query_id: id, text, show_alert: parameters.show_alert === true });
    return success(true);
  }

  #result(): DemoReply {
    return success(this.#updates.slice(0, 100));
  }
}

/** What Telegram does not take of a keyboard; null when it takes it. */
export function keyboardProblem(markup: unknown): string | null {
  if (markup === undefined) return null;
  const rows = (markup as { inline_keyboard?: TelegramButton[][] } | null)?.inline_keyboard;
  if (!Array.isArray(rows)) return "can't parse reply keyboard markup JSON object";
  for (const { text, callback_data: data, url } of rows.flat()) {
    if (typeof text !== 'string' || text === '')
      return "can't parse inline keyboard button: Text buttons are unallowed";
    if (data !== undefined && (data === '' || Buffer.byteLength(data) > MAX_DATA_BYTES))
      return 'BUTTON_DATA_INVALID';
    if (
      url !== undefined &&
      !(URL.canParse(url) && new URL(url).hostname.includes('.') && !new URL(url).hostname.startsWith('127.'))
    )
      return `inline keyboard button URL '${url}' is invalid: Wrong HTTP URL`;
  }
  return null;
}
