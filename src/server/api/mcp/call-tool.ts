import type { CallToolResult } from '@modelcontextprotocol/server';
import { cut, invalidInput } from '../../../domain/errors.js';
import type { TraceContext } from '../../../domain/observability/trace.js';
import { newId } from '../../../domain/ids.js';
import { nearest } from '../../../domain/nearest.js';
import type { ApiServices, Caller } from '../operation.js';
import type { OperationRunner } from '../operation-runner.js';
import { problemOf } from '../problem.js';
import { requireScope } from '../task-service.js';
import type { BoundTool } from './bound-tools.js';
import type { ToolInput } from './tool-input.js';

/** Who calls, and with what it is done. */
export interface CallMeans {
  caller: Caller;
  services: ApiServices;
  runner: OperationRunner;
  signal: AbortSignal;
  /** The trace that the client named in `_meta`, or a new one. */
  trace: TraceContext;
}

/**
 * Calls a tool for one caller. What pao refuses is a result with `isError` that says what to change, never a protocol
 * error: a model reads results.
 */
export async function callTool(
  tool: BoundTool,
  given: Record<string, unknown>,
  means: CallMeans,
): Promise<CallToolResult> {
  const { services, trace } = means;
  const start = services.clock.now();
  const result = await answer(tool, given, means);
  services.tracer?.span({
    traceId: trace.traceId,
    spanId: trace.spanId,
    parentSpanId: trace.parentSpanId,
    traceState: trace.state,
    name: `tools/call ${tool.name}`,
    kind: 'server',
    start,
    end: services.clock.now(),
    attributes: { 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': tool.name },
    ...(result.isError === true ? { error: 'refused' } : {}),
  });
  return result;
}

async function answer(
  tool: BoundTool,
  given: Record<string, unknown>,
  { caller, services, runner, signal, trace }: CallMeans,
): Promise<CallToolResult> {
  const { operation, input } = tool;
  try {
    if (operation.scope !== null) requireScope(caller, operation.scope);
    checkNames(input.schema, given);
    const { params, query, body } = input.split(given);
    // REST refuses these by the length of the body.
    if (operation.maxBytes !== undefined && JSON.stringify(body ?? null).length > operation.maxBytes)
      throw Object.assign(new Error('too large'), { statusCode: 413 });
    const { body: answer } = await runner.run(operation, {
      params,
      query,
      body,
      caller,
      ifMatch: null,
      signal,
      trace,
      // The same target as REST has: a key used there and here is one request.
      target: `${operation.path} ${operation.path.replace(/:([a-z_]+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))}`,
      idempotencyKey: undefined,
    });
    const whole = (answer ?? {}) as Record<string, unknown>;
    const structured = tool.shape?.(whole, caller) ?? whole;
    return { content: [{ type: 'text', text: JSON.stringify(structured) }], structuredContent: structured };
  } catch (error) {
    const problem = problemOf(error, newId('req', services.clock.now()), operation.maxBytes ?? 0);
    if (problem.code === 'PAO_INTERNAL')
      services.logger.error({ err: error, request_id: problem.request_id, tool: tool.name }, 'tool failed');
    const lines = [
      problem.detail,
      ...problem.errors.map(
        ({ pointer, message, hint }) =>
          `- ${pointer === '' ? '' : `${pointer} `}${message}${hint === undefined ? '' : ` (${hint})`}`,
      ),
      ...problem.hints.map((hint) => `Try: ${hint}`),
    ];
    return {
      content: [{ type: 'text', text: services.redactor.redactText(lines.join('\n')) }],
      isError: true,
    };
  }
}

/** @throws PaoError 422 for a part that is missing or that there is not, with the nearest one. */
function checkNames(schema: ToolInput['schema'], given: Record<string, unknown>): void {
  const known = Object.keys(schema.properties);
  const problems = [
    ...(schema.required ?? [])
      .filter((name) => given[name] === undefined)
      .map((name) => ({ pointer: `/${name}`, message: 'is missing' })),
    ...(schema.additionalProperties === false ? Object.keys(given) : [])
      .filter((name) => !known.includes(name))
      .map((name) => {
        const meant = nearest(name, known);
        return {
          pointer: `/${cut(name, 80)}`,
          message: 'is not part of the input',
          hint: meant === null ? `There are: ${known.join(', ')}` : `Did you mean ${meant}?`,
        };
      }),
  ];
  if (problems.length > 0) throw invalidInput('The input is not valid.', problems);
}
