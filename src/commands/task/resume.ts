import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { dueText } from '../../cli/render/task-lines.js';
import type { TaskObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Lets a paused task run again. */
export default class TaskResume extends BaseCommand<typeof TaskResume> {
  static override summary = 'Let a paused task run again';
  static override description =
    'What came due while it was paused is left out and recorded as skipped, unless --catch-up says otherwise.';
  static override examples = [
    '<%= config.bin %> task resume morning-briefing',
    '<%= config.bin %> task resume morning-briefing --catch-up latest',
  ];
  static override args = { name: Args.string({ summary: 'Name or id of the task', required: true }) };
  static override flags = {
    'catch-up': Flags.string({
      summary: 'What came due meanwhile: leave it out, run the latest, or run all of it',
      options: ['skip', 'latest', 'all'],
    }),
  };

  async run(): Promise<TaskObject> {
    const client = new PaoClient(this.connection());
    const { id } = await client.findTask(this.args.name, { signal: this.signal });
    const catchup = this.flags['catch-up'] as 'skip' | 'latest' | 'all' | undefined;
    const task = await client.resumeTask(id, catchup, { signal: this.signal });
    this.out.success(`${task.name} is ${task.state}; next: ${dueText(task, Date.now())}`);
    return task;
  }
}
