import { z } from 'zod';
import {
  type Agent,
  agentInputSchema,
  type AgentToken,
  hasScope,
  maxTasksSchema,
  scopeSchema,
} from '../../../domain/agent.js';
import { type AgentBudget, agentBudgetSchema } from '../../../domain/budget.js';
import { conflict, cut, invalidInput, notFound, PaoError } from '../../../domain/errors.js';
import { zoneHint } from '../../../domain/nearest-zone.js';
import { isTimeZone } from '../../../domain/recurrence/index.js';
import { newId } from '../../../domain/ids.js';
import { quietTimesSchema } from '../../../domain/quiet-times.js';
import { readAgentQuiet, writeAgentQuiet } from '../../deliver/agent-quiet.js';
import { type ApiServices, type Caller, type Operation, operation } from '../operation.js';
import { pageQuery } from './list-query.js';
import { agentBudgetView } from '../budget-view.js';
import { audit } from '../task-service.js';
import { createToken, hashToken } from '../tokens.js';
import { agentView, tokenView } from '../views.js';

const DEFAULT_EXPIRY_S = 90 * 86_400;
const ENDED_TOKENS_SHOWN_MS = 7 * 86_400_000;
const expiry = z
  .int()
  .min(60)
  .max(10 * 366 * 86_400)
  .optional();
const tokenBody = z.strictObject({
  label: z.string().max(100).optional(),
  scopes: z.array(scopeSchema).max(100).optional(),
  expires_in_seconds: expiry,
  /** Rotation: the other tokens of the agent end after this time. */
  revoke_others_after_seconds: z
    .int()
    .min(0)
    .max(90 * 86_400)
    .optional(),
});

async function issueToken(
  agentId: string,
  scopes: string[],
  body: { label?: string | undefined; expires_in_seconds?: number | undefined },
  { store, clock }: ApiServices,
  save: boolean,
) {
  const now = clock.now();
  const secret = createToken('a');
  const token = {
    id: newId('tok', now),
    agentId,
    hash: hashToken(secret),
    prefix: secret.slice(0, 12),
    label: body.label ?? null,
    scopes,
    createdAt: now,
    expiresAt: now + (body.expires_in_seconds ?? DEFAULT_EXPIRY_S) * 1000,
    revokedAt: null,
    lastUsedAt: null,
  };
  if (save) await store.createToken(token);
  return { token, secret };
}

async function findAgent(idOrName: string, { store }: ApiServices, caller: Caller) {
  const wanted = idOrName === 'me' ? caller.agent.id : idOrName;
  const agent = (await store.getAgent(wanted)) ?? (await store.findAgentByName(wanted));
  const mayRead = agent !== null && (agent.id === caller.agent.id || hasScope(caller.scopes, 'agents:read'));
  if (agent === null || !mayRead) throw notFound('agent', idOrName, ['pao agent list']);
  return agent;
}

/** Tokens that are good, and those that ended lately: every sign-in to the dashboard leaves two. */
const isNews =
  (now: number) =>
  ({ expiresAt, revokedAt }: AgentToken): boolean =>
    Math.min(expiresAt ?? Infinity, revokedAt ?? Infinity) > now - ENDED_TOKENS_SHOWN_MS;

/** Its entity tag: when it was last changed, which no two changes share. */
const versionOf = ({ updatedAt }: Agent): string => String(updatedAt);

/** @throws PaoError 422 when its day is of no time zone there is. */
function checkBudget(budget: AgentBudget | null | undefined): void {
  const zone = budget?.timezone;
  if (zone === undefined || isTimeZone(zone)) return;
  throw invalidInput('The budget is not valid.', [
    {
      pointer: '/budget/timezone',
      message: `"${cut(zone, 40)}" is not a time zone`,
      hint: zoneHint(zone),
    },
  ]);
}

