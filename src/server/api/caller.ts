import { type Agent, type AgentToken, hasScope, intersectScopes } from '../../domain/agent.js';
import { EXIT, forbidden, notFound, PaoError } from '../../domain/errors.js';

/** Who is asking, and what it may do. */
export interface Caller {
  agent: Agent;
  token: AgentToken;
  /** What the token allows of what the agent may do now. */
  scopes: string[];
  isAdmin: boolean;
}

/** The scopes a token gives: its own within its agent's; all of them when it names none. */
export function tokenScopes(token: AgentToken, agent: Agent): string[] {
  return token.scopes.length === 0 ? agent.scopes : intersectScopes(token.scopes, agent.scopes);
}

export function callerOf(token: AgentToken, agent: Agent): Caller {
  const scopes = tokenScopes(token, agent);
  return { agent, token, scopes, isAdmin: scopes.includes('admin') };
}

/** How the audit log and task versions name who did it. */
export const actorOf = (caller: Caller): string => `agent:${caller.agent.id}`;

/** @throws PaoError 403 that names the scope. */
export function requireScope(caller: Caller, scope: string): void {
  if (hasScope(caller.scopes, scope)) return;
  throw missingScopes(caller, [scope]);
}

/** 403 that names what is missing. */
export function missingScopes(caller: Caller, scopes: readonly string[]): PaoError {
  const names = scopes.join(', ');
  return forbidden(`The token of agent "${caller.agent.name}" lacks the scope ${names}.`, [
    `Ask an admin for a token with ${scopes.length === 1 ? 'this scope' : 'these scopes'}: ${names}`,
  ]);
}

/** What belongs to another agent looks as if it were not there (OWASP API1). */
export function requireOwner<T extends { agentId: string }>(
  caller: Caller,
  found: T | null,
  what: string,
  id: string,
): T {
  if (found !== null && (caller.isAdmin || found.agentId === caller.agent.id)) return found;
  throw notFound(what, id, [`pao ${what} list`]);
}

/** 412: it changed since it was read. */
export function requireVersion(ifMatch: string | null, current: string, what: string): void {
  if (ifMatch === null || ifMatch === '*' || ifMatch === current) return;
  throw new PaoError('PAO_VERSION_CHANGED', `The ${what} has changed since you read it.`, {
    exitCode: EXIT.failed,
    status: 412,
    hints: ['Read it again, and send the ETag you get in If-Match'],
  });
}
