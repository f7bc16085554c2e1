import { type Channel, hasButtons } from '../../../domain/channel.js';
import { Looker } from '../../../domain/looker.js';
import type { Delivery } from '../../../domain/delivery.js';
import type { Observer } from '../../../domain/observability/observer.js';
import { ToolError } from '../../../domain/tool-error.js';
import type { Bus } from '../../bus/bus.js';
import type { TelegramBot } from '../../tools/channels/telegram-bot.js';
import { TapAnswers } from './answer-tap.js';
import { BotPoller } from './bot-poller.js';
import { clearChannelProblem } from './channel-problem.js';
import { channelNameOf, type CloseOptions, closeQuestion } from './close-question.js';
import { dropQuestion, listQuestions, noteQuestion, type OpenQuestion } from './open-questions.js';

/** A look underneath the bus, milliseconds. */
const POLL_MS = 15_000;
/** While questions are open. */
const OPEN_POLL_MS = 5000;
/** The longest pause after messages that could not be edited, milliseconds. */
const REST_CAP_MS = 60_000;
/** So long Telegram is asked after the last question: somebody may tap what they still see, milliseconds. */
const LINGER_MS = 120_000;
/** A question whose channel is gone from the configuration is given up after this time, milliseconds. */
const FORGET_MS = 7 * 86_400_000;

export interface QuestionDeskOptions extends Omit<CloseOptions, 'signal' | 'names'> {
  bus: Bus;
  observer: Observer;
  /** Whose right to ask it is: the worker. */
  owner: string;
  channels: Readonly<Record<string, Channel>>;
  openBot: (channel: string, agent: string) => Promise<TelegramBot | null>;
  pollMs?: number;
  lingerMs?: number;
  pace?: number;
}

interface BotAtWork {
  poller: BotPoller;
  bot: TelegramBot;
  questions: OpenQuestion[];
  /** Channels whose questions it had. */
  channels: string[];
  /** Monotonic milliseconds of the last look that found a question. */
  neededAt: number;
  /** Nothing is edited until then, monotonic milliseconds: Telegram asked for time, or did not do it. */
  restsUntil: number;
  /** Edits that failed, one after the other. */
  failures: number;
  /** What the log has of why. */
  said: string | null;
}

/**
 * Listens to the buttons of questions while there are any, and writes below each how it ended, whoever decided it.
 * Level-triggered: it looks at the questions that are noted in the store, so that another process goes on where one died.
 */
export class QuestionDesk {
  readonly #stop = new AbortController();
  readonly #bots = new Map<string, BotAtWork>();
  readonly #opened = new Map<string, Promise<TelegramBot | null>>();
  readonly #names = new Map<string, string>();
  /** Channels whose bot can not be used, with what the log has of why. */
  readonly #unusable = new Map<string, string>();
  readonly #taps: TapAnswers;
  readonly #isNeeded: boolean;
  #unsubscribe: (() => void)[] = [];
  readonly #looker = new Looker(() => this.#lookSafely());

