import { isRedisUrl } from '../../domain/redis-url.js';
import type { Bus } from './bus.js';
import { LayeredBus } from './layered-bus.js';

/**
 * The bus of one service, by its settings: Redis over the near bus, or the near bus alone. It never waits for Redis.
 * @param near joins the services of this machine: IPC, or memory in one process.
 * @param onState told when what it reaches the others by goes away and comes back.
 */
export async function openBus(
  config: { redis_url: string; redis_prefix: string },
  near: Bus,
  onState?: (isUp: boolean, reason: string | null) => void,
): Promise<Bus> {
  if (!isRedisUrl(config.redis_url)) return near;
  const { RedisBus } = await import('./redis-bus.js');
  const redis = new RedisBus({
    url: config.redis_url,
    prefix: config.redis_prefix,
    ...(onState === undefined ? {} : { onState }),
  });
  redis.connect();
  return new LayeredBus(near, redis);
}
