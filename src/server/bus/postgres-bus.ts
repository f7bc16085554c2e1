import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { BusMessages, BusTopic } from './bus.js';
import { MemoryBus } from './memory-bus.js';

/** PostgreSQL takes less than 8000 bytes in one notification. */
const MAX_BYTES = 7900;
const CHANNEL = 'pao';
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5000;
/** A connection that says nothing is asked for a sign of life this often. */
const PING_MS = 10_000;
const PING_TIMEOUT_MS = 5000;
/** That runs changed their status is news for who watches them: said this often, for so many; the others are looked up. */
const NEWS_MS = 25;
const MAX_NEWS = 500;

/** Topics that other machines hear of. Metrics stay where they are gathered, the test clock has one machine. */
const SHARED: readonly BusTopic[] = [
  'work',
  'schedule',
  'cancel',
  'run',
  'event',
  'delivery',
  'approval',
  'notice',
];

type Sendable = { [T in BusTopic]: [topic: T, message: BusMessages[T]] }[BusTopic];

export interface PostgresBusOptions {
  /** The database itself: a pooler in transaction mode does not pass notifications on. */
  url: string;
  connectTimeoutMs?: number;
  /** Told when the connection goes away (with why) and when it is there. */
  onState?: (isUp: boolean, reason: string | null) => void;
}

/**
 * Wake-ups between machines over LISTEN and NOTIFY of their common database, on one connection of its own that is made
 * anew when it breaks. What is published in one turn goes out together, outside of any transaction of the store: a
 * NOTIFY inside one would keep commits from sharing their fsync.
 */
export class PostgresBus extends MemoryBus {
  override readonly backend = 'postgres' as const;
  readonly #options: PostgresBusOptions;
  /** Who says it: one's own messages have been heard already. */
  readonly #self = randomUUID();
  #client: pg.Client | null = null;
  #pending: Sendable[] = [];
  #news = new Set<string>();
  #newsTimer: NodeJS.Timeout | null = null;
  #sending = false;
  #closed = false;
  #retryMs = FIRST_RETRY_MS;
  #timer: NodeJS.Timeout | null = null;
  #ping: NodeJS.Timeout | null = null;

  constructor(options: PostgresBusOptions) {
    super();
    this.#options = options;
  }

  /** Whether messages reach other processes now. */
  isUp(): boolean {
    return this.#client !== null;
  }

  /** Connects, and from then on keeps connected. @throws what the first attempt says; it goes on trying nevertheless. */
  async open(): Promise<void> {
    await this.#connect();
  }

