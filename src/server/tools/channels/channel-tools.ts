import {
  CHANNEL_PREFIX,
  type Channel,
  channelMessageProperties,
  isChannel,
} from '../../../domain/channel.js';
import { type Tool, toolSchema } from '../../../domain/tool.js';
import { TELEGRAM_TEXT } from './telegram.js';

const NAMES: Record<Channel['kind'], string> = {
  webhook: 'a webhook',
  ntfy: 'ntfy',
  telegram: 'Telegram',
  email: 'e-mail',
  desktop: 'the desktop of this machine',
};

/** The tool that stands for a channel; what it is made of stays in the configuration. */
export function channelTool(name: string, channel: Channel): Tool {
  const isRepeatable = channel.kind === 'webhook' && channel.idempotent === true;
  return toolSchema.parse({
    address: CHANNEL_PREFIX + name,
    title: `Channel ${name}`,
    description: `Sends a message by ${NAMES[channel.kind]}. Use it with kind: notify.`,
    kind: 'builtin',
    side_effect: isRepeatable ? 'idempotent' : 'once',
    timeout: '30s',
    ...(channel.kind === 'telegram'
      ? { max_text: { field: '/text', limit: TELEGRAM_TEXT, mode: 'split' as const } }
      : {}),
    input_schema: {
      type: 'object',
      required: ['text'],
      additionalProperties: false,
      properties: channelMessageProperties,
    },
  });
}

/** The tools of all channels. */
export const channelTools = (channels: Readonly<Record<string, Channel>>): Tool[] =>
  Object.entries(channels).map(([name, channel]) => channelTool(name, channel));

/** The channel that a tool stands for. */
export function channelOf(address: string, channels: Readonly<Record<string, Channel>>): Channel | undefined {
  const name = address.slice(CHANNEL_PREFIX.length);
  return isChannel(address) && Object.hasOwn(channels, name) ? channels[name] : undefined;
}
