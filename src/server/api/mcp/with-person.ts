import {
  type CallToolResult,
  type InputRequiredResult,
  isInputRequiredResult,
} from '@modelcontextprotocol/server';
import { hasScope } from '../../../domain/agent.js';
import type { Approval } from '../../../domain/approval.js';
import { cut } from '../../../domain/errors.js';
import { LIMITS } from '../../../domain/observability/limits.js';
import type { Run } from '../../../domain/run.js';
import type { ApiServices, Caller } from '../operation.js';
import { waitQuery } from '../operations/list-query.js';
import { waitForEnd } from '../operations/runs.js';
import type { BoundTool } from './bound-tools.js';
import { callTool, type CallMeans } from './call-tool.js';
import { openQuestions, whatToDo, withQuestions } from './open-questions.js';
import type { Person } from './person.js';

type Given = Record<string, unknown>;
type Result = CallToolResult | InputRequiredResult;
export interface PersonMeans extends CallMeans {
  person: Person | null;
  findTool(name: string): BoundTool;
}

const DECIDE = 'approvals:decide';
const ASK = 'approvals:ask';
/** Characters of data in a question; forms of clients have little room. */
const MOST_SHOWN = 3000;
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
  if (tool.name === 'task_run_now') return runNow(tool, given, means);
  const result = await callTool(tool, given, means);
  return tool.name === 'run_get' ? tellQuestions(result, means) : result;
}

/**
 * Starts a run and stays with it: at each question the wait ends at once, the person is asked, and it begins anew with what
 * they say. How long they take does not count.
 */
async function runNow(tool: BoundTool, given: Given, means: PersonMeans): Promise<Result> {
  const { caller, services, signal, person } = means;
  const wait = waitQuery.safeParse(given['wait']);
  const stays = wait.success && wait.data !== undefined && given['dry_run'] !== true;
  if (!stays || !hasScope(caller.scopes, 'runs:read')) return callTool(tool, given, means);
  // Called again with the answer (2026-07-28): the run is there already.
  const begun = person?.state ?? null;
  let id: string;
  if (begun === null) {
    const { wait: _, ...rest } = given;
    const started = await callTool(tool, rest, means);
    if (started.isError === true) return started;
    id = (started.structuredContent as { id: string }).id;
  } else {
    // It came from the client: nothing in it is taken for granted.
    const [runId = '', asked = ''] = begun.split(' ');
    const run = await showRun(runId, means);
    const approval = await ownApproval(asked, means);
    if (run.isError === true) return run;
    if (!(await mayAsk(means))) return run;
    if (approval === null) return failure(`There is no approval ${cut(asked, 80)}: call ${tool.name} anew.`);
    const decided = await ask(approval, {}, means, begun);
    if (decided === null) return run;
    if (isInputRequiredResult(decided) || decided.isError === true) return decided;
    id = runId;
  }
  const asks = async (run: Run) =>
    run.status === 'waiting' && (await openQuestions(run.id, services)).length > 0;
  for (;;) {
    await waitForEnd(id, wait.data as number, services, signal, asks);
    const [first] = await openQuestions(id, services);
    if (first === undefined || signal.aborted || !(await mayAsk(means))) return showRun(id, means);
    const decided = await ask(first, {}, means, `${id} ${first.id}`);
    if (decided === null) return showRun(id, means);
    if (isInputRequiredResult(decided) || decided.isError === true) return decided;
  }
}

const showRun = async (id: string, means: PersonMeans): Promise<CallToolResult> =>
  tellQuestions(await callTool(means.findTool('run_get'), { id }, means), means);

/** A run that waits for a person says so. */
async function tellQuestions(
  result: CallToolResult,
  { services, caller }: PersonMeans,
): Promise<CallToolResult> {
  const run = result.structuredContent as (Given & { id: string; status: string }) | undefined;
  if (result.isError === true || run?.status !== 'waiting') return result;
  const open = await openQuestions(run.id, services);
  return open.length === 0 ? result : withQuestions(run, open, caller, services.clock.now());
}

/** An approval that the caller may see. */
async function ownApproval(id: unknown, { services, caller }: PersonMeans): Promise<Approval | null> {
  const approval = typeof id === 'string' ? await services.store.getApproval(id) : null;
  const isOwn = approval?.agentId === caller.agent.id || hasScope(caller.scopes, 'admin');
  return isOwn ? approval : null;
}

async function decide(tool: BoundTool, given: Given, means: PersonMeans): Promise<Result> {
  const approval = await ownApproval(given['id'], means);
  const isOpen = approval?.state === 'pending' && approval.expiresAt > means.services.clock.now();
  const asks = await mayAsk(means);
  // What is not open is told so by the operation, whatever the answer is.
  if (!isOpen) return callTool(tool, { decision: 'deny', ...given }, asks ? asPerson(means) : means);
  if (asks) {
    const decided = await ask(approval, given, means);
    return decided ?? failure(`The person did not answer. ${whatToDo(approval, means.caller)}`);
  }
  if (given['decision'] === undefined) return failure(whatToDo(approval, means.caller));
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
  const { data: change } = given;
  // What they say yes to is what they saw: of a change all of it.
  if (change !== undefined && inWords(change).length > MOST_SHOWN) return failure(tooLong(approval, change));
  const changed = change === undefined ? '' : `\n\nChanged to:\n${inWords(change)}`;
  const data = approval.data === null ? '' : `\n\n${shown(approval.data)}`;
  const answer = await (means.person as Person).ask({
    id: approval.id,
    message: `${approval.taskName} asks: ${approval.message}${data}${changed}`,
    requestedSchema: FORM,
    ...(state === undefined ? {} : { state }),
  });
  if (isInputRequiredResult(answer)) return answer;
  const { action, content } = answer;
  const { decision, comment } = content;
  if (action !== 'accept' || (decision !== 'approve' && decision !== 'deny')) return null;
  const said = typeof comment === 'string' && comment !== '' ? { comment } : {};
  // Nothing else of what the model gave: its comment is not theirs.
  const input = { id: approval.id, decision, ...(change === undefined ? {} : { data: change }), ...said };
  return callTool(means.findTool('approval_decide'), input, asPerson(means));
}

const inWords = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value, null, 2);

/** What is to be approved, as far as a question has room for it. */
function shown(value: unknown): string {
  const words = inWords(value);
  if (words.length <= MOST_SHOWN) return words;
  return `${cut(words, MOST_SHOWN)}\n(the first ${MOST_SHOWN} of ${words.length} characters; pao dashboard shows all)`;
}

const tooLong = ({ runId, stepId }: Approval, change: unknown): string =>
  `Nothing was decided: data has ${inWords(change).length} characters, and the person can be shown ${MOST_SHOWN} of a change. They can make it themselves: pao run approve ${runId} ${stepId} --data @FILE`;

const failure = (text: string): CallToolResult => ({ content: [{ type: 'text', text }], isError: true });
