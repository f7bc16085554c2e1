import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { EXIT, PaoError } from '../../domain/errors.js';
import { shownRedisUrl } from '../../domain/redis-url.js';
import type { Bus, BusMessages, BusTopic, LifecycleEntry } from './bus.js';
import { MemoryBus } from './memory-bus.js';

export interface RedisBusOptions {
  /** `redis://…` or `rediss://…`. */
  url: string;
  /** Begins every key and channel: systems that share a Redis have different ones. */
  prefix: string;
  /** Told when Redis goes away (with why) and when it is back. */
  onState?: (isUp: boolean, reason: string | null) => void;
}

/** What is kept of the stream: about this many entries, the newest. */
const STREAM_LENGTH = 100_000;
/** Entries kept in memory while Redis is away; older ones are dropped, and the stream says how many. */
const BACKLOG = 10_000;
const MAX_BACKOFF_MS = 2000;

/**
 * Wake-ups over Redis pub/sub, and lifecycle events in the stream `<prefix>:events` for readers outside (docs/redis.md).
 * While Redis is away messages reach only this process: the polls of the others find the work, later. It reconnects by
 * itself, with a growing pause.
 */
export class RedisBus extends MemoryBus implements Bus {
  override readonly backend = 'redis' as const;
  readonly #origin = randomUUID();
  readonly #channel: string;
  readonly #stream: string;
  readonly #commands: Redis;
  readonly #subscriber: Redis;
  #backlog: LifecycleEntry[] = [];
  #dropped = 0;
  #flushing = false;
  #wasUp: boolean | null = null;
  #reason: string | null = null;

