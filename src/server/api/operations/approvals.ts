import { z } from 'zod';
import { hasScope } from '../../../domain/agent.js';
import { APPROVAL_STATES, type Approval, type ApprovalState } from '../../../domain/approval.js';
import { EXIT, notFound, PaoError } from '../../../domain/errors.js';
import { decideApproval } from '../../deliver/questions/decide.js';
import { type ApiServices, type Caller, type Operation, operation } from '../operation.js';
import { approvalView, instant } from '../views.js';
import { listOf, pageQuery } from './list-query.js';
import { findRun } from './runs.js';

/** Deciding is for people: it is in no agent's default scopes, so that no agent says yes to itself. */
const SCOPE = 'approvals:decide';

const decisionBody = z.strictObject({
  decision: z.enum(['approve', 'deny']),
  comment: z.string().max(2000).optional(),
  /** Replaces what was to be approved: later steps read it as `steps.<id>.data`. */
  data: z.json().optional(),
});

export const approvalOperations: Operation[] = [
  operation({
    name: 'approval_list',
    method: 'GET',
    path: '/v1/approvals',
    summary: 'What waits for a person, newest first; other states with ?state=',
    scope: 'runs:read',
    status: 200,
    answer: 'ApprovalPage',
    query: z.strictObject({ ...pageQuery, state: z.string().default('pending') }),
    async handle({ query, services, caller }) {
      const page = await services.store.listApprovals({
        agentId: hasScope(caller.scopes, 'admin') ? undefined : caller.agent.id,
        states: listOf<ApprovalState>(query.state, APPROVAL_STATES, 'state'),
        limit: query.limit,
        cursor: query.cursor,
      });
      const now = services.clock.now();
      return {
        body: { items: page.items.map((one) => approvalView(one, now)), next_cursor: page.nextCursor },
      };
    },
  }),
  operation({
    name: 'approval_get',
    method: 'GET',
    path: '/v1/approvals/:id',
    summary: 'Show an approval',
    scope: 'runs:read',
    status: 200,
    answer: 'Approval',
    async handle({ params, services, caller }) {
      const approval = await findApproval(params.id as string, services, caller);
      return { body: approvalView(approval, services.clock.now()) };
    },
  }),
  operation({
    name: 'approval_decide',
    method: 'POST',
    path: '/v1/approvals/:id',
    summary: 'Say yes or no; data changes what is approved',
    scope: SCOPE,
    status: 200,
    answer: 'Approval',
    body: decisionBody,
    async handle({ params, body, services, caller }) {
      const approval = await findApproval(params.id as string, services, caller);
      return { body: await decide(approval, body, services, caller) };
    },
  }),
  operation({
    name: 'run_approval',
    method: 'POST',
    path: '/v1/runs/:id/approvals/:step',
    summary: 'Say yes or no to what a step of a run asks',
    scope: SCOPE,
    status: 200,
    answer: 'Approval',
    body: decisionBody,
    async handle({ params, body, services, caller }) {
      const run = await findRun(params.id as string, services, caller);
      const approval = await services.store.findApproval(run.id, params.step as string);
      if (approval === null)
        throw notFound('approval of step', params.step as string, [`pao run show ${run.id}`]);
      return { body: await decide(approval, body, services, caller) };
    },
  }),
];

async function findApproval(id: string, { store }: ApiServices, caller: Caller): Promise<Approval> {
  const approval = await store.getApproval(id);
  if (approval === null || (approval.agentId !== caller.agent.id && !hasScope(caller.scopes, 'admin')))
    throw notFound('approval', id, ['pao run approve lists what waits']);
  return approval;
}

/** The same answer twice is one answer; another one, or one that comes too late, is told what stands. */
async function decide(
  approval: Approval,
  body: z.infer<typeof decisionBody>,
  services: ApiServices,
  caller: Caller,
) {
  const { store, bus, clock } = services;
  const state = body.decision === 'approve' ? 'approved' : 'denied';
  const now = clock.now();
  const details = caller.via === undefined ? {} : { details: { via: caller.via, agent: caller.agent.name } };
  const result = await decideApproval({ store, bus, now }, approval, {
    ...body,
    ...details,
    by: caller.actor,
  });
  if (result === null) throw notFound('approval', approval.id);
  if (!result.decided && result.approval.state !== state) throw closed(result.approval);
  return approvalView(result.approval, now);
}

function closed(approval: Approval): PaoError {
  const decided = `by ${approval.decidedBy}${approval.decidedAt === null ? '' : ` at ${instant(approval.decidedAt)}`}`;
  const words: Record<ApprovalState, string> = {
    pending: `expired at ${instant(approval.expiresAt)}`,
    expired: `expired at ${instant(approval.expiresAt)}`,
    approved: `was approved already ${decided}`,
    denied: `was denied already ${decided}`,
    canceled: 'is not needed any more: its run has ended',
  };
  return new PaoError('PAO_APPROVAL_CLOSED', `This approval ${words[approval.state]}.`, {
    exitCode: EXIT.failed,
    status: 409,
    hints: [`pao run show ${approval.runId}`, `pao run replay ${approval.runId}`],
  });
}
