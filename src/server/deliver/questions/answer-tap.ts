import { z } from 'zod';
import type { Bus } from '../../bus/bus.js';
import { truncateText } from '../../tools/long-text.js';
import type { TelegramBot } from '../../tools/channels/telegram-bot.js';
import {
  channelNameOf,
  type CloseOptions,
  closeQuestion,
  describe,
  questionMessage,
} from './close-question.js';
import { decideApproval } from './decide.js';
import { closedWords, isClosed } from './outcome-words.js';

const ANSWER_TIMEOUT_MS = 10_000;
/** Telegram's limit, characters. */
const MAX_ANSWER = 200;
/** Refusals that are remembered so that each is in the audit log once. */
const MOST_REFUSALS = 1000;
const MOST_NAMES = 1000;

/** What pao reads of https://core.telegram.org/bots/api#callbackquery. */
const querySchema = z.looseObject({
  id: z.string(),
  from: z.looseObject({
    id: z.number(),
    first_name: z.string().default(''),
    username: z.string().optional(),
  }),
  message: z
    .looseObject({
      message_id: z.number(),
      chat: z.looseObject({ id: z.number(), type: z.string(), username: z.string().optional() }),
    })
    .optional(),
  data: z.unknown(),
});
type Query = z.infer<typeof querySchema>;

export interface TapOptions extends CloseOptions {
  bus: Bus;
  /** The bot of a channel; null when this process has no such channel. */
  botOf: (channel: string, agentId: string) => Promise<TelegramBot | null>;
}

/** Answers taps on the buttons of questions. */
export class TapAnswers {
  readonly #refused = new Set<string>();

  constructor(private readonly options: TapOptions) {}

  /** Handles one tap. Throws only when the store can not be asked: then it is to be handled again. */
  async handle(given: unknown, bot: TelegramBot): Promise<void> {
    const parsed = querySchema.safeParse(given);
    if (!parsed.success) return;
    const query = parsed.data;
    const { store, clock, bus } = this.options;
    const tap = bot.readTap(query.data);
    if (tap === null)
      return this.#refuse(
        query,
        bot,
        null,
        'not_ours',
        'This button is none of pao, or it is from before the token of the bot changed.',
      );
    const approval = await store.getApproval(tap.approvalId);
    const delivery = approval === null ? null : await questionMessage(store, approval);
    if (approval === null || delivery === null)
      return this.#answer(query, bot, 'pao does not know this question any more.', true);
    const own = await this.options.botOf(channelNameOf(delivery), approval.agentId);
    const why = own === null || own.id !== bot.id ? 'not_this_bot' : whyNot(query, own);
    if (why !== null) return this.#refuse(query, bot, approval.id, why, 'You may not answer this question.');
    const by = `telegram:${query.from.id}`;
    const name = nameOf(query.from);
    const { names } = this.options;
    if (names.size >= MOST_NAMES) names.clear();
    names.set(by, name);
    const chat = query.message?.chat.id ?? null;
    const { decision } = tap;
    const result = isClosed(approval, clock.now())
      ? { approval, decided: false }
      : await decideApproval({ store, bus, now: clock.now() }, approval, {
          decision,
          by,
          details: { chat_id: chat, user: name },
        });
    const now = result?.approval ?? approval;
    const { zone, who } = await describe(this.options, now);
    const said = decision === 'approve' ? 'Approved.' : 'Denied.';
    await this.#answer(
      query,
      bot,
      result?.decided === true ? said : closedWords(now, who, zone),
      result?.decided !== true,
    );
    const { message } = query;
    const tapped = message === undefined ? null : { messageId: message.message_id, chatId: message.chat.id };
    await closeQuestion(this.options, bot, approval.id, tapped).catch((error: unknown) =>
      this.#missed(error, 'a question could not be edited yet'),
    );
  }

  /** It changes nothing, and is in the audit log. */
  async #refuse(
    query: Query,
    bot: TelegramBot,
    approvalId: string | null,
    reason: string,
    words: string,
  ): Promise<void> {
    const key = `${query.from.id}/${approvalId}/${reason}`;
    if (!this.#refused.has(key)) {
      if (this.#refused.size >= MOST_REFUSALS) this.#refused.clear();
      this.#refused.add(key);
      await this.options.store.appendAudit({
        at: this.options.clock.now(),
        actor: `telegram:${query.from.id}`,
        action: 'approval.refused',
        target: approvalId,
        details: { reason, chat_id: query.message?.chat.id ?? null, user: nameOf(query.from) },
      });
    }
    await this.#answer(query, bot, words, true);
  }

  /** Telegram forgets a tap that is not answered within seconds: that is no failure. */
  async #answer(query: Query, bot: TelegramBot, text: string, alert: boolean): Promise<void> {
    const parameters = {
      callback_query_id: query.id,
      text: truncateText(text, MAX_ANSWER),
      show_alert: alert,
    };
    await bot
      .call('answerCallbackQuery', parameters, { signal: this.options.signal, timeoutMs: ANSWER_TIMEOUT_MS })
      .catch((error: unknown) => this.#missed(error, 'a tap could not be answered'));
  }

  #missed(error: unknown, what: string): void {
    this.options.logger.info({ reason: error instanceof Error ? error.message : String(error) }, what);
  }
}

/** Why who taps may not decide; null when they may: the chat must be the channel's, and the user one of its approvers. */
function whyNot({ from, message }: Query, { chatId, approvers }: TelegramBot): string | null {
  const chat = message?.chat;
  if (chat === undefined) return 'other_chat';
  const isChat =
    chatId === String(chat.id) || chatId.toLowerCase() === `@${(chat.username ?? '').toLowerCase()}`;
  if (!isChat) return 'other_chat';
  if (approvers !== null) return approvers.includes(from.id) ? null : 'not_an_approver';
  // Nobody counted who reads a channel.
  if (chat.type === 'channel') return 'not_an_approver';
  return chat.type === 'private' && from.id !== chat.id ? 'not_an_approver' : null;
}

const nameOf = ({ id, first_name: first, username }: Query['from']): string =>
  [first, username === undefined ? '' : `(@${username})`].filter((part) => part !== '').join(' ') ||
  `Telegram user ${id}`;
