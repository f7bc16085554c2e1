import type { CallToolResult } from '@modelcontextprotocol/server';
import { hasScope } from '../../../domain/agent.js';
import type { Approval } from '../../../domain/approval.js';
import { cut } from '../../../domain/errors.js';
import type { ApiServices, Caller } from '../operation.js';
import { approvalView, instant } from '../views.js';

/** What a run waits with that a person can still answer: its own questions, and those of the tasks it waits for. */
export async function openQuestions(
  runId: string,
  services: Pick<ApiServices, 'store' | 'clock'>,
): Promise<Approval[]> {
  const { store, clock } = services;
  const waiting = (await store.listSteps(runId)).filter(({ status }) => status === 'waiting');
  const found = await Promise.all(
    waiting.map(async ({ stepId, reason, output }): Promise<Approval[]> => {
      const called = (output as { run_id?: unknown } | null)?.run_id;
      // A run that is called is its caller's own, and calls are only so deep: this ends.
      if (reason === 'task' && typeof called === 'string') return openQuestions(called, services);
      const approval = await store.findApproval(runId, stepId);
      return approval === null ? [] : [approval];
    }),
  );
  return found.flat().filter(({ state, expiresAt }) => state === 'pending' && expiresAt > clock.now());
}

/** A run with what it asks, and with what to do about it. */
export function withQuestions(
  run: Record<string, unknown>,
  open: readonly Approval[],
  caller: Caller,
  now: number,
): CallToolResult {
  const structured = { ...run, approvals: open.map((one) => approvalView(one, now)) };
  return {
    structuredContent: structured,
    content: [
      { type: 'text', text: JSON.stringify(structured) },
      ...open.map((one) => ({ type: 'text' as const, text: whatToDo(one, caller) })),
    ],
  };
}

/** Where the client can not ask its person: what the model asks them. A tool that its token does not see is not named. */
export function whatToDo({ id, message, expiresAt, runId, stepId }: Approval, { scopes }: Caller): string {
  const asked = `A person must decide until ${instant(expiresAt)}: ${cut(message, 500)}`;
  const command = `pao run approve ${runId} ${stepId}`;
  return hasScope(scopes, 'approvals:decide')
    ? `${asked} Ask them, then call approval_decide with id ${id} and decision approve or deny. Or they do it themselves: ${command}`
    : `${asked} You may not decide it: tell them to run ${command} (or pao run reject ${runId} ${stepId}) in a terminal, or to answer in pao dashboard. run_get shows what became of it.`;
}
