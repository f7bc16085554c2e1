import { BaseCommand } from '../../cli/base-command.js';
import { Args, durationFlag, Flags } from '../../cli/flags.js';
import { dueText } from '../../cli/render/task-lines.js';
import { machineTime } from '../../cli/render/task-time.js';
import type { TaskObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Skips the occurrences of a task for a while. */
export default class TaskSnooze extends BaseCommand<typeof TaskSnooze> {
  static override summary = 'Skip the occurrences of a task for a while';
  static override examples = [
    '<%= config.bin %> task snooze morning-briefing --for 3d',
    '<%= config.bin %> task snooze morning-briefing --until 2026-12-01T00:00:00+02:00',
  ];
  static override args = { name: Args.string({ summary: 'Name or id of the task', required: true }) };
  static override flags = {
    for: durationFlag({ summary: 'How long, such as 2h or 3d', exactlyOne: ['for', 'until'] }),
    until: Flags.string({
      summary: 'Until then: 2026-12-01T00:00:00+02:00, or a date or time in the zone of the task',
      helpValue: 'TIME',
      exactlyOne: ['for', 'until'],
    }),
  };

  async run(): Promise<TaskObject> {
    const { for: forMs, until } = this.flags;
    const client = new PaoClient(this.connection());
    const { id, timezone } = await client.findTask(this.args.name, { signal: this.signal });
    const { momentOf } = await import('../../cli/render/moment.js');
    const examples = [
      '--until 2026-12-01',
      '--until "2026-12-01 09:00"',
      '--until 2026-12-01T00:00:00+02:00',
    ];
    const input =
      until === undefined
        ? { seconds: Math.ceil((forMs ?? 0) / 1000) }
        : { until: new Date(momentOf(until, Date.now(), timezone, examples)).toISOString() };
    const task = await client.snoozeTask(id, input, { signal: this.signal });
    this.out.success(`${task.name} is snoozed until ${machineTime(task.snoozed_until)}`);
    this.out.note(`Next: ${dueText(task, Date.now())}`);
    return task;
  }
}
