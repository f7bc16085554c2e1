import { z } from 'zod';
import { agentInputSchema, hasScope, scopeSchema } from '../../domain/agent.js';
import { conflict, EXIT, forbidden, invalidInput, notFound, PaoError } from '../../domain/errors.js';
import { eventInputSchema } from '../../domain/event.js';
import { newId } from '../../domain/ids.js';
import { problemsFromZod } from '../../domain/problems-from-zod.js';
import { ToolError } from '../../domain/tool-error.js';
import { secretNamesIn } from '../../domain/tool-secrets.js';
import { type Tool, toolSchema } from '../../domain/tool.js';
import { type ApiServices, type Caller, type Operation, operation } from './operation.js';
import { pageQuery } from './operations-tasks.js';
import { audit, requireScope } from './task-service.js';
import { createToken, hashToken } from './tokens.js';
import { agentView, eventView, instant, tokenView, toolView } from './views.js';

const DEFAULT_EXPIRY_S = 90 * 86_400;
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

export const agentOperations: Operation[] = [
  operation({
    name: 'agent_create',
    method: 'POST',
    path: '/v1/agents',
    summary: 'Register an agent; its token is shown once',
    scope: 'admin',
    status: 201,
    holdsSecret: true,
    body: agentInputSchema.extend({ expires_in_seconds: expiry }),
    async handle({ body, services, caller }) {
      const now = services.clock.now();
      const agent = {
        id: newId('agt', now),
        name: body.name,
        title: body.title ?? null,
        scopes: body.scopes,
        disabledAt: null,
        createdAt: now,
        updatedAt: now,
      };
      const { token, secret } = await issueToken(agent.id, body.scopes, body, services, false);
      await services.store.createAgent(agent, token);
      await audit(services, caller, 'agent.created', agent.id, { name: agent.name, scopes: agent.scopes });
      return {
        body: { ...agentView(agent), token: tokenView(token, secret) },
        location: `/v1/agents/${agent.id}`,
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
    summary: 'Show an agent and its tokens (never their secrets); `me` is the caller',
    scope: null,
    status: 200,
    async handle({ params, services, caller }) {
      const agent = await findAgent(params.id as string, services, caller);
      return { body: agentView(agent, await services.store.listTokens(agent.id)) };
    },
  }),
  operation({
    name: 'agent_update',
    method: 'PATCH',
    path: '/v1/agents/:id',
    summary: "Change an agent's title or scopes; at once effective",
    scope: 'admin',
    status: 200,
    body: z.strictObject({
      title: z.string().max(200).nullable().optional(),
      scopes: z.array(scopeSchema).max(100).optional(),
    }),
    async handle({ params, body, services, caller }) {
      const agent = await findAgent(params.id as string, services, caller);
      const changed = {
        ...agent,
        title: body.title === undefined ? agent.title : body.title,
        scopes: body.scopes ?? agent.scopes,
        updatedAt: services.clock.now(),
      };
      await services.store.updateAgent(changed);
      await audit(services, caller, 'agent.updated', agent.id, { scopes: changed.scopes });
      return { body: agentView(changed) };
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

export const eventOperations: Operation[] = [
  operation({
    name: 'event_publish',
    method: 'POST',
    path: '/v1/events',
    summary: 'Publish an event',
    scope: 'events:write',
    status: 201,
    body: eventInputSchema,
    async handle({ body, services, caller }) {
      const now = services.clock.now();
      const { event, duplicate } = await services.store.publishEvent({
        id: newId('evt', now),
        topic: body.topic,
        payload: body.payload ?? null,
        dedupeKey: body.dedupe_key ?? null,
        agentId: caller.agent.id,
        createdAt: now,
      });
      if (!duplicate) {
        services.bus.publish('schedule', { reason: 'event' });
        services.bus.publish('event', { id: event.id, sequence: event.sequence, topic: event.topic });
      }
      return { status: duplicate ? 200 : 201, body: { ...eventView(event), duplicate } };
    },
  }),
  operation({
    name: 'event_list',
    method: 'GET',
    path: '/v1/events',
    summary: 'List events, newest first',
    scope: 'events:read',
    status: 200,
    query: z.strictObject({ ...pageQuery, topic: z.string().max(200).optional() }),
    async handle({ query, services }) {
      const page = await services.store.listEvents(query);
      return { body: { items: page.items.map(eventView), next_cursor: page.nextCursor } };
    },
  }),
];

/** Private targets, commands and models' endpoints are the operator's to grant (security.md C2.7). */
function requireRightsFor(tool: Tool, services: ApiServices, caller: Caller): void {
  if (services.builtinTools.some((builtin) => builtin.address === tool.address)) {
    throw conflict(`${tool.address} is built in and can not be replaced.`, ['Choose another address']);
  }
  const needs =
    (tool.grants?.length ?? 0) > 0 || (tool.kind === 'mcp' && tool.mcp?.server.transport === 'stdio');
  if (needs && !hasScope(caller.scopes, 'admin')) {
    throw forbidden('Only an operator may add a tool that starts a program or reaches a private address.', [
      'Ask an operator to import it',
    ]);
  }
  // Whoever writes a tool decides where its secrets go.
  for (const name of secretNamesIn(tool)) requireScope(caller, `secrets:use:${name}`);
}

async function findTool(address: string, services: ApiServices): Promise<{ tool: Tool; view: unknown }> {
  const stored = await services.store.getTool(address);
  if (stored !== null) return { tool: stored.tool, view: toolView(stored) };
  const builtin = services.builtinTools.find((tool) => tool.address === address);
  if (builtin === undefined) throw notFound('tool', address, ['pao tool list']);
  return { tool: builtin, view: builtin };
}

export const toolOperations: Operation[] = [
  operation({
    name: 'tool_list',
    method: 'GET',
    path: '/v1/tools',
    summary: 'List the catalog',
    scope: 'tools:read',
    status: 200,
    query: z.strictObject({ ...pageQuery, prefix: z.string().max(128).optional() }),
    async handle({ query, services }) {
      const page = await services.store.listTools(query);
      const builtin =
        query.cursor === undefined
          ? services.builtinTools.filter((tool) => tool.address.startsWith(query.prefix ?? ''))
          : [];
      return { body: { items: [...builtin, ...page.items.map(toolView)], next_cursor: page.nextCursor } };
    },
  }),
  operation({
    name: 'tool_create',
    method: 'POST',
    path: '/v1/tools',
    summary: 'Add a tool',
    scope: 'tools:write',
    status: 201,
    body: toolSchema,
    async handle({ body, services, caller }) {
      requireRightsFor(body, services, caller);
      const now = services.clock.now();
      await services.store.putTool(
        { tool: body, createdBy: caller.actor, createdAt: now, updatedAt: now },
        { create: true },
      );
      await audit(services, caller, 'tool.created', body.address, {});
      return { body: (await findTool(body.address, services)).view, location: `/v1/tools/${body.address}` };
    },
  }),
  operation({
    name: 'tool_import',
    method: 'POST',
    path: '/v1/tools/import',
    summary: 'Import a catalog: tools, MCP servers, OpenAPI documents',
    scope: 'tools:write',
    status: 200,
    body: z.strictObject({ document: z.unknown() }),
    async handle({ body, services, caller }) {
      // What is imported may start programs and reach private addresses before there is a tool to look at.
      requireScope(caller, 'admin');
      const { tools, problems } = await services.importCatalog(body.document);
      if (problems.length > 0)
        throw invalidInput('The catalog could not be imported; nothing was changed.', problems);
      const now = services.clock.now();
      const { created, replaced } = await services.store.putTools(
        tools.map((tool) => ({ tool, createdBy: caller.actor, createdAt: now, updatedAt: now })),
      );
      await audit(services, caller, 'tool.imported', null, { addresses: tools.map((tool) => tool.address) });
      return {
        body: {
          items: tools.map(({ address, kind, side_effect, title }) => ({
            address,
            kind,
            side_effect,
            title: title ?? null,
          })),
          created,
          replaced,
          problems: [],
        },
      };
    },
  }),
  operation({
    name: 'tool_get',
    method: 'GET',
    path: '/v1/tools/:address',
    summary: 'Show a tool',
    scope: 'tools:read',
    status: 200,
    async handle({ params, services }) {
      return { body: (await findTool(params.address as string, services)).view };
    },
  }),
  operation({
    name: 'tool_put',
    method: 'PUT',
    path: '/v1/tools/:address',
    summary: 'Add or replace a tool',
    scope: 'tools:write',
    status: 200,
    body: z.record(z.string(), z.unknown()),
    async handle({ params, body, services, caller }) {
      const input = { address: params.address, ...body };
      const parsed = toolSchema.safeParse(input);
      if (!parsed.success)
        throw invalidInput('The tool is not valid.', problemsFromZod(parsed.error, input, toolSchema));
      if (parsed.data.address !== params.address)
        throw invalidInput('The address in the body is not the one in the path.', [
          { pointer: '/address', message: `must be ${params.address}` },
        ]);
      requireRightsFor(parsed.data, services, caller);
      const now = services.clock.now();
      const { created } = await services.store.putTool({
        tool: parsed.data,
        createdBy: caller.actor,
        createdAt: now,
        updatedAt: now,
      });
      await audit(services, caller, created ? 'tool.created' : 'tool.updated', parsed.data.address, {});
      return { status: created ? 201 : 200, body: (await findTool(parsed.data.address, services)).view };
    },
  }),
  operation({
    name: 'tool_delete',
    method: 'DELETE',
    path: '/v1/tools/:address',
    summary: 'Remove a tool',
    scope: 'tools:write',
    status: 204,
    async handle({ params, services, caller }) {
      const address = params.address as string;
      if (!(await services.store.deleteTool(address))) throw notFound('tool', address, ['pao tool list']);
      await audit(services, caller, 'tool.deleted', address, {});
      return {};
    },
  }),
  operation({
    name: 'tool_call',
    method: 'POST',
    path: '/v1/tools/:address/call',
    summary: 'Call a tool once, outside any task',
    scope: null,
    status: 200,
    body: z
      .strictObject({ input: z.unknown().optional(), timeout_ms: z.int().min(1).max(300_000).optional() })
      .optional(),
    async handle({ params, body, services, caller, signal }) {
      const { tool } = await findTool(params.address as string, services);
      const { mayUseTool } = await import('../../domain/agent.js');
      if (!mayUseTool(caller.scopes, tool.address))
        throw forbidden(`The token lacks the scope tool:${tool.address}.`, [
          `Ask an operator for the scope tool:${tool.address}`,
        ]);
      try {
        const result = await services.callTool(tool, body?.input ?? {}, {
          signal,
          timeoutMs: body?.timeout_ms ?? 60_000,
          agent: caller.agent.name,
        });
        return {
          body: services.redactor.redact({
            output: result.output ?? null,
            duration_ms: result.durationMs,
            usage: result.usage ?? null,
          }),
        };
      } catch (error) {
        if (!(error instanceof ToolError)) throw error;
        const wrongInput = error.kind === 'invalid_input';
        throw new PaoError(`PAO_TOOL_${error.kind.toUpperCase()}`, error.message, {
          exitCode: wrongInput ? EXIT.usage : EXIT.failed,
          status: wrongInput ? 422 : error.kind === 'timeout' ? 504 : 502,
          ...(error.pointer === undefined
            ? {}
            : { problems: [{ pointer: error.pointer, message: error.message }] }),
          hints: [`pao tool show ${tool.address}`],
        });
      }
    },
  }),
];

export const systemOperations: Operation[] = [
  operation({
    name: 'audit_list',
    method: 'GET',
    path: '/v1/audit',
    summary: 'Who did what, newest first',
    scope: 'audit:read',
    status: 200,
    query: z.strictObject(pageQuery),
    async handle({ query, services }) {
      const page = await services.store.listAudit(query);
      return {
        body: {
          items: page.items.map(({ at, ...entry }) => ({ ...entry, at: instant(at) })),
          next_cursor: page.nextCursor,
        },
      };
    },
  }),
  operation({
    name: 'worker_list',
    method: 'GET',
    path: '/v1/workers',
    summary: 'The processes of the system and when they last gave a sign',
    scope: 'metrics:read',
    status: 200,
    async handle({ services }) {
      const workers = await services.store.listWorkers();
      return {
        body: {
          items: workers.map((one) => ({
            id: one.id,
            kind: one.kind,
            slot: one.slot,
            pid: one.pid,
            host: one.host,
            version: one.version,
            tags: one.tags,
            started_at: instant(one.startedAt),
            last_seen_at: instant(one.lastSeenAt),
            slots_total: one.slotsTotal,
            slots_busy: one.slotsBusy,
          })),
          next_cursor: null,
        },
      };
    },
  }),
];
