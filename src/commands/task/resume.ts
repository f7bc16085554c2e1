import { BaseCommand } from '../../cli/base-command.js';
import { Args } from '../../cli/flags.js';
import { dueText } from '../../cli/render/task-lines.js';
import type { TaskObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Lets a paused task run again. */
export default class TaskResume extends BaseCommand<typeof TaskResume> {
  static override summary = 'Let a paused task run again';
  static override examples = ['<%= config.bin %> task resume morning-briefing'];
  static override args = { name: Args.string({ summary: 'Name or id of the task', required: true }) };

  async run(): Promise<TaskObject> {
    const client = new PaoClient(this.connection());
    const { id } = await client.findTask(this.args.name, { signal: this.signal });
    const task = await client.resumeTask(id, { signal: this.signal });
    this.out.success(`${task.name} is ${task.state}; next: ${dueText(task, Date.now())}`);
    return task;
  }
}
