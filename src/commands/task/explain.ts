import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { machineTime } from '../../cli/render/task-time.js';
import { visible } from '../../cli/visible.js';
import type { ExplanationObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Says why a task ran, or did not. */
export default class TaskExplain extends BaseCommand<typeof TaskExplain> {
  static override summary = 'Say why a task ran, or did not';
  static override examples = [
    '<%= config.bin %> task explain morning-briefing',
    '<%= config.bin %> task explain morning-briefing --at 2026-11-24T06:30:00Z',
  ];
  static override args = { name: Args.string({ summary: 'Name or id of the task', required: true }) };
  static override flags = {
    at: Flags.string({
      summary:
        "Around this instant: 2026-11-24T06:30:00Z, a date or time in the task's zone, or how long ago (2h)",
      helpValue: 'TIME',
    }),
  };

  async run(): Promise<ExplanationObject> {
    const client = new PaoClient(this.connection());
    const { id, timezone } = await client.findTask(this.args.name, { signal: this.signal });
    const { at: asked } = this.flags;
    const { momentBefore } = await import('../../cli/render/moment.js');
    // A time without an offset is on the clock of the task.
    const examples = ['--at 2h', '--at "2026-11-24 08:30"', '--at 2026-11-24T06:30:00Z'];
    const around = asked === undefined ? undefined : momentBefore(asked, Date.now(), timezone, examples);
    const explanation = await client.explainTask(id, around, { signal: this.signal });
    const { task, lines, runs } = explanation;
    this.out.note(`${task.name}: ${task.words}`);
    if (task.timezone !== null) this.out.note(this.out.paintNote.dim(`Times are those of ${task.timezone}.`));
    // Each sentence names the time in the zone of the task; --verbose adds the instant on this machine's clock.
    for (const { at, text, run_id: run } of lines) {
      this.out.line(`${run === undefined ? this.out.symbols.bullet : '   '} ${visible(text)}`);
      this.out.detail(`    ${machineTime(at)}`);
    }
    const last = runs.at(-1);
    if (last) this.out.hint(`pao run show ${last.id}`);
    return explanation;
  }
}
