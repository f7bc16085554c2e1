import { parseDuration } from '../../domain/duration.js';
import type { Config } from '../config.js';
import { Deliverer, type DelivererOptions } from './deliverer.js';
import { Post, type PostOptions } from './post.js';

/** Starts what sends the messages of the outbox; stop it before the tools are closed. */
export function startDelivering(
  options: Omit<DelivererOptions, 'post'> &
    Pick<PostOptions, 'secrets' | 'findTool' | 'callTool' | 'expectAnswer'> & {
      config: Pick<Config, 'notify' | 'delivery'>;
    },
): Deliverer {
  const { config } = options;
  const post = new Post({
    ...options,
    grants: config.notify.grants,
    retryForMs: parseDuration(config.delivery.retry_for),
    random: Math.random,
  });
  const deliverer = new Deliverer({ ...options, post });
  deliverer.start();
  return deliverer;
}
