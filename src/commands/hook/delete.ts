import { BaseCommand } from '../../cli/base-command.js';
import { Args } from '../../cli/flags.js';
import { PaoClient } from '../../client/pao-client.js';

/** Ends an inbound webhook. */
export default class HookDelete extends BaseCommand<typeof HookDelete> {
  static override summary = 'End a webhook: what is posted to it is refused from now on';
  static override examples = ['<%= config.bin %> hook delete shop'];
  static override args = { name: Args.string({ description: 'Its name or id', required: true }) };

  async run(): Promise<{ hook: string; deleted: true }> {
    const { name } = this.args;
    await new PaoClient(this.connection()).deleteHook(name, { signal: this.signal });
    this.out.success(`Ended the hook ${name}`);
    return { hook: name, deleted: true };
  }
}
