import { z } from 'zod';

/** What the address of a channel begins with; the rest is its name in the configuration. */
export const CHANNEL_PREFIX = 'channel.';

/** Whether a tool is a channel of the configuration. */
export const isChannel = (address: string): boolean => address.startsWith(CHANNEL_PREFIX);

/** A text that may hold `${secrets.NAME}`. */
const text = z.string().min(1).max(2000);
const httpUrl = text.regex(
  /^(https?:\/\/|\$\{\s*secrets\.)/,
  'must begin with https://, http:// or be a secret',
);
const address = z
  .string()
  .min(3)
  .max(320)
  .regex(/^[^\s@<>]+@[^\s@<>]+$|<[^\s@<>]+@[^\s@<>]+>$/, {
    message: 'is not an e-mail address',
  });

const webhookSettings = z.strictObject({
  url: httpUrl.describe('Where messages are posted.'),
  secret: text.optional().describe('Signs what is posted (Standard Webhooks); `whsec_…` or any text.'),
  idempotent: z
    .boolean()
    .optional()
    .describe(
      'The receiver drops what it has seen, by `webhook-id`: a lost answer may then be asked for again.',
    ),
});
const ntfySettings = z.strictObject({
  url: httpUrl.describe('With the topic: `https://ntfy.sh/my-topic`.'),
  token: text.optional().describe('Where the topic wants one.'),
});
const telegramSettings = z.strictObject({
  token: text.describe('Of the bot, `123456:ABC…`.'),
  chat_id: z.union([z.int(), text]).describe('The chat, by its number, or a public channel (`@name`).'),
  api: httpUrl.default('https://api.telegram.org').describe('Another server of the Bot API.'),
  buttons: z
    .boolean()
    .default(true)
    .describe(
      'Questions have buttons to answer them; `false` where another program gets the updates of this bot.',
    ),
  approvers: z
    .array(z.int().positive())
    .min(1)
    .max(100)
    .optional()
    .describe('Ids of the users who may answer by a button; whoever is in the chat when left out.'),
});
const emailSettings = z.strictObject({
  server: text
    .regex(/^(smtps?:\/\/[^\s/@]+$|\$\{\s*secrets\.)/, 'must be smtps://host:port or smtp://host:port')
    .describe(
      '`smtps://mail.example.org:465`, or `smtp://mail.example.org:587`, which goes on with STARTTLS.',
    ),
  user: text.optional().describe('Where the server wants a sign-in.'),
  password: text.optional().describe('Of that user.'),
  from: address.describe('The sender.'),
  to: z.union([address, z.array(address).min(1).max(50)]).describe('One address or a list.'),
  tls: z
    .boolean()
    .default(true)
    .describe('`false` sends without encryption to a server that has none; then also what identifies you.'),
});

/** A way to a person or a program, named in the configuration and used as the tool `channel.NAME`. */
export const channelSchema = z.discriminatedUnion('kind', [
  webhookSettings.extend({ kind: z.literal('webhook') }),
  ntfySettings.extend({ kind: z.literal('ntfy') }),
  telegramSettings.extend({ kind: z.literal('telegram') }),
  emailSettings.extend({ kind: z.literal('email') }),
  z.strictObject({ kind: z.literal('desktop') }),
]);
export type Channel = z.infer<typeof channelSchema>;
export type TelegramChannel = Extract<Channel, { kind: 'telegram' }>;

/**
 * Whether questions by a channel can be answered by a button. A public channel (`@name`) has readers that nobody counted:
 * there it takes a list of who may.
 */
export const hasButtons = (channel: Channel): channel is TelegramChannel =>
  channel.kind === 'telegram' &&
  channel.buttons &&
  (channel.approvers !== undefined || !String(channel.chat_id).startsWith('@'));

export const channelsSchema = z.record(
  z.string().regex(/^[a-zA-Z][a-zA-Z0-9_-]{0,49}$/, 'must be a letter, then letters, digits, _ or -'),
  channelSchema,
);

/** What every channel takes; each shows it in its own way. */
export interface ChannelMessage {
  text: string;
  title?: string;
  urgent?: boolean;
  /** Opened when a person taps the message. */
  link?: string;
  tags?: string[];
  /** For programs; a webhook gets it as it is. */
  data?: unknown;
}

/** JSON Schema of {@link ChannelMessage}. */
export const channelMessageProperties: Record<string, Record<string, unknown>> = {
  text: { type: 'string', minLength: 1, maxLength: 100_000, description: 'What it says' },
  title: {
    type: 'string',
    maxLength: 250,
    pattern: '^[^\\r\\n]*$',
    description: 'One line; the subject of an e-mail',
  },
  urgent: { type: 'boolean', description: 'Passes quiet hours, and is shown as urgent' },
  link: { type: 'string', pattern: '^https?://', maxLength: 2000, description: 'Opened by a tap' },
  tags: { type: 'array', maxItems: 10, items: { type: 'string', pattern: '^[\\w-]{1,50}$' } },
  data: { description: 'For programs: a webhook gets it' },
};