export const agentOperations: Operation[] = [
  operation({
    name: 'agent_create',
    method: 'POST',
    path: '/v1/agents',
    summary: 'Register an agent; its token is shown once',
    scope: 'admin',
    status: 201,
    answer: 'CreatedAgent',
    holdsSecret: true,
    body: agentInputSchema.extend({ expires_in_seconds: expiry, token_label: tokenBody.shape.label }),
    async handle({ body, services, caller }) {
      checkBudget(body.budget);
      const now = services.clock.now();
      const agent = {
        id: newId('agt', now),
        name: body.name,
        title: body.title ?? null,
        scopes: body.scopes,
        budget: body.budget ?? null,
        maxTasks: body.max_tasks ?? null,
        disabledAt: null,
        createdAt: now,
        updatedAt: now,
      };
      const about = { label: body.token_label, expires_in_seconds: body.expires_in_seconds };
      const { token, secret } = await issueToken(agent.id, body.scopes, about, services, false);
      await services.store.createAgent(agent, token);
      await audit(services, caller, 'agent.created', agent.id, { name: agent.name, scopes: agent.scopes });
      return {
        body: { ...agentView(agent), token: tokenView(token, secret) },
        location: `/v1/agents/${agent.id}`,
        etag: versionOf(agent),
      };
    },
  }),
  operation({
    name: 'agent_list',
    method: 'GET',
    path: '/v1/agents',
    summary: 'List agents',
    scope: 'agents:read',
    status: 200,
    answer: 'AgentPage',
    query: z.strictObject(pageQuery),
    async handle({ query, services }) {
      const page = await services.store.listAgents({ limit: query.limit, cursor: query.cursor });
      return { body: { items: page.items.map((agent) => agentView(agent)), next_cursor: page.nextCursor } };
    },
  }),
  operation({
    name: 'agent_get',
    method: 'GET',
    path: '/v1/agents/:id',
    summary:
      'Show an agent and its tokens (never their secrets; without those that ended a week ago); `me` is the caller',
    scope: null,
    status: 200,
    answer: 'WholeAgent',
    async handle({ params, services, caller }) {
      const agent = await findAgent(params.id as string, services, caller);
      const tokens = (await services.store.listTokens(agent.id)).filter(isNews(services.clock.now()));
      const quiet = await readAgentQuiet(services.store, agent.id);
      return {
        body: { ...agentView(agent, tokens), ...quiet, ...(await agentBudgetView(agent, services)) },
        etag: versionOf(agent),
      };
    },
  }),
  operation({
    name: 'agent_update',
    method: 'PATCH',
    path: '/v1/agents/:id',
    summary: "Change an agent's title, scopes, number of tasks or budget; at once effective",
    scope: 'admin',
    status: 200,
    answer: 'Agent',
    body: z.strictObject({
      title: z.string().max(200).nullable().optional(),
      scopes: z.array(scopeSchema).max(100).optional(),
      max_tasks: maxTasksSchema.nullable().optional(),
      budget: agentBudgetSchema.nullable().optional(),
    }),
    async handle({ params, body, services, caller, ifMatch }) {
      checkBudget(body.budget);
      const agent = await findAgent(params.id as string, services, caller);
      if (ifMatch !== null && ifMatch !== '*' && ifMatch !== versionOf(agent)) {
        throw new PaoError('PAO_PRECONDITION', `The agent ${agent.name} was changed since then.`, {
          status: 412,
          hints: [`pao agent show ${agent.name}`],
        });
      }
      const changed = {
        ...agent,
        title: body.title === undefined ? agent.title : body.title,
        scopes: body.scopes ?? agent.scopes,
        maxTasks: body.max_tasks === undefined ? agent.maxTasks : body.max_tasks,
        budget: body.budget === undefined ? agent.budget : body.budget,
        // Two changes within one millisecond are two versions.
        updatedAt: Math.max(services.clock.now(), agent.updatedAt + 1),
      };
      if (!(await services.store.updateAgent(changed, agent.updatedAt)))
        throw conflict(`The agent ${agent.name} was changed by someone else in between.`, [
          `pao agent show ${agent.name}`,
        ]);
      await audit(services, caller, 'agent.updated', agent.id, {
        scopes: changed.scopes,
        max_tasks: changed.maxTasks,
        budget: changed.budget,
      });
      return { body: agentView(changed), etag: versionOf(changed) };
    },
  }),
  operation({
    name: 'agent_quiet',
    method: 'PUT',
    path: '/v1/agents/:id/quiet',
    summary: "An agent's quiet hours and vacations, in place of what it had; messages of its tasks wait then",
    scope: 'tasks:write',
    status: 200,
    answer: 'QuietAgent',
    body: quietTimesSchema,
    async handle({ params, body, services, caller }) {
      const agent = await findAgent(params.id as string, services, caller);
      if (agent.id !== caller.agent.id && !hasScope(caller.scopes, 'admin'))
        throw notFound('agent', params.id as string, ['pao agent list']);
      await writeAgentQuiet(services.store, agent.id, body);
      const { store, clock, bus } = services;
      // Looked at again by what holds now: what may go, goes.
      const lookedAt = await store.bringForward({ agentId: agent.id, now: clock.now() });
      await audit(services, caller, 'agent.quiet', agent.id, { ...body });
      bus.publish('delivery', { count: Math.max(1, lookedAt) });
      return { body: { ...agentView(agent), ...body } };
    },
  }),
  operation({
    name: 'agent_delete',
    method: 'DELETE',
    path: '/v1/agents/:id',
    summary: 'Disable an agent: its tokens are dead at once, its history stays',
    scope: 'admin',
    status: 204,
    async handle({ params, services, caller }) {
      const agent = await findAgent(params.id as string, services, caller);
      if (agent.id === caller.agent.id) throw conflict('An agent can not delete itself.');
      const now = services.clock.now();
      await services.store.updateAgent({ ...agent, disabledAt: now, updatedAt: now });
      for (const token of await services.store.listTokens(agent.id))
        await services.store.updateToken({ ...token, revokedAt: token.revokedAt ?? now });
      await audit(services, caller, 'agent.deleted', agent.id, { name: agent.name });
      return {};
    },
  }),
  operation({
    name: 'token_create',
    method: 'POST',
    path: '/v1/agents/:id/tokens',
    summary: 'Make a token; its secret is shown once',
    scope: 'admin',
    status: 201,
    answer: 'NewToken',
    holdsSecret: true,
    body: tokenBody.optional(),
    async handle({ params, body, services, caller }) {
      const agent = await findAgent(params.id as string, services, caller);
      const others = await services.store.listTokens(agent.id);
      const { token, secret } = await issueToken(
        agent.id,
        body?.scopes ?? agent.scopes,
        body ?? {},
        services,
        true,
      );
      if (body?.revoke_others_after_seconds !== undefined) {
        const end = services.clock.now() + body.revoke_others_after_seconds * 1000;
        for (const other of others) {
          if (other.revokedAt === null && (other.expiresAt === null || other.expiresAt > end))
            await services.store.updateToken({ ...other, expiresAt: end });
        }
      }
      await audit(services, caller, 'token.created', token.id, { agent: agent.name });
      return { body: tokenView(token, secret), location: `/v1/agents/${agent.id}/tokens/${token.id}` };
    },
  }),
  operation({
    name: 'token_revoke',
    method: 'DELETE',
    path: '/v1/agents/:id/tokens/:token_id',
    summary: 'Revoke a token, at once',
    scope: 'admin',
    status: 204,
    async handle({ params, services, caller }) {
      const agent = await findAgent(params.id as string, services, caller);
      const token = (await services.store.listTokens(agent.id)).find((one) => one.id === params.token_id);
      if (token === undefined)
        throw notFound('token', params.token_id as string, [`pao agent show ${agent.name}`]);
      await services.store.updateToken({ ...token, revokedAt: services.clock.now() });
      await audit(services, caller, 'token.revoked', token.id, { agent: agent.name });
      return {};
    },
  }),
];
