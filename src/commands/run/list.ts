import { BaseCommand } from '../../cli/base-command.js';
import { Flags } from '../../cli/flags.js';
import { runColumns } from '../../cli/render/run-lines.js';
import { instantBefore } from '../../cli/render/run-since.js';
import type { ListPage, RunObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Lists runs. */
export default class RunList extends BaseCommand<typeof RunList> {
  static override summary = 'List runs, the latest first';
  static override examples = [
    '<%= config.bin %> run list',
    '<%= config.bin %> run list --task morning-briefing --status failed,dead --since 7d',
  ];
  static override flags = {
    task: Flags.string({ summary: 'Only of this task', helpValue: 'NAME' }),
    status: Flags.string({ summary: 'Only those, such as failed,dead' }),
    since: Flags.string({ summary: 'Only since then: 2h, 7d, or an instant', helpValue: 'TIME' }),
    limit: Flags.integer({ summary: 'How many', default: 20, min: 1, max: 1000 }),
    cursor: Flags.string({ summary: 'Go on where a list ended (next_cursor)' }),
  };

  async run(): Promise<ListPage<RunObject>> {
    const { task, status, since, limit, cursor } = this.flags;
    const client = new PaoClient(this.connection());
    const now = Date.now();
    const from = since === undefined ? undefined : instantBefore(since, now);
    const taskId = task === undefined ? undefined : (await client.findTask(task, { signal: this.signal })).id;
    const page = await client.listRuns({
      limit,
      cursor,
      signal: this.signal,
      ...(taskId === undefined ? {} : { taskId }),
      ...(status === undefined ? {} : { status }),
      ...(from === undefined ? {} : { since: from }),
    });
    const isFiltered = status !== undefined || since !== undefined || cursor !== undefined;
    this.out.table(
      page.items,
      runColumns(this.out, now, page.items),
      isFiltered
        ? 'No run is like that: pao run list'
        : `Nothing has run yet: pao task run ${task ?? 'NAME'} --wait`,
    );
    if (page.next_cursor !== null) this.out.hint(`There are more: pao run list --cursor ${page.next_cursor}`);
    return page;
  }
}
