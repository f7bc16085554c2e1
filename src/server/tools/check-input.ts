import { PaoError } from '../../domain/errors.js';
import { compileSchema } from '../../domain/pipeline/schema-check.js';
import { ToolError } from '../../domain/tool-error.js';
import type { Tool } from '../../domain/tool.js';

/** Whether a schema allows anything. */
export const allowsAnything = (schema: Record<string, unknown>): boolean => {
  for (const _key in schema) return false;
  return true;
};

/** @throws ToolError `invalid_input` with a pointer, `config_error` when the schema can not be used. */
export function checkInput(tool: Tool, input: unknown): void {
  if (allowsAnything(tool.input_schema)) return;
  const [first, ...more] = schemaOf(tool, tool.input_schema, 'input').check(input);
  if (!first) return;
  const rest = more.length === 0 ? '' : ` (and ${more.length} more)`;
  throw new ToolError(
    'invalid_input',
    `The input of ${tool.address} is wrong at ${first.pointer || '/'}: ${first.message}${rest}`,
    {
      pointer: first.pointer,
      details: { problems: [first, ...more].slice(0, 20) },
    },
  );
}

/** The compiled schema of a tool. @throws ToolError `config_error` when it can not be used. */
export function schemaOf(tool: Tool, schema: Record<string, unknown>, which: string) {
  try {
    return compileSchema(schema);
  } catch (error) {
    if (!(error instanceof PaoError)) throw error;
    throw new ToolError(
      'config_error',
      `The ${which} schema of ${tool.address} cannot be used: ${error.problems[0]?.message ?? error.message}`,
      {
        cause: error,
      },
    );
  }
}
