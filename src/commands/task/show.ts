import { BaseCommand } from '../../cli/base-command.js';
import { Args } from '../../cli/flags.js';
import { agentNames } from '../../cli/render/agent-names.js';
import { showTask } from '../../cli/render/task-lines.js';
import type { TaskObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Shows a task. */
export default class TaskShow extends BaseCommand<typeof TaskShow> {
  static override summary = 'Show a task: schedule, policies, next run, steps';
  static override examples = [
    '<%= config.bin %> task show morning-briefing',
    '<%= config.bin %> task show morning-briefing --json',
  ];
  static override args = { name: Args.string({ summary: 'Name or id of the task', required: true }) };

  async run(): Promise<TaskObject> {
    const client = new PaoClient(this.connection());
    const task = await client.findTask(this.args.name, { signal: this.signal });
    const named = await agentNames(client, this.signal);
    showTask(task, this.out, Date.now(), named);
    return task;
  }
}
