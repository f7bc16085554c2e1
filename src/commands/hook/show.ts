import { BaseCommand } from '../../cli/base-command.js';
import { Args } from '../../cli/flags.js';
import { showHook } from '../../cli/render/hook-details.js';
import type { HookObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Shows one inbound webhook. */
export default class HookShow extends BaseCommand<typeof HookShow> {
  static override summary = 'Show a webhook that comes in: its address, its topic, when it was last used';
  static override examples = ['<%= config.bin %> hook show shop'];
  static override args = { name: Args.string({ description: 'Its name or id', required: true }) };

  async run(): Promise<HookObject> {
    const connection = this.connection();
    const hook = await new PaoClient(connection).getHook(this.args.name, { signal: this.signal });
    showHook(this.out, hook, connection.url);
    return hook;
  }
}
