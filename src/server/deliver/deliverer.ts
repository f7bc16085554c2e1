import type { Clock } from '../../domain/clock.js';
import { Looker } from '../../domain/looker.js';
import type { Delivery } from '../../domain/delivery.js';
import type { Observer } from '../../domain/observability/observer.js';
import type { Bus } from '../bus/bus.js';
import type { DeliveryOutcome, Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';
import { mergeInputs } from './digest.js';
import type { Post, Ready } from './post.js';
import { takeBackDeliveries } from './take-back.js';
import type { Verdict } from './verdict.js';

export interface DelivererOptions {
  store: Store;
  bus: Bus;
  clock: Clock;
  logger: Logger;
  observer: Observer;
  /** Whose attempts these are: the worker. */
  owner: string;
  post: Post;
  /** Told of each message that did not arrive, or of which nobody knows, as it is then. */
  onTrouble?: ((delivery: Delivery) => Promise<void>) | undefined;
  /** How long to wait at most between two looks, milliseconds. */
  pollMs?: number;
}

/** Due messages read in one go. */
const BATCH = 100;
/** Channels that are sent to at once. */
const LANES = 8;
/** An attempt may take this much longer than its own time limit until it counts as lost, milliseconds. */
const LEASE_MARGIN_MS = 30_000;

/**
 * Sends what is in the outbox: each message once, one after the other to each channel. Level-triggered: it looks at what
 * is due, woken by what is written and by a slow poll underneath; of several that look, the store lets one send.
 */
export class Deliverer {
  readonly #unsubscribe: (() => void)[] = [];
  /** Channels that asked for time, with the instant until which they are left alone. */
  readonly #resting = new Map<string, number>();
  readonly #stop = new AbortController();
  readonly #looker = new Looker(() => this.#look());
  #stopping = false;

  constructor(private readonly options: DelivererOptions) {}

  start(): void {
    const { bus } = this.options;
    this.#unsubscribe.push(
      bus.subscribe('delivery', () => this.wake()),
      bus.subscribe('clock', () => this.wake()),
    );
    this.#looker.start();
  }

  /** Ends what is being sent within the grace period; the rest stays in the outbox. */
  async stop(graceMs: number): Promise<void> {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    const cut = setTimeout(() => this.#stop.abort('interrupted'), graceMs);
    this.#stopping = true;
    await this.#looker.stop();
    clearTimeout(cut);
    this.#stop.abort('interrupted');
  }

  /** Looks now. */
  wake(): void {
    this.#looker.wake();
  }

  /** @returns the milliseconds until the next look. */
  async #look(): Promise<number> {
    const { store, clock, logger, pollMs = 5000 } = this.options;
    try {
      // What is behind those that moved may go now.
      if ((await this.runOnce()) > 0) {
        this.wake();
        return pollMs;
      }
      const next = await store.nextDeliveryAt();
      // What is due and was left alone (its channel rests) is looked at again by the poll, or when the rest ends.
      const wakeAt = Math.min(next ?? Infinity, ...this.#resting.values());
      if (wakeAt > clock.now()) return Math.max(1, Math.min(pollMs, wakeAt - clock.now()));
    } catch (error) {
      logger.warn({ err: error }, 'the outbox could not be looked at; trying again');
    }
    return pollMs;
  }

  /** One look. @returns how many messages moved. */
  async runOnce(): Promise<number> {
    const { store, clock } = this.options;
    const now = clock.now();
    await this.#reclaim(now);
    for (const [channel, until] of this.#resting) if (until <= now) this.#resting.delete(channel);
    const due = await store.dueDeliveries({ now, limit: BATCH });
    const lanes = new Map<string, Delivery[][]>();
    for (const group of groupsOf(due)) {
      const { channel } = group[0] as Delivery;
      if (this.#resting.has(channel)) continue;
      const lane = lanes.get(channel) ?? [];
      lane.push(group);
      lanes.set(channel, lane);
    }
    const waiting = [...lanes.values()];
    let moved = 0;
    const work = async () => {
      for (let lane = waiting.shift(); lane !== undefined; lane = waiting.shift()) {
        for (const group of lane) {
          if (this.#stopping || this.#resting.has((group[0] as Delivery).channel)) break;
          moved += await this.#send(group);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(LANES, waiting.length) }, work));
    return moved;
  }

  async #reclaim(now: number): Promise<void> {
    const { store, observer, onTrouble, logger } = this.options;
    const { requeued, unknown } = await takeBackDeliveries({ store, now, observer, onTrouble });
    if (requeued.length + unknown.length > 0)
      logger.warn({ requeued, unknown }, 'attempts to deliver were lost and taken back');
  }

  /** Sends one message, or several as one. @returns how many moved. */
  async #send(group: Delivery[]): Promise<number> {
    const { store, clock, owner, post, logger } = this.options;
    const open: { one: Delivery; ready: Ready }[] = [];
    let moved = 0;
    // Messages that are joined may be of tasks with quiet times of their own.
    for (const one of group) {
      const ready = await post.prepare(one);
      if ('verdict' in ready) moved += await this.#settle([one], ready.verdict);
      else open.push({ one, ready });
    }
    const ready = open[0]?.ready;
    if (ready === undefined) return moved;
    const now = clock.now();
    const taken = await store.beginDeliveries({
      wanted: open.map(({ one }) => ({
        id: one.id,
        leaseToken: one.leaseToken,
        repeatable: ready.repeatable,
      })),
      owner,
      now,
      leaseMs: ready.timeoutMs + LEASE_MARGIN_MS,
    });
    const tokens = new Map(taken.map(({ id, leaseToken }) => [id, leaseToken]));
    const mine = open.flatMap(({ one }) => {
      const leaseToken = tokens.get(one.id);
      return leaseToken === undefined ? [] : [{ ...one, leaseToken, attempts: one.attempts + 1 }];
    });
    const [lead] = mine;
    if (lead === undefined) return moved;
    const input = mergeInputs(mine.map(({ message }) => message.input));
    const verdict = await post.send(
      { ...lead, message: { ...lead.message, input } },
      ready,
      this.#stop.signal,
    );
    if (verdict.status === 'pending' && verdict.dueAt !== null && verdict.reason === 'rate_limited')
      this.#resting.set(lead.channel, verdict.dueAt);
    logger.info(
      {
        delivery_id: lead.id,
        channel: lead.channel,
        run_id: lead.runId,
        status: verdict.status,
        messages: mine.length,
      },
      'message sent',
    );
    return moved + (await this.#settle(mine, verdict));
  }

  async #settle(group: readonly Delivery[], verdict: Verdict): Promise<number> {
    const { store, clock, observer, onTrouble, bus, logger } = this.options;
    const [lead] = group as [Delivery, ...Delivery[]];
    const outcomes = group.map(
      ({ id, leaseToken }): DeliveryOutcome => ({
        ...verdict,
        id,
        leaseToken,
        mergedInto: id === lead.id || verdict.status !== 'delivered' ? null : lead.id,
      }),
    );
    const { refused } = await this.#insistently(() => store.settleDeliveries(outcomes, clock.now()));
    if (refused.length > 0) logger.warn({ delivery_ids: refused }, 'what became of a message was refused');
    const written = group.filter(({ id }) => !refused.includes(id));
    const runIds = written.flatMap(({ runId }) => (runId === null ? [] : [runId]));
    if (runIds.length > 0) bus.publish('run', { runIds });
    for (const one of written) {
      if (verdict.status !== 'pending') observer.add('deliveries_total', { outcome: verdict.status });
      if (one.origin === 'notice' && (verdict.status === 'delivered' || verdict.status === 'failed'))
        observer.add('notifications_total', { outcome: verdict.status === 'failed' ? 'failed' : 'sent' });
      if (verdict.status === 'failed' || verdict.status === 'unknown')
        await onTrouble?.({ ...one, ...verdict });
    }
    return written.length;
  }

  /** What was sent is written down, also when the store is away for a while; else it would count as lost. */
  async #insistently<T>(write: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await write();
      } catch (error) {
        if (this.#stopping) throw error;
        this.options.logger.error(
          { err: error },
          'what became of a message could not be written; trying again',
        );
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }
  }
}

/** What is sent as one: messages that were put off and may be joined; every other one is alone. */
function groupsOf(due: readonly Delivery[]): Delivery[][] {
  const groups: Delivery[][] = [];
  const byKey = new Map<string, Delivery[]>();
  for (const one of due) {
    const joins = one.status === 'deferred' && one.digestKey !== null && one.message.secrets === undefined;
    const known = joins ? byKey.get(one.digestKey as string) : undefined;
    if (known !== undefined) {
      known.push(one);
      continue;
    }
    const group = [one];
    groups.push(group);
    if (joins) byKey.set(one.digestKey as string, group);
  }
  return groups;
}
