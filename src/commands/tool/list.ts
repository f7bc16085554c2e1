import { BaseCommand } from '../../cli/base-command.js';
import { Flags } from '../../cli/flags.js';
import { TOOL_COLUMNS } from '../../cli/render/tool-details.js';
import type { ToolObject } from '../../client/api-objects.js';
import { PaoClient, pages } from '../../client/pao-client.js';

/** Lists the tools of the catalog. */
export default class ToolList extends BaseCommand<typeof ToolList> {
  static override summary = 'List the tools that pipelines can call';
  static override examples = ['<%= config.bin %> tool list', '<%= config.bin %> tool list --prefix mail.'];
  static override flags = {
    prefix: Flags.string({ summary: 'Only addresses that begin with this', helpValue: 'TEXT' }),
  };

  async run(): Promise<{ items: ToolObject[] }> {
    const { prefix } = this.flags;
    const client = new PaoClient(this.connection());
    const items: ToolObject[] = [];
    const page = (cursor: string | undefined) =>
      client.listTools({ prefix, limit: 100, cursor, signal: this.signal });
    for await (const tool of pages(page)) items.push(tool);
    const empty = prefix === undefined ? 'There are no tools' : `No address begins with "${prefix}"`;
    this.out.table(items, TOOL_COLUMNS, `${empty}: pao tool import FILE`);
    return { items };
  }
}
