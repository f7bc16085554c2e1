import { BaseCommand } from '../../cli/base-command.js';
import { HOOK_COLUMNS } from '../../cli/render/hook-details.js';
import type { HookObject } from '../../client/api-objects.js';
import { PaoClient, pages } from '../../client/pao-client.js';

/** Lists the inbound webhooks. */
export default class HookList extends BaseCommand<typeof HookList> {
  static override summary = 'List the webhooks that come in';
  static override examples = ['<%= config.bin %> hook list', '<%= config.bin %> hook list --json'];

  async run(): Promise<{ items: HookObject[] }> {
    const client = new PaoClient(this.connection());
    const items: HookObject[] = [];
    const page = (cursor: string | undefined) =>
      client.listHooks({ limit: 100, cursor, signal: this.signal });
    for await (const hook of pages(page)) items.push(hook);
    this.out.table(items, HOOK_COLUMNS, 'There are no hooks: pao hook create NAME --topic TOPIC');
    return { items };
  }
}
