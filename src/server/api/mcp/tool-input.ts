import { z } from 'zod';
import type { Operation } from '../operation.js';
import type { ToolDefinition } from './surface.js';

type JsonObject = Record<string, unknown>;

/** An operation's input as one flat object: what a model writes, taken apart again for the operation. */
export interface ToolInput {
  /** JSON Schema 2020-12. */
  schema: {
    type: 'object';
    properties: JsonObject;
    required?: string[];
    additionalProperties?: false;
  };
  split(given: JsonObject): { params: Record<string, string>; query: JsonObject; body: unknown };
}

const ABOUT_PARAMETER: Record<string, string> = {
  tasks: 'Name or id of the task',
  runs: 'Id of the run: run_…',
  approvals: 'Id of the approval: apr_…',
};

/** @throws Error when two parts of the operation's input have a name in common. */
export function toolInput(definition: ToolDefinition, operation: Operation): ToolInput {
  const path = [...operation.path.matchAll(/:([a-z_]+)/g)].map((match) => match[1] as string);
  const about = ABOUT_PARAMETER[operation.path.split('/')[2] ?? ''] ?? 'Its name';
  const query = objectSchema(operation.query);
  const body = objectSchema(operation.body);
  const queryNames = Object.keys(query.properties);
  const wholeBody = definition.bodyIn;
  const split: ToolInput['split'] = (given) => {
    const params: Record<string, string> = {};
    const queryPart: JsonObject = {};
    const rest: JsonObject = {};
    for (const [name, value] of Object.entries(given)) {
      if (path.includes(name)) params[name] = String(value);
      else if (queryNames.includes(name)) queryPart[name] = value;
      else rest[name] = value;
    }
    const hasBody = operation.body !== undefined || Object.keys(rest).length > 0;
    return { params, query: queryPart, body: hasBody ? (wholeBody ? rest[wholeBody] : rest) : undefined };
  };
  if (definition.input !== undefined)
    return { schema: jsonSchema(definition.input) as ToolInput['schema'], split };
  const names = [...path, ...queryNames, ...Object.keys(body.properties)];
  if (new Set(names).size !== names.length)
    throw new Error(`${definition.name} has one name twice: ${names.join(', ')}`);
  return {
    schema: {
      type: 'object',
      properties: {
        ...Object.fromEntries(path.map((name) => [name, { type: 'string', description: about }])),
        ...query.properties,
        ...body.properties,
      },
      required: [...path, ...query.required, ...body.required],
      additionalProperties: false,
    },
    split,
  };
}

function objectSchema(schema: z.ZodType | undefined): { properties: JsonObject; required: string[] } {
  if (schema === undefined) return { properties: {}, required: [] };
  const { properties = {}, required = [] } = jsonSchema(schema) as {
    properties?: JsonObject;
    required?: string[];
  };
  return { properties, required };
}

/** JSON Schema 2020-12 of what a caller writes. */
export function jsonSchema(schema: z.ZodType): JsonObject {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
  }) as JsonObject;
  return rest;
}
