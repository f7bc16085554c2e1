import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { changeLines, warningLines } from '../../cli/render/task-lines.js';
import type { ChangedTaskObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Brings a task back to a version it had. */
export default class TaskRollback extends BaseCommand<typeof TaskRollback> {
  static override summary = 'Bring a task back to a version it had';
  static override description =
    'The old form becomes a new version, so a rollback can be taken back as well. Pausing and resuming are no forms.';
  static override examples = [
    '<%= config.bin %> task rollback morning-briefing',
    '<%= config.bin %> task rollback morning-briefing --to 3',
  ];
  static override args = { name: Args.string({ summary: 'Name or id of the task', required: true }) };
  static override flags = {
    to: Flags.integer({
      summary: 'The version of pao task history; otherwise the newest that differs',
      min: 1,
      helpValue: 'VERSION',
    }),
  };

  async run(): Promise<ChangedTaskObject> {
    const client = new PaoClient(this.connection());
    const { id } = await client.findTask(this.args.name, { signal: this.signal });
    const task = await client.rollbackTask(id, this.flags.to, { signal: this.signal });
    const what = task.outcome === 'unchanged' ? 'is in this form already' : `is now version ${task.version}`;
    this.out.success(`${task.name} ${what}: ${task.words}`);
    changeLines(task, this.out);
    warningLines(task.warnings, this.out);
    this.out.hint(`pao task history ${task.name}`);
    return task;
  }
}
