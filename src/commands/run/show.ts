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
    '<%= config.bin %> run show latest --trace',
    '<%= config.bin %> run show run_019ab3f2c5d87c2e9a4b1d3e5f607182 --json',
  ];
  static override args = { id: Args.string({ summary: 'Id of the run, or latest', required: true }) };
  static override flags = {
    task: Flags.string({ summary: 'With latest: of this task', helpValue: 'NAME' }),
    full: Flags.boolean({ summary: 'Inputs and outputs in full' }),
    trace: Flags.boolean({
      summary: 'Draw where its time went, from what is stored',
      exclusive: ['full'],
    }),
  };

  async run(): Promise<RunObject & { trace?: unknown }> {
    const client = new PaoClient(this.connection());
    const id = await findRunId(client, this.args.id, { signal: this.signal, task: this.flags.task });
    const run = await client.getRun(id, { signal: this.signal });
    if (this.flags.trace) {
      const { spansOf, showTrace } = await import('../../cli/render/run-trace.js');
      const spans = spansOf(run);
      showTrace(run, spans, this.out);
      return { ...run, trace: spans };
    }
    showRun(run, this.out, this.flags.full);
    return run;
  }
}
