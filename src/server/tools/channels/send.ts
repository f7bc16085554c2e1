import { type Channel, type ChannelMessage, hasButtons } from '../../../domain/channel.js';
import {
  type ConnectorAnswer,
  type ConnectorCall,
  type ConnectorServices,
  resolveSecrets,
} from '../connector.js';
import { fillJson, parseJsonTemplate, secretsInJson } from '../connector-template.js';
import { sendDesktop } from './desktop.js';
import { sendEmail } from './email.js';
import { sendNtfy } from './ntfy.js';
import { sendTelegram } from './telegram.js';
import { targetOfServer, targetOfUrl } from './target.js';
import { sendWebhook } from './webhook.js';

/** Sends a message by a channel of the configuration: the operator named its target, so that needs no further grant. */
export async function sendByChannel(
  services: ConnectorServices,
  call: ConnectorCall,
  channel: Channel,
): Promise<ConnectorAnswer> {
  const settings = await settingsOf(services, call, channel);
  const message = call.input as ChannelMessage;
  switch (settings.kind) {
    case 'webhook':
      return sendWebhook(services, call, settings, message);
    case 'ntfy':
      return sendNtfy(services, call, settings, message, [targetOfUrl(settings.url)]);
    case 'telegram': {
      const question = hasButtons(settings) ? call.context.question : undefined;
      return sendTelegram(services, call, settings, message, [targetOfUrl(settings.api)], question);
    }
    case 'email':
      return sendEmail(services, call, settings, message, [targetOfServer(settings.server)]);
    case 'desktop':
      return sendDesktop(call, message);
  }
}

/** The settings of a channel, secrets filled in. */
export async function settingsOf<C extends Channel>(
  services: ConnectorServices,
  call: Pick<ConnectorCall, 'tool' | 'context'>,
  channel: C,
): Promise<C> {
  const template = parseJsonTemplate(channel);
  const secrets = await resolveSecrets(services, call, secretsInJson(template));
  return fillJson(template, { input: null, secrets, call: {} }) as C;
}
