import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import type { TaskObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Stops the schedule of a task until it is resumed. */
export default class TaskPause extends BaseCommand<typeof TaskPause> {
  static override summary = 'Stop the schedule of a task until it is resumed';
  static override description = 'A run that is under way goes on, and pao task run still starts one.';
  static override examples = ['<%= config.bin %> task pause morning-briefing --reason "on holiday"'];
  static override args = { name: Args.string({ summary: 'Name or id of the task', required: true }) };
  static override flags = {
    reason: Flags.string({ summary: 'Why, for whoever looks next', helpValue: 'TEXT' }),
  };

  async run(): Promise<TaskObject> {
    const client = new PaoClient(this.connection());
    const { id } = await client.findTask(this.args.name, { signal: this.signal });
    const task = await client.pauseTask(id, this.flags.reason, { signal: this.signal });
    this.out.success(`${task.name} is ${task.state}`);
    this.out.hint(`pao task resume ${task.name}`);
    return task;
  }
}
