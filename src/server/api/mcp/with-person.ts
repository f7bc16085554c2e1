import {
  type CallToolResult,
  type InputRequiredResult,
  isInputRequiredResult,
} from '@modelcontextprotocol/server';
import { hasScope } from '../../../domain/agent.js';
import type { Approval } from '../../../domain/approval.js';
import { cut } from '../../../domain/errors.js';
import { LIMITS } from '../../../domain/observability/limits.js';
import type { ApiServices, Caller } from '../operation.js';
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
const ASK = 'approvals:ask';
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
      ...open.map((one) => ({ type: 'text' as const, text: whatToDo(one, means.caller) })),
    ],
  };
}

async function decide(tool: BoundTool, given: Given, means: PersonMeans): Promise<Result> {
  const { services, caller } = means;
  const approval = typeof given['id'] === 'string' ? await services.store.getApproval(given['id']) : null;
  const isOwn =
    approval !== null && (approval.agentId === caller.agent.id || hasScope(caller.scopes, 'admin'));
  const isOpen = isOwn && approval.state === 'pending' && approval.expiresAt > services.clock.now();
  const asks = await mayAsk(means);
  // What is not open is told so by the operation, whatever the answer is.
  if (!isOpen) return callTool(tool, { decision: 'deny', ...given }, asks ? asPerson(means) : means);
  if (asks) {
    const decided = await ask(approval, given, means);
    return decided ?? failure(`The person did not answer. ${whatToDo(approval, caller)}`);
  }
  if (given['decision'] === undefined) return failure(whatToDo(approval, caller));
  return callTool(tool, given, means);
}

/** Whether what a person says through the client of this caller counts; behind a run there is nobody. */
export const mayAskWith = ({ scopes, run }: Caller): boolean =>
  hasScope(scopes, DECIDE) || (run === undefined && hasScope(scopes, ASK));

/** Where several processes serve the API, an answer that comes by itself may reach another one: then nobody is asked here. */
async function mayAsk({ person, caller, services }: PersonMeans): Promise<boolean> {
  if (person === null || !mayAskWith(caller)) return false;
  return !person.isBoundHere || !(await isOneOfSeveral(services));
}

async function isOneOfSeveral({ store, clock }: ApiServices): Promise<boolean> {
  const since = clock.now() - LIMITS.heartbeatTimeoutSeconds * 1000;
  const alive = (await store.listWorkers()).filter(
    ({ kind, lastSeenAt }) => kind === 'api' && lastSeenAt > since,
  );
  return alive.length > 1;
}

/** What the person said is done, whatever the token may decide by itself. */
const asPerson = (means: PersonMeans): PersonMeans => ({
  ...means,
  caller: { ...means.caller, scopes: [...means.caller.scopes, DECIDE], via: 'elicitation' },
});

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
  const input = { ...given, id: approval.id, decision, ...said };
  return callTool(means.findTool('approval_decide'), input, asPerson(means));
}

async function openApprovals(runId: string, { services }: PersonMeans): Promise<Approval[]> {
  const steps = await services.store.listSteps(runId);
  const waiting = steps.filter(({ status }) => status === 'waiting');
  const found = await Promise.all(waiting.map(({ stepId }) => services.store.findApproval(runId, stepId)));
  return found.filter((one) => one !== null).filter(({ state }) => state === 'pending');
}

const shown = (value: unknown): string =>
  cut(typeof value === 'string' ? value : JSON.stringify(value, null, 2), 3000);

/** A tool that this token does not see is not named to a model. */
function whatToDo({ id, message, expiresAt, runId, stepId }: Approval, { scopes }: Caller): string {
  const asked = `A person must decide until ${instant(expiresAt)}: ${cut(message, 500)}`;
  const command = `pao run approve ${runId} ${stepId}`;
  return hasScope(scopes, DECIDE)
    ? `${asked} Ask them, then call approval_decide with id ${id} and decision approve or deny. Or they do it themselves: ${command}`
    : `${asked} You may not decide it: tell them to run ${command} (or pao run reject ${runId} ${stepId}) in a terminal, or to answer in pao dashboard. run_get shows what became of it.`;
}

const failure = (text: string): CallToolResult => ({ content: [{ type: 'text', text }], isError: true });
