import type { ApprovalObject } from '../../client/api-objects.js';
import { isIdOf, type PaoClient } from '../../client/pao-client.js';
import { EXIT, invalidInput, notFound, PaoError } from '../../domain/errors.js';
import type { Output } from '../output.js';
import { fromNow } from './task-time.js';

/** What a person typed behind `pao run approve` or `pao run reject`. */
export interface Answer {
  decision: 'approve' | 'deny';
  /** Id of a run or of an approval, `latest`, or nothing. */
  run: string | undefined;
  step: string | undefined;
  comment: string | undefined;
  data: unknown;
}

/**
 * Answers the approval that is meant. With no run and one approval open, that one; with several, they are listed.
 * @throws PaoError exit 5 when nothing waits, exit 2 when it is not clear which one is meant.
 */
export async function decideApproval(
  client: PaoClient,
  answer: Answer,
  out: Output,
  signal: AbortSignal,
): Promise<ApprovalObject> {
  const approval = await findApproval(client, answer, out, signal);
  const { decision, comment, data } = answer;
  const decided = await client.decideApproval(
    approval.id,
    {
      decision,
      ...(comment === undefined ? {} : { comment }),
      ...(data === undefined ? {} : { data }),
    },
    { signal },
  );
  out.success(`${decided.task_name}, step ${decided.step}: ${decided.state}`);
  out.hint(`pao run watch ${decided.run_id}`);
  return decided;
}

async function findApproval(
  client: PaoClient,
  { decision, run, step }: Answer,
  out: Output,
  signal: AbortSignal,
): Promise<ApprovalObject> {
  const { items } = await client.listApprovals({ limit: 100, signal });
  const fitting = items.filter(
    (one) =>
      (run === undefined || run === 'latest' || one.run_id === run || one.id === run) &&
      (step === undefined || one.step === step),
  );
  const [first] = fitting;
  if (first !== undefined && (fitting.length === 1 || run === 'latest')) return first;
  if (first === undefined) {
    // One that is closed is told by the server, with when and by whom.
    if (run !== undefined && !isIdOf('run', run)) {
      const { items: all } = await client.listApprovals({
        limit: 100,
        state: 'approved,denied,expired,canceled',
        signal,
      });
      const closed = all.find((one) => one.id === run);
      if (closed !== undefined) return closed;
    }
    const asked = run ?? step;
    const hints = ['pao run list --status waiting'];
    if (asked !== undefined) throw notFound('open approval', asked, hints);
    throw new PaoError('PAO_NOT_FOUND', 'No approval is open.', { exitCode: EXIT.notFound, hints });
  }
  showApprovals(fitting, out);
  const verb = decision === 'approve' ? 'approve' : 'reject';
  throw invalidInput(
    `${fitting.length} approvals are open: say which one.`,
    [],
    [`pao run ${verb} ${first.run_id} ${first.step}`],
  );
}

function showApprovals(approvals: ApprovalObject[], out: Output): void {
  const now = Date.now();
  out.table(approvals, [
    { header: 'RUN', value: ({ run_id: id }) => id },
    { header: 'STEP', value: ({ step }) => step },
    { header: 'TASK', value: ({ task_name: name }) => name },
    { header: 'ENDS', value: ({ expires_at: at }) => fromNow(at, now) },
    { header: 'QUESTION', value: ({ message }) => message },
  ]);
}
