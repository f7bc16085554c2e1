import { z } from 'zod';
import { hasScope } from '../../../domain/agent.js';
import { conflict, EXIT, forbidden, invalidInput, notFound, PaoError } from '../../../domain/errors.js';
import { ToolError } from '../../../domain/tool-error.js';
import { secretNamesIn } from '../../../domain/tool-secrets.js';
import { type Tool, toolSchema } from '../../../domain/tool.js';
import { checkSchema } from '../../../domain/pipeline/schema-check.js';
import { readTool } from '../../../domain/tool-schemas.js';
import { decodeTextCursor, encodeCursor } from '../../store/cursor.js';
import { connectorProblems } from '../../tools/check-connector.js';
import { type ApiServices, type Caller, type Operation, operation } from '../operation.js';
import { pageQuery } from './list-query.js';
import { audit, requireScope } from '../task-service.js';
import { toolView } from '../views.js';

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
  // And it decides who gets to act for the runs that call it.
  if (tool.mcp?.run_token === true || JSON.stringify(tool).includes('call.run_token'))
    requireScope(caller, 'admin');
}

/**
 * A tool as it may be stored.
 * @param address the one in the path.
 * @throws PaoError 422 with every problem, 409 when it is built in, 403 when the caller may not add it.
 */
function checkTool(input: unknown, services: ApiServices, caller: Caller, address?: string): Tool {
  const { tool, problems: faults } = readTool(input);
  const problems = tool === null ? faults : connectorProblems(tool);
  const given = (input as { address?: unknown } | null)?.address;
  const wrongAddress =
    address === undefined || given === address
      ? []
      : [{ pointer: '/address', message: `must be ${address}, as in the path` }];
  if (tool === null || problems.length + wrongAddress.length > 0)
    throw invalidInput('The tool is not valid.', [...wrongAddress, ...problems]);
  requireRightsFor(tool, services, caller);
  return tool;
}

async function findTool(address: string, services: ApiServices): Promise<{ tool: Tool; view: unknown }> {
  const stored = await services.store.getTool(address);
  if (stored !== null) return { tool: stored.tool, view: toolView(stored) };
  const builtin = services.builtinTools.find((tool) => tool.address === address);
  if (builtin === undefined) throw notFound('tool', address, ['pao tool list']);
  return { tool: builtin, view: builtin };
}

/** Built-in tools and stored ones in one order, by address: each page has as many as were asked for. */
async function toolPage(
  query: { prefix?: string | undefined; limit: number; cursor?: string | undefined },
  { store, builtinTools }: ApiServices,
) {
  const page = await store.listTools(query);
  const after = query.cursor === undefined ? '' : decodeTextCursor(query.cursor);
  const stored = new Set(page.items.map(({ tool }) => tool.address));
  const builtin = builtinTools.filter(
    ({ address }) => address > after && address.startsWith(query.prefix ?? '') && !stored.has(address),
  );
  const all = [
    ...page.items.map((one) => ({ address: one.tool.address, view: toolView(one) })),
    ...builtin.map((tool) => ({ address: tool.address, view: tool })),
  ].sort((a, b) => (a.address < b.address ? -1 : 1));
  const items = all.slice(0, query.limit);
  const isMore = all.length > items.length || page.nextCursor !== null;
  return {
    items: items.map(({ view }) => view),
    next_cursor: isMore ? encodeCursor(items.at(-1)?.address ?? '') : null,
  };
}

export const toolOperations: Operation[] = [
  operation({
    name: 'tool_list',
    method: 'GET',
    path: '/v1/tools',
    summary: 'List the catalog',
    scope: 'tools:read',
    status: 200,
    answer: 'ToolPage',
    query: z.strictObject({ ...pageQuery, prefix: z.string().max(128).optional() }),
    async handle({ query, services }) {
      return { body: await toolPage(query, services) };
    },
  }),
  operation({
    name: 'tool_create',
    method: 'POST',
    path: '/v1/tools',
    summary: 'Add a tool',
    scope: 'tools:write',
    status: 201,
    answer: 'Tool',
    body: z.unknown(),
    documentedBody: toolSchema,
    async handle({ body, services, caller }) {
      const tool = checkTool(body, services, caller);
      const now = services.clock.now();
      await services.store.putTool(
        { tool, createdBy: caller.actor, createdAt: now, updatedAt: now },
        { create: true },
      );
      await audit(services, caller, 'tool.created', tool.address, {});
      return { body: (await findTool(tool.address, services)).view, location: `/v1/tools/${tool.address}` };
    },
  }),
  operation({
    name: 'tool_import',
    method: 'POST',
    path: '/v1/tools/import',
    summary: 'Import a catalog: tools, MCP servers, OpenAPI documents',
    scope: 'tools:write',
    status: 200,
    answer: 'ImportedTools',
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
    answer: 'Tool',
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
    answer: 'Tool',
    otherAnswers: { 201: 'Tool' },
    body: z.record(z.string(), z.unknown()),
    documentedBody: toolSchema,
    async handle({ params, body, services, caller }) {
      const address = params.address as string;
      const tool = checkTool({ address, ...body }, services, caller, address);
      const now = services.clock.now();
      const { created } = await services.store.putTool({
        tool,
        createdBy: caller.actor,
        createdAt: now,
        updatedAt: now,
      });
      await audit(services, caller, created ? 'tool.created' : 'tool.updated', address, {});
      return {
        status: created ? 201 : 200,
        body: (await findTool(address, services)).view,
        ...(created ? { location: `/v1/tools/${address}` } : {}),
      };
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
    answer: 'ToolCall',
    body: z
      .strictObject({ input: z.unknown().optional(), timeout_ms: z.int().min(1).max(300_000).optional() })
      .optional(),
    async handle({ params, body, services, caller, signal }) {
      const { tool } = await findTool(params.address as string, services);
      const { mayUseTool } = await import('../../../domain/agent.js');
      if (!mayUseTool(caller.scopes, tool.address))
        throw forbidden(`The token lacks the scope tool:${tool.address}.`, [
          `Ask an operator for the scope tool:${tool.address}`,
        ]);
      const input = body?.input ?? {};
      const problems = checkSchema(tool.input_schema, input);
      if (problems.length > 0)
        throw invalidInput(`The input of ${tool.address} is not valid.`, problems, [
          `pao tool show ${tool.address}`,
        ]);
      try {
        const result = await services.callTool(tool, input, {
          signal,
          timeoutMs: body?.timeout_ms ?? 60_000,
          agent: caller.agent.name,
          budget: services.budgets.forCalls({ runId: null, task: null, agent: caller.agent }, null),
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
        const overBudget = error.kind === 'budget';
        throw new PaoError(`PAO_TOOL_${error.kind.toUpperCase()}`, error.message, {
          exitCode: wrongInput ? EXIT.usage : EXIT.failed,
          status: wrongInput ? 422 : overBudget ? 402 : error.kind === 'timeout' ? 504 : 502,
          ...(error.pointer === undefined
            ? {}
            : { problems: [{ pointer: error.pointer, message: error.message }] }),
          hints: [overBudget ? `pao agent show ${caller.agent.name}` : `pao tool show ${tool.address}`],
        });
      }
    },
  }),
];
