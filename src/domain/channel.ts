/** What the address of a channel begins with; the rest is its name in the configuration. */
export const CHANNEL_PREFIX = 'channel.';

/** Whether a tool is a channel of the configuration. */
export const isChannel = (address: string): boolean => address.startsWith(CHANNEL_PREFIX);