  override publish<T extends BusTopic>(topic: T, message: BusMessages[T]): void {
    super.publish(topic, message);
    if (!SHARED.includes(topic) || this.#closed || this.#client === null) return;
    if (topic === 'run') this.#tell((message as BusMessages['run']).runIds);
    else this.#queue([topic, message] as Sendable);
  }

  #queue(message: Sendable): void {
    this.#pending.push(message);
    if (this.#sending) return;
    this.#sending = true;
    setImmediate(() => void this.#send());
  }

  #tell(runIds: readonly string[]): void {
    for (const id of runIds) {
      if (this.#news.size >= MAX_NEWS) break;
      this.#news.add(id);
    }
    this.#newsTimer ??= setTimeout(() => {
      this.#newsTimer = null;
      const told = [...this.#news];
      this.#news.clear();
      if (told.length > 0 && !this.#closed) this.#queue(['run', { runIds: told }]);
    }, NEWS_MS).unref();
  }

  override async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#ping !== null) clearInterval(this.#ping);
    if (this.#newsTimer !== null) clearTimeout(this.#newsTimer);
    await this.#client?.end().catch(() => {});
    this.#client = null;
    await super.close();
  }

  async #connect(): Promise<void> {
    const { url, connectTimeoutMs = 5000, onState } = this.#options;
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: PING_TIMEOUT_MS,
      keepAlive: true,
      application_name: 'pao bus',
    });
    let lost = false;
    const lose = (reason: Error) => {
      if (lost) return;
      lost = true;
      client.removeAllListeners('notification');
      client.end().catch(() => {});
      if (this.#client === client) this.#client = null;
      if (this.#closed) return;
      onState?.(false, reason.message || String(reason));
      this.#timer = setTimeout(() => void this.#connect().catch(() => {}), this.#retryMs);
      this.#timer.unref();
      this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
    };
    client.on('error', lose);
    client.on('end', () => lose(new Error('the connection was closed')));
    client.on('notification', ({ payload }) => this.#hear(payload ?? ''));
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
    } catch (error) {
      lose(error as Error);
      throw error;
    }
    if (this.#closed) {
      await client.end().catch(() => {});
      return;
    }
    this.#client = client;
    this.#retryMs = FIRST_RETRY_MS;
    if (this.#ping !== null) clearInterval(this.#ping);
    this.#ping = setInterval(() => void client.query('SELECT 1').catch(lose), PING_MS);
    this.#ping.unref();
    onState?.(true, null);
    // What was said meanwhile is not known: everybody looks once.
    this.deliver('work', { count: 1 });
    this.deliver('schedule', { reason: 'clock' });
  }

  async #send(): Promise<void> {
    while (this.#pending.length > 0) {
      const texts = payloads(this.#self, coalesce(this.#pending.splice(0)));
      try {
        await this.#client?.query('SELECT pg_notify($1, text) FROM unnest($2::text[]) AS one(text)', [
          CHANNEL,
          texts,
        ]);
      } catch {
        // Only a wake-up: who was to hear it looks by himself soon. A connection that broke says so itself.
      }
    }
    this.#sending = false;
  }

  #hear(payload: string): void {
    let said: { from: string; messages: Sendable[] };
    try {
      said = JSON.parse(payload) as typeof said;
    } catch {
      return;
    }
    if (said.from === this.#self || !Array.isArray(said.messages)) return;
    for (const [topic, message] of said.messages) {
      if (SHARED.includes(topic)) this.deliver(topic, message as never);
    }
  }
}

/** One message for many that say the same: counts are summed, lists of ids joined. */
function coalesce(messages: readonly Sendable[]): Sendable[] {
  let work = 0;
  const reasons = new Set<BusMessages['schedule']['reason']>();
  const ids = { run: new Set<string>(), cancel: new Set<string>() };
  const rest: Sendable[] = [];
  for (const one of messages) {
    if (one[0] === 'work') work += one[1].count;
    else if (one[0] === 'schedule') reasons.add(one[1].reason);
    else if (one[0] === 'run' || one[0] === 'cancel') for (const id of one[1].runIds) ids[one[0]].add(id);
    else rest.push(one);
  }
  const result: Sendable[] = [];
  if (work > 0) result.push(['work', { count: work }]);
  for (const reason of reasons) result.push(['schedule', { reason }]);
  for (const topic of ['cancel', 'run'] as const) {
    const all = [...ids[topic]];
    for (let at = 0; at < all.length; at += 100) result.push([topic, { runIds: all.slice(at, at + 100) }]);
  }
  return [...result, ...rest];
}

/** Messages in as few notifications as their size allows. One that is too large alone is left out: it is only news. */
function payloads(from: string, messages: readonly Sendable[]): string[] {
  const frame = Buffer.byteLength(JSON.stringify({ from, messages: [] }));
  const texts: string[] = [];
  let some: string[] = [];
  let size = frame;
  const flush = () => {
    if (some.length > 0) texts.push(`{"from":${JSON.stringify(from)},"messages":[${some.join(',')}]}`);
    some = [];
    size = frame;
  };
  for (const message of messages) {
    const text = JSON.stringify(message);
    const bytes = Buffer.byteLength(text) + 1;
    if (frame + bytes > MAX_BYTES) continue;
    if (size + bytes > MAX_BYTES) flush();
    some.push(text);
    size += bytes;
  }
  flush();
  return texts;
}
