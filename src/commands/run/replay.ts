import { BaseCommand } from '../../cli/base-command.js';
import { Args, durationFlag, Flags } from '../../cli/flags.js';
import { findRunId } from '../../cli/render/run-find.js';
import type { RunObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

const DEFAULT_TIMEOUT_MS = 5 * 60_000;

/** Runs a run again. */
export default class RunReplay extends BaseCommand<typeof RunReplay> {
  static override summary = 'Run a run again with what it was given, from the start or from a step on';
  static override description =
    'Steps that did their work with a tool whose side effect is once (sending, paying) are kept, not called again, unless --again. A message that has an idempotency_key of its own stays one message also then: pao delivery resend ID sends it once more.';
  static override examples = [
    '<%= config.bin %> run replay latest --wait',
    '<%= config.bin %> run replay run_019ab3f2c5d87c2e9a4b1d3e5f607182 --from-step plan',
  ];
  static override args = { id: Args.string({ summary: 'Id of the run, or latest', required: true }) };
  static override flags = {
    'from-step': Flags.string({
      summary: 'Keep the results of the steps before this one',
      helpValue: 'STEP',
    }),
    again: Flags.boolean({
      summary: 'Make calls again that may be made once and were made, such as sending a message',
    }),
    wait: Flags.boolean({ summary: 'Wait until the new run has ended' }),
    timeout: durationFlag({ summary: 'Longest wait; 5m when left out', dependsOn: ['wait'] }),
  };

  async run(): Promise<RunObject> {
    const client = new PaoClient(this.connection());
    const id = await findRunId(client, this.args.id, { signal: this.signal });
    const { again } = this.flags;
    const run = await client.replayRun(id, this.flags['from-step'], { again, signal: this.signal });
    if (run.kept_steps.length > 0) this.out.note(`Keeps what was done: ${run.kept_steps.join(', ')}`);
    if (this.flags.wait) {
      const { waitAndTell } = await import('../../cli/render/run-wait.js');
      const timeoutMs = this.flags.timeout ?? DEFAULT_TIMEOUT_MS;
      return waitAndTell(client, run.id, this.out, { signal: this.signal, timeoutMs });
    }
    this.out.line(run.id);
    this.out.success(`${run.task_name}: ${run.status}`);
    this.out.hint(`pao run watch ${run.id}`);
    return run;
  }
}
