import { BaseCommand } from '../../cli/base-command.js';
import { Flags } from '../../cli/flags.js';
import { dueText, ruleText } from '../../cli/render/task-lines.js';
import { fromNow } from '../../cli/render/task-time.js';
import type { ListPage, TaskObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Lists tasks. */
export default class TaskList extends BaseCommand<typeof TaskList> {
  static override summary = 'List tasks, their schedules and when they run next';
  static override examples = [
    '<%= config.bin %> task list',
    '<%= config.bin %> task list --state paused --json',
  ];
  static override flags = {
    state: Flags.string({ summary: 'Only those: active, paused, canceled, done; several with commas' }),
    all: Flags.boolean({ summary: 'Canceled ones as well', exclusive: ['state'] }),
    search: Flags.string({ summary: 'Only those with this in the name', helpValue: 'TEXT' }),
    limit: Flags.integer({ summary: 'How many', default: 100, min: 1, max: 1000 }),
    cursor: Flags.string({ summary: 'Go on where a list ended (next_cursor)' }),
  };

  async run(): Promise<ListPage<TaskObject>> {
    const { all, search, limit, cursor } = this.flags;
    // Who cancels a task wants it out of the way; its name is free again, and its runs are kept.
    const state = this.flags.state ?? (all ? undefined : 'active,paused,done');
    const client = new PaoClient(this.connection());
    const page = await client.listTasks({
      limit,
      cursor,
      signal: this.signal,
      ...(state === undefined ? {} : { state }),
      ...(search === undefined ? {} : { search }),
    });
    const now = Date.now();
    const isFiltered = this.flags.state !== undefined || search !== undefined || cursor !== undefined;
    this.out.table<TaskObject>(
      page.items,
      [
        { header: 'NAME', value: ({ name }) => name },
        { header: 'STATE', value: ({ state: at }) => at },
        { header: 'SCHEDULE', value: ruleText, shrink: true },
        { header: 'NEXT', value: (task) => dueText(task, now) },
        { header: 'LAST', value: ({ last_run_at: at }) => fromNow(at, now) || null, drop: true },
      ],
      isFiltered ? 'No task is like that: pao task list' : 'There are no tasks yet: pao task apply FILE',
    );
    if (page.next_cursor !== null)
      this.out.hint(`There are more: pao task list --cursor ${page.next_cursor}`);
    return page;
  }
}
