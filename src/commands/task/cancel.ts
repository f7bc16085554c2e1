import { BaseCommand } from '../../cli/base-command.js';
import { confirm } from '../../cli/confirm.js';
import { Args, Flags } from '../../cli/flags.js';
import type { TaskObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Ends a task for good. */
export default class TaskCancel extends BaseCommand<typeof TaskCancel> {
  static override summary = 'End a task for good; its history stays';
  static override examples = [
    '<%= config.bin %> task cancel morning-briefing',
    '<%= config.bin %> task cancel morning-briefing --yes',
  ];
  static override args = { name: Args.string({ summary: 'Name or id of the task', required: true }) };
  static override flags = { yes: Flags.boolean({ char: 'y', summary: 'Do not ask' }) };

  async run(): Promise<TaskObject> {
    const client = new PaoClient(this.connection());
    const { id, name } = await client.findTask(this.args.name, { signal: this.signal });
    await confirm(`Cancel the task ${name}?`, { yes: this.flags.yes, process: this.process });
    const task = await client.cancelTask(id, { signal: this.signal });
    this.out.success(`${name} is ${task.state}`);
    this.out.hint(`pao run list --task ${name}`);
    return task;
  }
}
