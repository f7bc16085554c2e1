import {
  fromJsonSchema,
  type JsonSchemaType,
  type StandardSchemaWithJSON,
} from '@modelcontextprotocol/server';
import type { Operation } from '../operation.js';
import { type ToolDefinition, toolDefinitions } from './surface.js';
import { jsonSchema, type ToolInput, toolInput } from './tool-input.js';

/** A tool of the MCP server with the operation behind it. */
export interface BoundTool {
  name: string;
  title: string;
  description: string;
  operation: Operation;
  input: ToolInput;
  shape: ToolDefinition['shape'];
  inputSchema: StandardSchemaWithJSON;
  outputSchema: StandardSchemaWithJSON;
  annotations: {
    readOnlyHint: boolean;
    destructiveHint: boolean;
    idempotentHint: boolean;
    openWorldHint: boolean;
  };
}

/**
 * Binds every tool to its operation, in the order of their names.
 * @throws Error when a tool names an operation that there is not.
 */
export function bindTools(operations: readonly Operation[]): BoundTool[] {
  const byName = new Map(operations.map((one) => [one.name, one]));
  return toolDefinitions
    .map((definition): BoundTool => {
      const operation = byName.get(definition.operation);
      if (operation === undefined)
        throw new Error(`The tool ${definition.name} needs the operation ${definition.operation}.`);
      const input = toolInput(definition, operation);
      const isRead = operation.method === 'GET' || definition.isReadOnly === true;
      return {
        name: definition.name,
        title: definition.title,
        description: definition.description,
        operation,
        input,
        shape: definition.shape,
        inputSchema: schemaOf(input.schema),
        outputSchema: schemaOf(jsonSchema(definition.answer)),
        annotations: {
          readOnlyHint: isRead,
          destructiveHint: definition.isDestructive ?? false,
          idempotentHint: isRead || (definition.isIdempotent ?? false),
          openWorldHint: false,
        },
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The operation checks its input and knows better how to say what is wrong; here the schema only tells a client. */
const takesAll: Parameters<typeof fromJsonSchema>[1] = {
  getValidator:
    <T>() =>
    (data: unknown) => ({ valid: true as const, data: data as T & {}, errorMessage: undefined }),
};

const schemaOf = (schema: object): StandardSchemaWithJSON =>
  fromJsonSchema(schema as JsonSchemaType, takesAll);
