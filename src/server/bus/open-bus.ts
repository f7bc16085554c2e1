import { isRedisUrl } from '../../domain/redis-url.js';
import type { Bus } from './bus.js';
import { LayeredBus } from './layered-bus.js';

export interface BusOptions {
  /** The database itself, where it is one that several machines share. */
  postgres?: { url: string; connectTimeoutMs?: number } | undefined;
  /** Told when what it reaches the others by goes away and comes back. */
  onState?: (isUp: boolean, reason: string | null) => void;
}

/**
 * The bus of one service, by its settings: Redis over the near bus, else PostgreSQL (LISTEN/NOTIFY) over it, else the near
 * bus alone. It never waits for either.
 * @param near joins the services of this machine: IPC, or memory in one process.
 */
export async function openBus(
  config: { redis_url: string; redis_prefix: string },
  near: Bus,
  { postgres, onState }: BusOptions = {},
): Promise<Bus> {
  const told = onState === undefined ? {} : { onState };
  if (!isRedisUrl(config.redis_url)) {
    if (postgres === undefined) return near;
    const { PostgresBus } = await import('./postgres-bus.js');
    const far = new PostgresBus({ ...postgres, ...told });
    // Told by onState; it goes on trying.
    void far.open().catch(() => {});
    return new LayeredBus(near, far);
  }
  const { RedisBus } = await import('./redis-bus.js');
  const redis = new RedisBus({
    url: config.redis_url,
    prefix: config.redis_prefix,
    ...told,
  });
  redis.connect();
  return new LayeredBus(near, redis);
}
