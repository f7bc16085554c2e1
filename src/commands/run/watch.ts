import { BaseCommand } from '../../cli/base-command.js';
import { Args, durationFlag, Flags } from '../../cli/flags.js';
import { findRunId } from '../../cli/render/run-find.js';
import { waitAndTell } from '../../cli/render/run-wait.js';
import type { RunObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Follows a run until it has ended. */
export default class RunWatch extends BaseCommand<typeof RunWatch> {
  static override summary = 'Follow a run until it has ended';
  static override description =
    'The exit code is 0 when it succeeded (also in part, or skipped), 1 when it failed, 124 when it took too long. Ctrl-C ends the watching; the run goes on.';
  static override examples = [
    '<%= config.bin %> run watch latest',
    '<%= config.bin %> run watch latest --task morning-briefing --timeout 2m',
  ];
  static override args = { id: Args.string({ summary: 'Id of the run, or latest', required: true }) };
  static override flags = {
    task: Flags.string({ summary: 'With latest: of this task', helpValue: 'NAME' }),
    timeout: durationFlag({ summary: 'Longest wait; without end when left out' }),
  };

  async run(): Promise<RunObject> {
    const client = new PaoClient(this.connection());
    const id = await findRunId(client, this.args.id, { signal: this.signal, task: this.flags.task });
    return waitAndTell(client, id, this.out, { signal: this.signal, timeoutMs: this.flags.timeout });
  }
}
