import type { ApprovalObject } from '../../client/api-objects.js';
import type { Output } from '../output.js';
import { visible } from '../visible.js';
import { fromNow, machineTime } from './task-time.js';

/** Shows what waits for a person, with what is to be approved. */
export function showApproval(asked: ApprovalObject, out: Output): void {
  const now = Date.now();
  const decided =
    asked.decided_at === null
      ? []
      : [['decided', `${machineTime(asked.decided_at)} ${visible(asked.decided_by ?? '')}`] as const];
  out.line(out.paint.bold(visible(asked.message)));
  out.line();
  out.pairs(
    [
      ['task', visible(asked.task_name)],
      ['step', visible(asked.step)],
      ['state', asked.state],
      ['asked', `${machineTime(asked.requested_at)} (${fromNow(asked.requested_at, now)})`],
      [
        'ends',
        `${machineTime(asked.expires_at)} (${fromNow(asked.expires_at, now)}), then ${asked.on_timeout}`,
      ],
      ...decided,
      ['run', asked.run_id],
    ],
    '  ',
  );
  if (asked.data === null || asked.data === undefined) return;
  out.line();
  out.line(out.paint.dim('what is to be approved'));
  for (const line of JSON.stringify(asked.data, null, 2).split('\n')) out.line(`  ${visible(line)}`);
}
