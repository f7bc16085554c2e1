import type { Problem } from '../../domain/errors.js';
import { jsonPointer, valueAt } from '../../domain/problems-from-zod.js';
import { ToolError } from '../../domain/tool-error.js';
import type { Tool } from '../../domain/tool.js';
import { parseTemplate } from './connector-template.js';
import { mapResponse } from './response-map.js';

/** Where a connector holds templates. */
const TEMPLATED = [
  ['http', 'url'],
  ['http', 'headers'],
  ['http', 'query'],
  ['http', 'body'],
  ['mcp', 'server', 'url'],
  ['mcp', 'server', 'headers'],
  ['mcp', 'server', 'env'],
  ['llm', 'headers'],
];

/** What is written in a connector and could never be filled in or applied: told when it is added, not when it is called. */
export function connectorProblems(tool: Tool): Problem[] {
  const problems: Problem[] = TEMPLATED.flatMap((path) => templateProblems(valueAt(tool, path), path));
  const map = tool.http?.response?.map;
  if (map !== undefined) {
    const problem = attempt(['http', 'response', 'map'], () =>
      mapResponse(map, { status: 200, headers: {}, body: null }, 'UTC'),
    );
    problems.push(...problem);
  }
  return problems;
}

function templateProblems(value: unknown, path: string[]): Problem[] {
  if (typeof value === 'string') return attempt(path, () => parseTemplate(value));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => templateProblems(inner, [...path, key]));
}

function attempt(path: string[], work: () => unknown): Problem[] {
  try {
    work();
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    // On an answer that is empty a mapping may fail; only what can never be read is a problem here.
    if (error.kind === 'config_error') return [{ pointer: jsonPointer(path), message: error.message }];
  }
  return [];
}
