import { type ChannelMessage, channelMessageProperties } from '../../../domain/channel.js';
import { type Tool, toolSchema } from '../../../domain/tool.js';
import type { ConnectorAnswer, ConnectorCall, ConnectorServices } from '../connector.js';
import { sendDesktop } from './desktop.js';
import { sendEmail } from './email.js';
import { sendNtfy } from './ntfy.js';
import { sendTelegram, TELEGRAM_TEXT } from './telegram.js';
import { TELEGRAM_API } from './telegram-api.js';

interface Operation {
  immediate: false;
  run(services: ConnectorServices, call: ConnectorCall): Promise<ConnectorAnswer>;
}

type NtfySettings = Parameters<typeof sendNtfy>[2];
type TelegramSettings = Omit<Parameters<typeof sendTelegram>[2], 'api'> & { api?: string };
type EmailSettings = Omit<Parameters<typeof sendEmail>[2], 'tls'> & { tls?: boolean };

/** A channel whose settings come with each message. */
function direct<Settings extends object>(
  names: readonly (keyof Settings & string)[],
  send: (
    services: ConnectorServices,
    call: ConnectorCall,
    settings: Settings,
    message: ChannelMessage,
    grants: readonly string[],
  ) => Promise<ConnectorAnswer>,
): Operation {
  return {
    immediate: false,
    run(services, call) {
      const given = Object.entries(call.input as Record<string, unknown>);
      const isSetting = ([name]: [string, unknown]) => (names as readonly string[]).includes(name);
      const settings = Object.fromEntries(given.filter(isSetting)) as Settings;
      const message = Object.fromEntries(given.filter((entry) => !isSetting(entry)));
      return send(services, call, settings, message as unknown as ChannelMessage, call.tool.grants ?? []);
    },
  };
}

/** What stands behind each `notify.…` that needs no place in the configuration. */
export const directOperations: Record<string, Operation> = {
  'notify.ntfy': direct<NtfySettings>(['url', 'token'], (services, call, settings, message, grants) =>
    sendNtfy(services, call, settings, message, grants),
  ),
  'notify.telegram': direct<TelegramSettings>(
    ['token', 'chat_id', 'api'],
    (services, call, settings, message, grants) =>
      sendTelegram(services, call, { ...settings, api: settings.api ?? TELEGRAM_API }, message, grants),
  ),
  'notify.email': direct<EmailSettings>(
    ['server', 'user', 'password', 'from', 'to', 'tls'],
    (services, call, settings, message, grants) =>
      sendEmail(services, call, { ...settings, tls: settings.tls ?? true }, message, grants),
  ),
  'notify.desktop': direct<object>([], (_services, call, _settings, message) => sendDesktop(call, message)),
};

/** A channel without a place in the configuration. */
function directTool(
  address: string,
  by: string,
  required: string[],
  settings: Record<string, Record<string, unknown>>,
): Tool {
  return toolSchema.parse({
    address,
    title: `Notify by ${by}`,
    description: `Sends a message by ${by}. A channel of the configuration (channel.NAME) is the same with its settings in one place.`,
    kind: 'builtin',
    side_effect: 'once',
    timeout: '30s',
    ...(address === 'notify.telegram'
      ? { max_text: { field: '/text', limit: TELEGRAM_TEXT, mode: 'split' as const } }
      : {}),
    input_schema: {
      type: 'object',
      additionalProperties: false,
      required,
      properties: { ...settings, ...channelMessageProperties },
    },
  });
}

export const directTools: Tool[] = [
  directTool('notify.ntfy', 'ntfy', ['url', 'text'], {
    url: { type: 'string', pattern: '^https?://', maxLength: 2000, description: 'With the topic' },
    token: { type: 'string', maxLength: 500, description: 'For example ${secrets.NTFY_TOKEN}' },
  }),
  directTool('notify.telegram', 'Telegram', ['token', 'chat_id', 'text'], {
    token: {
      type: 'string',
      maxLength: 200,
      description: 'Of the bot, for example ${secrets.TELEGRAM_BOT_TOKEN}',
    },
    chat_id: { type: ['integer', 'string'] },
    api: { type: 'string', pattern: '^https?://', maxLength: 2000 },
  }),
  directTool('notify.email', 'e-mail', ['server', 'from', 'to', 'text'], {
    server: {
      type: 'string',
      pattern: '^smtps?://[^\\s/@]+$',
      maxLength: 300,
      description: 'smtps://mail.example.org:465, or smtp://mail.example.org:587 (STARTTLS)',
    },
    user: { type: 'string', maxLength: 320 },
    password: { type: 'string', maxLength: 500, description: 'For example ${secrets.SMTP_PASSWORD}' },
    from: { type: 'string', maxLength: 320 },
    to: { type: ['string', 'array'], maxItems: 50, items: { type: 'string', maxLength: 320 } },
    tls: { type: 'boolean', description: 'false: without encryption' },
  }),
  directTool('notify.desktop', "the server's own desktop", ['text'], {}),
];
