import { BaseCommand } from '../../cli/base-command.js';
import { Args } from '../../cli/flags.js';
import { findRunId } from '../../cli/render/run-find.js';
import type { RunObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';
import { ApiError } from '../../client/problem-error.js';
import { isFinal } from '../../domain/run.js';

/** Stops a run. */
export default class RunCancel extends BaseCommand<typeof RunCancel> {
  static override summary = 'Stop a run; the step it is in is cut off';
  static override examples = ['<%= config.bin %> run cancel run_019ab3f2c5d87c2e9a4b1d3e5f607182'];
  static override args = { id: Args.string({ summary: 'Id of the run, or latest', required: true }) };

  async run(): Promise<RunObject> {
    const client = new PaoClient(this.connection());
    const id = await findRunId(client, this.args.id, { signal: this.signal });
    const before = await this.#statusOf(id, client);
    const run = await client.cancelRun(id, { signal: this.signal });
    if (before !== null && isFinal(before))
      this.out.note(`${run.task_name} has ended already: ${run.status}`);
    else if (run.status === 'canceled') this.out.success(`${run.task_name}: canceled`);
    else if (isFinal(run.status)) this.out.note(`${run.task_name} has ended already: ${run.status}`);
    else this.out.note(`${run.task_name}: ${run.status}; it is being stopped`);
    this.out.hint(`pao run show ${run.id}`);
    return run;
  }

  /** How the run is before it is stopped; null for a token that may stop runs and not see them. */
  async #statusOf(id: string, client: PaoClient): Promise<RunObject['status'] | null> {
    try {
      return (await client.getRun(id, { signal: this.signal })).status;
    } catch (error) {
      if (error instanceof ApiError && error.httpStatus === 403) return null;
      throw error;
    }
  }
}