  constructor(private readonly options: RedisBusOptions) {
    super();
    this.#channel = `${options.prefix}:bus`;
    this.#stream = `${options.prefix}:events`;
    const settings = {
      lazyConnect: true,
      // A command is answered or refused at once: nothing of ours waits for Redis.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: 5000,
      retryStrategy: (times: number) => Math.min(MAX_BACKOFF_MS, 50 * 2 ** Math.min(times, 10)),
    };
    this.#commands = new Redis(options.url, { ...settings, connectionName: 'pao' });
    this.#subscriber = new Redis(options.url, {
      ...settings,
      connectionName: 'pao-bus',
      autoResubscribe: false,
    });
    for (const connection of [this.#commands, this.#subscriber]) {
      connection.on('error', (error: Error) => {
        this.#reason = reasonOf(error);
        this.#tellState();
      });
      connection.on('close', () => this.#tellState());
      connection.on('ready', () => this.#tellState());
    }
    this.#subscriber.on('ready', () => {
      // What was published while it was away is not heard: everyone looks for themselves.
      this.#subscriber.subscribe(this.#channel).then(
        () => {
          this.deliver('work', { count: 1 });
          this.deliver('schedule', { reason: 'task' });
        },
        () => {},
      );
    });
    this.#commands.on('ready', () => void this.#flush());
    this.#subscriber.on('message', (_channel: string, text: string) => this.#hear(text));
  }

  /** Whether both connections stand. */
  isUp(): boolean {
    return this.#commands.status === 'ready' && this.#subscriber.status === 'ready';
  }

  /** Begins to connect, and goes on trying for as long as the bus is open. */
  connect(): void {
    for (const connection of [this.#commands, this.#subscriber]) connection.connect().catch(() => {});
  }

  override publish<T extends BusTopic>(topic: T, message: BusMessages[T]): void {
    super.publish(topic, message);
    if (this.#commands.status !== 'ready') return;
    const text = JSON.stringify({ from: this.#origin, topic, message });
    this.#commands.publish(this.#channel, text).catch(() => {});
  }

  /** Appends to the stream, in order. What does not reach Redis now goes when it is back. */
  record(entries: readonly LifecycleEntry[]): void {
    this.#backlog.push(...entries);
    const excess = this.#backlog.length - BACKLOG;
    if (excess > 0) {
      this.#backlog.splice(0, excess);
      this.#dropped += excess;
    }
    void this.#flush();
  }

  override async close(): Promise<void> {
    await this.#flush();
    for (const connection of [this.#commands, this.#subscriber]) {
      connection.removeAllListeners();
      connection.on('error', () => {});
      connection.disconnect();
    }
    await super.close();
  }

  async #flush(): Promise<void> {
    if (this.#flushing || this.#commands.status !== 'ready') return;
    this.#flushing = true;
    try {
      while (this.#backlog.length > 0) {
        const batch = this.#backlog.slice(0, 500);
        const dropped = this.#dropped;
        const pipeline = this.#commands.pipeline();
        if (dropped > 0) append(pipeline, this.#stream, gap(dropped));
        for (const entry of batch) append(pipeline, this.#stream, entry);
        await pipeline.exec().then((results) => {
          const failed = results?.find(([error]) => error !== null)?.[0];
          if (failed) throw failed;
        });
        // What came meanwhile stands behind the batch, unless the front was dropped for it.
        this.#backlog.splice(0, Math.max(0, batch.length - (this.#dropped - dropped)));
        this.#dropped -= dropped;
      }
    } catch (error) {
      // It stays in the backlog and goes when Redis is back.
      this.#reason = reasonOf(error as Error);
    } finally {
      this.#flushing = false;
    }
  }

  #hear(text: string): void {
    try {
      const { from, topic, message } = JSON.parse(text) as {
        from: string;
        topic: BusTopic;
        message: BusMessages[BusTopic];
      };
      if (from !== this.#origin) this.deliver(topic, message as never);
    } catch {
      // Somebody else speaks on our channel: not for us.
    }
  }

  #tellState(): void {
    const isUp = this.isUp();
    if (isUp === this.#wasUp || (this.#wasUp === null && !isUp && this.#reason === null)) return;
    this.#wasUp = isUp;
    this.options.onState?.(isUp, isUp ? null : this.#reason);
  }
}

function append(pipeline: ReturnType<Redis['pipeline']>, stream: string, entry: LifecycleEntry): void {
  const { type, at, subject, data } = entry;
  pipeline.xadd(
    stream,
    'MAXLEN',
    '~',
    STREAM_LENGTH,
    '*',
    ...['type', type, 'at', new Date(at).toISOString(), 'subject', subject, 'data', JSON.stringify(data)],
  );
}

const gap = (count: number): LifecycleEntry => ({
  type: 'stream.gap',
  at: Date.now(),
  subject: '',
  data: { dropped: count, reason: 'Redis was away for too long; the database has everything' },
});

function reasonOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return code ?? error.message;
}

/**
 * Asks a Redis for a sign of life once.
 * @throws PaoError PAO_REDIS_UNREACHABLE (exit 3) with host, port and reason; PAO_REDIS_REFUSED (exit 2) when it wants
 * other credentials.
 */
export async function probeRedis(url: string, timeoutMs = 3000): Promise<{ version: string }> {
  const connection = new Redis(url, {
    lazyConnect: true,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectionName: 'pao-probe',
  });
  let cause: Error | null = null;
  connection.on('error', (error: Error) => {
    cause = error;
  });
  try {
    await connection.connect();
    const info = await connection.info('server');
    return { version: /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown' };
  } catch (error) {
    const reason = cause ?? (error as Error);
    if (/NOAUTH|WRONGPASS|NOPERM|invalid password/i.test(`${reason.message} ${(error as Error).message}`)) {
      throw new PaoError('PAO_REDIS_REFUSED', `Redis at ${hostOf(url)} refuses the credentials.`, {
        exitCode: EXIT.usage,
        hints: ['Set REDIS_URL=redis://USER:PASSWORD@HOST:PORT'],
        cause: error,
      });
    }
    throw new PaoError(
      'PAO_REDIS_UNREACHABLE',
      `Redis at ${hostOf(url)} can not be reached (${reasonOf(reason)}).`,
      {
        exitCode: EXIT.unavailable,
        hints: [`redis-cli -u ${shownRedisUrl(url)} ping`],
        cause: error,
      },
    );
  } finally {
    connection.disconnect();
  }
}

function hostOf(url: string): string {
  if (!URL.canParse(url)) return 'an invalid URL';
  const { hostname, port } = new URL(url);
  return `${hostname || 'localhost'}:${port || '6379'}`;
}
