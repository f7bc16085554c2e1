import { BaseCommand } from '../../cli/base-command.js';
import { Args } from '../../cli/flags.js';
import { dueText } from '../../cli/render/task-lines.js';
import { zonedTime } from '../../cli/render/task-time.js';
import type { SkippedTaskObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Leaves out the next occurrence of a task. */
export default class TaskSkip extends BaseCommand<typeof TaskSkip> {
  static override summary = 'Leave out the next occurrence of a task';
  static override description = 'Once more, and the one after it is left out as well.';
  static override examples = ['<%= config.bin %> task skip morning-briefing'];
  static override args = { name: Args.string({ summary: 'Name or id of the task', required: true }) };

  async run(): Promise<SkippedTaskObject> {
    const client = new PaoClient(this.connection());
    const { id } = await client.findTask(this.args.name, { signal: this.signal });
    const task = await client.skipTask(id, { signal: this.signal });
    const { at, local } = task.left_out;
    this.out.success(`${task.name} leaves out ${zonedTime(at, local, task.timezone)}`);
    this.out.note(`Next: ${dueText(task, Date.now())}`);
    return task;
  }
}