  constructor(private readonly options: QuestionDeskOptions) {
    this.#isNeeded = Object.values(options.channels).some(hasButtons);
    this.#taps = new TapAnswers({
      ...options,
      names: this.#names,
      signal: this.#stop.signal,
      botOf: (channel, agentId) => this.#botOf(channel, agentId),
    });
  }

  start(): void {
    const { bus, store, channels, logger } = this.options;
    // What was wrong with buttons does not matter where there are none any more.
    for (const [name, channel] of Object.entries(channels))
      if (channel.kind === 'telegram' && !hasButtons(channel))
        clearChannelProblem(store, name).catch((error: unknown) =>
          logger.warn({ err: error }, 'the state of a channel could not be written'),
        );
    if (!this.#isNeeded) return;
    this.#unsubscribe = [
      bus.subscribe('approval', () => this.wake()),
      bus.subscribe('clock', () => this.wake()),
    ];
    this.#looker.start();
  }

  /** Stops listening; what is open is for the next process. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#stop.abort('interrupted');
    await this.#looker.stop();
    await Promise.all([...this.#bots.values()].map(({ poller }) => poller.stop()));
  }

  /** A question is about to be sent. */
  async expect(delivery: Delivery): Promise<void> {
    const channel = channelNameOf(delivery);
    const settings = Object.hasOwn(this.options.channels, channel)
      ? this.options.channels[channel]
      : undefined;
    if (settings === undefined || !hasButtons(settings)) return;
    const { key: approvalId, agentId } = delivery;
    await noteQuestion(this.options.store, { approvalId, agentId, channel });
    this.wake();
  }

  /** Looks now. */
  wake(): void {
    this.#looker.wake();
  }

  /** @returns the milliseconds until the next look. */
  async #lookSafely(): Promise<number> {
    const { logger, pollMs = POLL_MS } = this.options;
    const open = await this.#look().catch((error: unknown) => {
      logger.warn({ err: error }, 'open questions could not be looked at; trying again');
      return 1;
    });
    return open > 0 || this.#bots.size > 0 ? Math.min(pollMs, OPEN_POLL_MS) : pollMs;
  }

  /** @returns how many questions are open. */
  async #look(): Promise<number> {
    const { store, clock, lingerMs = LINGER_MS } = this.options;
    const questions = await listQuestions(store);
    for (const work of this.#bots.values()) work.questions = [];
    for (const question of questions) {
      const bot = await this.#botOf(question.channel, question.agentId);
      if (bot === null) await this.#forgetOld(question);
      else this.#workOf(bot).questions.push(question);
    }
    for (const [id, work] of this.#bots) {
      const now = clock.monotonic();
      if (work.questions.length > 0) {
        work.neededAt = now;
        work.channels = [...new Set(work.questions.map(({ channel }) => channel))];
      }
      if (work.poller.holds && now >= work.restsUntil) await this.#close(work);
      if (work.questions.length > 0 || now - work.neededAt < lingerMs) continue;
      this.#bots.delete(id);
      this.#opened.clear();
      await work.poller.stop();
    }
    return questions.length;
  }

  #workOf(bot: TelegramBot): BotAtWork {
    const known = this.#bots.get(bot.id);
    if (known !== undefined) return known;
    const { store, clock, logger, observer, owner, pace } = this.options;
    const work: BotAtWork = {
      bot,
      questions: [],
      channels: [],
      neededAt: clock.monotonic(),
      restsUntil: 0,
      failures: 0,
      said: null,
      poller: new BotPoller({
        store,
        clock,
        logger,
        observer,
        owner,
        bot,
        channels: () => work.channels,
        onTap: (query, asked) => this.#taps.handle(query, asked),
        onTaken: () => this.wake(),
        ...(pace === undefined ? {} : { pace }),
      }),
    };
    this.#bots.set(bot.id, work);
    work.poller.start();
    return work;
  }

  /** Writes below those that ended how they did. */
  async #close(work: BotAtWork): Promise<void> {
    const options = { ...this.options, names: this.#names, signal: this.#stop.signal };
    for (const { approvalId, channel, agentId } of work.questions) {
      const bot = await this.#botOf(channel, agentId);
      if (bot === null || this.#stop.signal.aborted) return;
      try {
        if (await closeQuestion(options, bot, approvalId)) Object.assign(work, { failures: 0, said: null });
      } catch (error) {
        const asked = error instanceof ToolError ? (error.retryAfterMs ?? 0) : 0;
        const pollMs = Math.min(this.options.pollMs ?? POLL_MS, OPEN_POLL_MS);
        const backoff = Math.min(REST_CAP_MS, pollMs * 2 ** Math.min(work.failures++, 10));
        work.restsUntil = this.options.clock.monotonic() + Math.max(asked, backoff);
        const reason = error instanceof Error ? error.message : String(error);
        if (work.said !== reason)
          this.options.logger.info({ approval_id: approvalId, reason }, 'a question could not be edited yet');
        work.said = reason;
        return;
      }
    }
  }

  async #forgetOld(question: OpenQuestion): Promise<void> {
    const { store, clock } = this.options;
    const approval = await store.getApproval(question.approvalId);
    if (approval === null || clock.now() - approval.expiresAt > FORGET_MS)
      await dropQuestion(store, question);
  }

  /**
   * The bot of a channel, kept while it is used: its secrets are not asked for again with every look.
   * @returns null when there is none, or it can not be used. Throws when the store can not be asked.
   */
  async #botOf(channel: string, agentId: string): Promise<TelegramBot | null> {
    const key = `${channel}\n${agentId}`;
    const known = this.#opened.get(key);
    if (known !== undefined) return known;
    const { store, openBot, logger } = this.options;
    const opening = store.getAgent(agentId).then((agent) => openBot(channel, agent?.name ?? ''));
    this.#opened.set(key, opening);
    try {
      const bot = await opening;
      this.#unusable.delete(channel);
      return bot;
    } catch (error) {
      this.#opened.delete(key);
      // Not what is wrong with the channel: whoever tapped must not be told that they may not.
      if (!(error instanceof ToolError)) throw error;
      if (this.#unusable.get(channel) !== error.message)
        logger.warn({ channel, reason: error.message }, 'the bot of a channel can not be used');
      this.#unusable.set(channel, error.message);
      return null;
    }
  }
}
