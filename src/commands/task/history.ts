import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { agentNames } from '../../cli/render/agent-names.js';
import { machineTime } from '../../cli/render/task-time.js';
import type { ListPage, TaskVersionObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Lists the versions of a task. */
export default class TaskHistory extends BaseCommand<typeof TaskHistory> {
  static override summary = 'List the versions of a task: who changed it, when and what';
  static override examples = [
    '<%= config.bin %> task history morning-briefing',
    '<%= config.bin %> task history morning-briefing --json',
  ];
  static override args = { name: Args.string({ summary: 'Name or id of the task', required: true }) };
  static override flags = { limit: Flags.integer({ summary: 'How many', default: 50, min: 1, max: 1000 }) };

  async run(): Promise<ListPage<TaskVersionObject>> {
    const client = new PaoClient(this.connection());
    const { id } = await client.findTask(this.args.name, { signal: this.signal });
    const page = await client.taskVersions(id, { limit: this.flags.limit, signal: this.signal });
    // What the last of them changed shows only beside the one before it.
    const before =
      page.next_cursor === null
        ? []
        : (await client.taskVersions(id, { limit: 1, cursor: page.next_cursor, signal: this.signal })).items;
    const named = await agentNames(client, this.signal);
    const changes = changedKeys([...page.items, ...before]);
    this.out.table<TaskVersionObject>(page.items, [
      { header: 'VERSION', value: ({ version }) => version, align: 'right' },
      { header: 'CHANGED', value: ({ changed_at: at }) => machineTime(at) },
      { header: 'BY', value: ({ changed_by: by }) => named(by) },
      { header: 'WHAT', value: ({ version }) => changes.get(version) ?? null, shrink: true },
    ]);
    return page;
  }
}

/** The keys in which each version differs from the one before it, as far as that one is in the list. */
function changedKeys(versions: readonly TaskVersionObject[]): Map<number, string> {
  const specs = new Map(versions.map(({ version, spec }) => [version, spec as Record<string, unknown>]));
  return new Map(
    [...specs].map(([version, spec]) => {
      if (version === 1) return [version, 'created'];
      const before = specs.get(version - 1);
      if (before === undefined) return [version, ''];
      const keys = [...new Set([...Object.keys(before), ...Object.keys(spec)])];
      const changed = keys.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(spec[key]));
      return [version, changed.join(', ') || 'state'];
    }),
  );
}
