import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { showRun } from '../../cli/render/run-details.js';
import { findRunId } from '../../cli/render/run-find.js';
import type { RunObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Shows a run and its steps. */
export default class RunShow extends BaseCommand<typeof RunShow> {
  static override summary = 'Show a run: its steps with durations, inputs, outputs, attempts';
  static override examples = [
    '<%= config.bin %> run show latest',
    '<%= config.bin %> run show latest --task morning-briefing --full',
    '<%= config.bin %> run show run_019ab3f2c5d87c2e9a4b1d3e5f607182 --json',
  ];
  static override args = { id: Args.string({ summary: 'Id of the run, or latest', required: true }) };
  static override flags = {
    task: Flags.string({ summary: 'With latest: of this task', helpValue: 'NAME' }),
    full: Flags.boolean({ summary: 'Inputs and outputs in full' }),
  };

  async run(): Promise<RunObject> {
    const client = new PaoClient(this.connection());
    const id = await findRunId(client, this.args.id, { signal: this.signal, task: this.flags.task });
    const run = await client.getRun(id, { signal: this.signal });
    showRun(run, this.out, this.flags.full);
    return run;
  }
}
