import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { readJsonInput } from '../../cli/json-input.js';
import { findRunId } from '../../cli/render/run-find.js';
import type { RunObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Settles a step whose outcome was lost. */
export default class RunResolve extends BaseCommand<typeof RunResolve> {
  static override summary = 'Say whether a call whose outcome was lost did its work';
  static override description =
    'pao does not repeat such a call on its own. Look at the other side, say what you found, then pao run replay goes on: after the step when it was done, with the step when it was not.';
  static override examples = [
    '<%= config.bin %> run resolve latest --done',
    '<%= config.bin %> run resolve run_019ab3f2c5d87c2e9a4b1d3e5f607182 send --not-done --comment "not in the outbox"',
  ];
  static override args = {
    id: Args.string({ summary: 'Id of the run, or latest', required: true }),
    step: Args.string({ summary: 'The step, where several are unknown' }),
  };
  static override flags = {
    done: Flags.boolean({ summary: 'It did its work', exactlyOne: ['done', 'not-done'] }),
    'not-done': Flags.boolean({ summary: 'It did not' }),
    output: Flags.string({
      summary: 'With --done: what the step gave, for the steps after it',
      helpValue: 'JSON|@FILE',
      dependsOn: ['done'],
    }),
    comment: Flags.string({ summary: 'How you know', helpValue: 'TEXT' }),
  };

  async run(): Promise<RunObject> {
    const client = new PaoClient(this.connection());
    const id = await findRunId(client, this.args.id, { signal: this.signal });
    const { done, output, comment } = this.flags;
    const run = await client.resolveRun(
      id,
      {
        outcome: done ? 'done' : 'not_done',
        step: this.args.step,
        comment,
        ...(output === undefined ? {} : { output: await readJsonInput(output, '--output', this.process) }),
      },
      { signal: this.signal },
    );
    this.out.success(`${run.task_name}: the step ${done ? 'did its work' : 'did not do its work'}`);
    this.out.hint(`pao run replay ${run.id}`);
    return run;
  }
}
