import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../../../domain/clock.js';
import type { Observer } from '../../../domain/observability/observer.js';
import { ToolError } from '../../../domain/tool-error.js';
import type { Store } from '../../store/store.js';
import type { Logger } from '../../telemetry/logger.js';
import type { TelegramBot } from '../../tools/channels/telegram-bot.js';
import { type ChannelProblem, clearChannelProblem, noteChannelProblem } from './channel-problem.js';
import { leavePollLeases, POLL_LEASE_MS, takePollLease } from './poll-lease.js';

/** How long Telegram holds a request until there is something, seconds. */
const HOLD_S = 25;
const TIMEOUT_MS = (HOLD_S + 15) * 1000;
const RENEW_MS = POLL_LEASE_MS / 3;
/** Waits after errors: from 1 s, doubled, up to a minute. */
const BASE_MS = 1000;
const CAP_MS = 60_000;
/** One refusal may be the last request of a process that died. */
const CONFLICTS_UNTIL_SAID = 2;

interface Update {
  update_id: number;
  callback_query?: unknown;
}

export interface BotPollerOptions {
  store: Store;
  clock: Clock;
  logger: Logger;
  observer: Observer;
  owner: string;
  bot: TelegramBot;
  /** Names of the channels that this bot serves now. */
  channels: () => string[];
  /** Handles a tap; throws when it is to be handled again. */
  onTap: (query: unknown, bot: TelegramBot) => Promise<void>;
  /** The right to ask was taken. */
  onTaken: () => void;
  /** Waits between attempts, as a part of what is usual; for tests. */
  pace?: number;
}

/**
 * Asks Telegram for the taps on the buttons of one bot, by long polling. A tap is handled, and what it decided is in the
 * store, before the next request confirms it: one that is lost in between comes again and finds itself decided.
 */
export class BotPoller {
  readonly #stop = new AbortController();
  #offset = 0;
  #failures = 0;
  #conflicts = 0;
  /** What the log has of the trouble that there is. */
  #said: string | null = null;
  #holds = false;
  #running: Promise<void> | null = null;

  constructor(private readonly options: BotPollerOptions) {}

  /** Whether this process is the one that asks. */
  get holds(): boolean {
    return this.#holds;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort('interrupted');
    await this.#running;
  }

