import type { ChannelMessage } from '../../../domain/channel.js';
import type { ConnectorAnswer, ConnectorCall, ConnectorServices } from '../connector.js';
import { postWebhook } from '../webhook.js';
import { targetOfUrl } from './target.js';

/** Posts `{type: "pao.message", timestamp, data}` as Standard Webhooks say. */
export function sendWebhook(
  services: ConnectorServices,
  call: ConnectorCall,
  settings: { url: string; secret?: string | undefined },
  message: ChannelMessage,
): Promise<ConnectorAnswer> {
  const body = {
    type: 'pao.message',
    timestamp: new Date(services.clock.now()).toISOString(),
    data: message,
  };
  return postWebhook(services, call, { ...settings, body: JSON.stringify(body) }, [
    targetOfUrl(settings.url),
  ]);
}
