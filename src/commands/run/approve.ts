import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { readJsonInput } from '../../cli/json-input.js';
import { decideApproval } from '../../cli/render/decide-approval.js';
import type { ApprovalObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Approves what a step asks. */
export default class RunApprove extends BaseCommand<typeof RunApprove> {
  static override summary = 'Say yes to what a run waits with';
  static override examples = [
    '<%= config.bin %> run approve latest',
    '<%= config.bin %> run approve run_019ab3f2c5d87c2e9a4b1d3e5f607182 send --comment "with a smaller list"',
    '<%= config.bin %> run approve latest --data \'{"text": "shorter"}\'',
  ];
  static override args = {
    run: Args.string({ summary: 'Id of the run or of the approval, or latest; none when one is open' }),
    step: Args.string({ summary: 'The step that asks, when several of the run do' }),
  };
  static override flags = {
    comment: Flags.string({ char: 'm', summary: 'Why; it is recorded', helpValue: 'TEXT' }),
    data: Flags.string({ summary: 'Approve this instead: JSON, @FILE, or - for stdin', helpValue: 'JSON' }),
  };

  async run(): Promise<ApprovalObject> {
    const { comment, data: text } = this.flags;
    const data = text === undefined ? undefined : await readJsonInput(text, '--data', this.process);
    const answer = { decision: 'approve' as const, ...this.args, comment, data };
    return decideApproval(new PaoClient(this.connection()), answer, this.out, this.signal);
  }
}
