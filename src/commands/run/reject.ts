import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';

import { decideApproval } from '../../cli/render/decide-approval.js';
import type { ApprovalObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

/** Refuses what a step asks. */
export default class RunReject extends BaseCommand<typeof RunReject> {
  static override summary = 'Say no to what a run waits with';
  static override examples = ['<%= config.bin %> run reject latest --comment "not today"'];
  static override args = {
    run: Args.string({ summary: 'Id of the run or of the approval, or latest; none when one is open' }),
    step: Args.string({ summary: 'The step that asks, when several of the run do' }),
  };
  static override flags = {
    comment: Flags.string({ char: 'm', summary: 'Why; it is recorded', helpValue: 'TEXT' }),
  };

  async run(): Promise<ApprovalObject> {
    const { comment } = this.flags;

    const answer = { decision: 'deny' as const, ...this.args, comment, data: undefined };
    return decideApproval(new PaoClient(this.connection()), answer, this.out, this.signal);
  }
}
