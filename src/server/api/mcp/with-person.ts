import {
  type CallToolResult,
  type InputRequiredResult,
  isInputRequiredResult,
} from '@modelcontextprotocol/server';
import { hasScope } from '../../../domain/agent.js';
import type { Approval } from '../../../domain/approval.js';
import { cut } from '../../../domain/errors.js';
import { LIMITS } from '../../../domain/observability/limits.js';
import type { ApiServices } from '../operation.js';
import { approvalView, instant } from '../views.js';
import type { BoundTool } from './bound-tools.js';
import { callTool, type CallMeans } from './call-tool.js';
import type { Person } from './person.js';

type Given = Record<string, unknown>;
type Result = CallToolResult | InputRequiredResult;
export interface PersonMeans extends CallMeans {
  person: Person | null;
  findTool(name: string): BoundTool;
}

const DECIDE = 'approvals:decide';
const FORM = {
  type: 'object' as const,
  properties: {
    decision: { type: 'string' as const, title: 'Your decision', enum: ['approve', 'deny'] },
    comment: { type: 'string' as const, title: 'Comment', maxLength: 2000 },
  },
  required: ['decision'],
};

/**
 * Calls a tool; where a person must decide, they are asked through a client that can do so. Through one that can not, the
 * answer says what to ask them and which tool to call then.
 */
export async function callWithPerson(tool: BoundTool, given: Given, means: PersonMeans): Promise<Result> {
  if (tool.name === 'approval_decide') return decide(tool, given, means);
  if (tool.name !== 'task_run_now' && tool.name !== 'run_get') return callTool(tool, given, means);
  // Called again with the answer: the run is there already.
  const begun = tool.name === 'task_run_now' ? (means.person?.state ?? null) : null;
  const result =
    begun === null
      ? await callTool(tool, given, means)
      : await callTool(means.findTool('run_get'), { id: begun }, means);
  const run = result.structuredContent as (Given & { id: string; status: string }) | undefined;
  if (result.isError === true || run?.status !== 'waiting') return result;
  const open = await openApprovals(run.id, means);
  const [first] = open;
  if (first === undefined) return result;
  if (tool.name === 'task_run_now' && given['wait'] !== undefined && (await mayAsk(means))) {
    const decided = await ask(first, {}, means, run.id);
    if (decided !== null) {
      if (isInputRequiredResult(decided) || decided.isError === true) return decided;
      return callTool(means.findTool('run_get'), { id: run.id, wait: given['wait'] }, means);
    }
  }
  const now = means.services.clock.now();
  const structured = { ...run, approvals: open.map((one) => approvalView(one, now)) };
  return {
    structuredContent: structured,
    content: [
      { type: 'text', text: JSON.stringify(structured) },
      ...open.map((one) => ({ type: 'text' as const, text: whatToDo(one) })),
    ],
  };
}

async function decide(tool: BoundTool, given: Given, means: PersonMeans): Promise<Result> {
  const { services, caller } = means;
  const approval = typeof given['id'] === 'string' ? await services.store.getApproval(given['id']) : null;
  const isOwn =
    approval !== null && (approval.agentId === caller.agent.id || hasScope(caller.scopes, 'admin'));
  const isOpen = isOwn && approval.state === 'pending' && approval.expiresAt > services.clock.now();
  // What is not open is told so by the operation, whatever the answer is.
  if (!isOpen) return callTool(tool, { decision: 'deny', ...given }, means);
  if (await mayAsk(means)) {
    const decided = await ask(approval, given, means);
    return decided ?? failure(`The person did not answer. ${whatToDo(approval)}`);
  }
  if (given['decision'] === undefined) return failure(whatToDo(approval));
  return callTool(tool, given, means);
}

/** Where several processes serve the API, an answer that comes by itself may reach another one: then nobody is asked here. */
async function mayAsk({ person, caller, services }: PersonMeans): Promise<boolean> {
  if (person === null || !hasScope(caller.scopes, DECIDE)) return false;
  return !person.isBoundHere || !(await isOneOfSeveral(services));
}

async function isOneOfSeveral({ store, clock }: ApiServices): Promise<boolean> {
  const since = clock.now() - LIMITS.heartbeatTimeoutSeconds * 1000;
  const alive = (await store.listWorkers()).filter(
    ({ kind, lastSeenAt }) => kind === 'api' && lastSeenAt > since,
  );
  return alive.length > 1;
}

/** @returns null when the person closed the question without an answer. */
async function ask(
  approval: Approval,
  given: Given,
  means: PersonMeans,
  state?: string,
): Promise<Result | null> {
  const changed = given['data'] === undefined ? '' : `\n\nChanged to:\n${shown(given['data'])}`;
  const data = approval.data === null ? '' : `\n\n${shown(approval.data)}`;
  const answer = await (means.person as Person).ask({
    message: `${approval.taskName} asks: ${approval.message}${data}${changed}`,
    requestedSchema: FORM,
    ...(state === undefined ? {} : { state }),
  });
  if (isInputRequiredResult(answer)) return answer;
  const { action, content } = answer;
  const { decision, comment } = content;
  if (action !== 'accept' || (decision !== 'approve' && decision !== 'deny')) return null;
  const said = typeof comment === 'string' && comment !== '' ? { comment } : {};
  return callTool(means.findTool('approval_decide'), { ...given, id: approval.id, decision, ...said }, means);
}

async function openApprovals(runId: string, { services }: PersonMeans): Promise<Approval[]> {
  const steps = await services.store.listSteps(runId);
  const waiting = steps.filter(({ status }) => status === 'waiting');
  const found = await Promise.all(waiting.map(({ stepId }) => services.store.findApproval(runId, stepId)));
  return found.filter((one) => one !== null).filter(({ state }) => state === 'pending');
}

const shown = (value: unknown): string =>
  cut(typeof value === 'string' ? value : JSON.stringify(value, null, 2), 3000);

function whatToDo({ id, message, expiresAt, runId, stepId }: Approval): string {
  return `A person must decide until ${instant(expiresAt)}: ${cut(message, 500)} Ask them, then call approval_decide with id ${id} and decision approve or deny. Or they do it themselves: pao run approve ${runId} ${stepId}`;
}

const failure = (text: string): CallToolResult => ({ content: [{ type: 'text', text }], isError: true });
