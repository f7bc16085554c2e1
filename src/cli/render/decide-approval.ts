import type { ApprovalObject } from '../../client/api-objects.js';
import { isIdOf, type PaoClient, pages } from '../../client/pao-client.js';
import { cut, EXIT, invalidInput, notFound, PaoError } from '../../domain/errors.js';
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
 * @throws PaoError exit 5 when nothing waits, exit 1 when it was answered or has expired, exit 2 when it is not clear which one is meant.
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
    const closed = run === undefined || run === 'latest' ? null : await findClosed(client, run, step, signal);
    if (closed !== null) return closed;
    throw await nothingWaits(client, run, step, signal);
  }
  showApprovals(fitting, out);
  const verb = decision === 'approve' ? 'approve' : 'reject';
  throw invalidInput(
    `${fitting.length} approvals are open: say which one.`,
    [],
    [`pao run ${verb} ${first.run_id} ${first.step}`],
  );
}

/** The newest approval of a run, and of its step where one is named, or the approval of that id, that waits no more. */
async function findClosed(
  client: PaoClient,
  run: string,
  step: string | undefined,
  signal: AbortSignal,
): Promise<ApprovalObject | null> {
  const state = 'approved,denied,expired,canceled';
  const page = (cursor: string | undefined) => client.listApprovals({ limit: 100, state, cursor, signal });
  for await (const one of pages(page)) {
    if ((one.run_id === run || one.id === run) && (step === undefined || one.step === step)) return one;
  }
  return null;
}

/** @throws what the server says of a run that is not there. */
async function nothingWaits(
  client: PaoClient,
  run: string | undefined,
  step: string | undefined,
  signal: AbortSignal,
): Promise<PaoError> {
  const hints = ['pao run list --status waiting'];
  const none = (message: string) =>
    new PaoError('PAO_NOT_FOUND', message, { exitCode: EXIT.notFound, hints });
  if (run === undefined || run === 'latest')
    return none(
      step === undefined ? 'No approval is open.' : `No step ${cut(step, 80)} waits for an answer.`,
    );
  if (!isIdOf('run', run)) return notFound('run or approval', run, hints);
  const { id, status } = await client.getRun(run, { signal });
  hints.unshift(`pao run show ${id}`);
  return none(
    step === undefined
      ? `Run ${id} asks nothing: it is ${status}.`
      : `Step ${cut(step, 80)} of run ${id} asks nothing: the run is ${status}.`,
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
