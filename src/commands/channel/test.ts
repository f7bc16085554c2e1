import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import type { ToolCallObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';
import { CHANNEL_PREFIX, isChannel } from '../../domain/channel.js';
import { EXIT, notFound, PaoError } from '../../domain/errors.js';

/** Sends a message by a channel, at once. */
export default class ChannelTest extends BaseCommand<typeof ChannelTest> {
  static override summary = 'Try a channel: send a message by it now, whatever the hour';
  static override examples = [
    '<%= config.bin %> channel test phone',
    '<%= config.bin %> channel test phone --text "Does it ring?" --urgent',
  ];
  static override args = { name: Args.string({ summary: 'Name of the channel', required: true }) };
  static override flags = {
    text: Flags.string({ summary: 'What it says', default: 'This channel works.', helpValue: 'TEXT' }),
    title: Flags.string({ summary: 'Its title', default: 'A test of pao', helpValue: 'TEXT' }),
    urgent: Flags.boolean({ summary: 'Shown as urgent' }),
  };

  async run(): Promise<ToolCallObject> {
    const { text, title, urgent } = this.flags;
    const { name } = this.args;
    const address = isChannel(name) ? name : CHANNEL_PREFIX + name;
    const input = { title, text, ...(urgent ? { urgent } : {}) };
    const client = new PaoClient(this.connection());
    const answer = await client.callTool(address, input, { signal: this.signal }).catch((error: unknown) => {
      if (error instanceof PaoError && error.exitCode === EXIT.notFound)
        throw notFound('channel', name, ['pao channel list', 'Channels are read at the start of the server']);
      throw error;
    });
    this.out.success(`${address} took the message`);
    return answer;
  }
}