  async #run(): Promise<void> {
    const { logger } = this.options;
    while (!this.#stop.signal.aborted) {
      try {
        this.#holds = await this.#take();
        if (!this.#holds) {
          await this.#pause(RENEW_MS);
          continue;
        }
        this.options.onTaken();
        await this.#pollWhileHeld();
      } catch (error) {
        logger.warn({ err: error }, 'the right to ask Telegram could not be taken; trying again');
        await this.#pause(RENEW_MS);
      }
    }
    await this.#leave().catch((error: unknown) =>
      logger.warn({ err: error }, 'the right to ask Telegram could not be given back'),
    );
  }

  #take(): Promise<boolean> {
    const { store, bot, owner, clock } = this.options;
    return takePollLease(store, bot.id, owner, clock.now());
  }

  async #pollWhileHeld(): Promise<void> {
    const lost = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, lost.signal]);
    const renew = async () => {
      this.#holds = await this.#take().catch(() => false);
      if (!this.#holds) lost.abort('lease_lost');
    };
    const timer = setInterval(() => void renew(), RENEW_MS).unref();
    try {
      while (!signal.aborted) await this.#pollOnce(signal);
    } finally {
      clearInterval(timer);
      this.#holds = false;
    }
  }

  async #pollOnce(signal: AbortSignal): Promise<void> {
    let updates: Update[];
    try {
      updates = await this.#ask(HOLD_S, signal, TIMEOUT_MS);
    } catch (error) {
      if (!signal.aborted) await this.#afterError(error, signal);
      return;
    }
    this.#failures = 0;
    this.#conflicts = 0;
    this.#said = null;
    this.options.observer.add('telegram_polls_total', { outcome: 'ok' });
    await this.#saysWell();
    for (const { update_id: id, callback_query: query } of updates) {
      try {
        if (query !== undefined) await this.options.onTap(query, this.options.bot);
      } catch (error) {
        this.options.logger.warn({ err: error }, 'a tap could not be handled; it comes again');
        await this.#pause(this.#backoff(), signal);
        return;
      }
      this.#offset = id + 1;
      if (signal.aborted) return;
    }
  }

  async #ask(hold: number, signal: AbortSignal, timeoutMs: number): Promise<Update[]> {
    const parameters = { offset: this.#offset, timeout: hold, allowed_updates: ['callback_query'] };
    const result = await this.options.bot.call('getUpdates', parameters, { signal, timeoutMs });
    return Array.isArray(result) ? (result as Update[]) : [];
  }

  async #afterError(error: unknown, signal: AbortSignal): Promise<void> {
    const known = error instanceof ToolError ? error : null;
    const status = known?.details?.['status'];
    this.options.observer.add('telegram_polls_total', { outcome: status === 409 ? 'conflict' : 'error' });
    if (status === 409) this.#conflicts++;
    const problem = known === null ? null : problemOf(known, status, this.options.clock.now());
    const isSure =
      problem !== null && (problem.kind !== 'conflict' || this.#conflicts >= CONFLICTS_UNTIL_SAID);
    if (isSure) await this.#say(problem);
    else if (status !== 409) this.#warn(error instanceof Error ? error.message : String(error));
    const wait = Math.max(this.#backoff(), known?.retryAfterMs ?? 0);
    await this.#pause(isSure ? Math.max(wait, CAP_MS) : wait, signal, known?.retryAfterMs);
  }

  #warn(reason: string): void {
    if (this.#said === reason) return;
    this.#said = reason;
    this.options.logger.warn({ reason }, 'Telegram could not be asked for answers; trying again');
  }

  /** In the log once, and with the channel until it is well again. */
  async #say(problem: ChannelProblem): Promise<void> {
    const { store, channels, logger } = this.options;
    for (const channel of channels()) {
      const isNews = await noteChannelProblem(store, channel, problem).catch(() => false);
      if (isNews) logger.error({ channel, problem: problem.kind, hint: problem.hint }, problem.message);
    }
  }

  async #saysWell(): Promise<void> {
    const { store, channels, logger } = this.options;
    for (const channel of channels())
      if (await clearChannelProblem(store, channel).catch(() => false))
        logger.info({ channel }, 'answers come in by this channel again');
  }

  #backoff(): number {
    return Math.min(CAP_MS, BASE_MS * 2 ** Math.min(this.#failures++, 10));
  }

  /** @param least not shortened by the pace of a test: the other side asked for it. */
  async #pause(ms: number, signal = this.#stop.signal, least = 0): Promise<void> {
    const { pace = 1 } = this.options;
    await pause(Math.max(1, ms * pace, least), undefined, { signal, ref: false }).catch(() => {});
  }

  /** What was handled is confirmed, and others may ask at once. */
  async #leave(): Promise<void> {
    const { store, owner, bot } = this.options;
    if (this.#offset > 0) await this.#ask(0, AbortSignal.timeout(3000), 3000).catch(() => {});
    await leavePollLeases(store, owner, bot.id);
  }
}

/** What an answer of Telegram means for the channel; null: it passes. */
function problemOf(error: ToolError, status: unknown, since: number): ChannelProblem | null {
  const other =
    'Give pao a bot of its own (@BotFather), or set buttons: false for the channel: then questions are answered with pao run approve.';
  if (status === 409 && /webhook/i.test(error.message)) {
    return {
      kind: 'webhook',
      message: 'This bot sends its updates to a webhook, so that taps on buttons do not reach pao.',
      hint: `Remove it (method deleteWebhook of the Bot API) if nothing else needs it. ${other}`,
      since,
    };
  }
  if (status === 409) {
    return {
      kind: 'conflict',
      message: 'Another program asks for the updates of this bot, so that taps on buttons may not reach pao.',
      hint: `Stop that program. ${other}`,
      since,
    };
  }
  if (status === 401 || status === 404 || error.kind === 'auth') {
    return {
      kind: 'auth',
      message: `Telegram does not know the token of this bot: ${error.message}`,
      hint: 'Look at the token of the channel: @BotFather shows it. Then start pao again.',
      since,
    };
  }
  return null;
}
