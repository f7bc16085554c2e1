import { PaoError, type Problem } from './errors.js';
import { isObject } from './pipeline/expression/json-values.js';
import { impossibleInput } from './pipeline/impossible-schema.js';
import { compileSchema } from './pipeline/schema-check.js';
import { problemsFromZod } from './problems-from-zod.js';
import { type Tool, toolSchema } from './tool.js';

/**
 * Reads a tool and checks it as a whole, the schemas in it too.
 * @returns the tool, or every problem with its pointer.
 */
export function readTool(input: unknown): { tool: Tool; problems: [] } | { tool: null; problems: Problem[] } {
  const parsed = toolSchema.safeParse(input);
  const schemas = schemaProblems(parsed.success ? parsed.data : isObject(input) ? input : {});
  if (parsed.success && schemas.length === 0) return { tool: parsed.data, problems: [] };
  const faults = parsed.success ? [] : problemsFromZod(parsed.error, input, toolSchema);
  return { tool: null, problems: [...faults, ...schemas] };
}

/** What is wrong with the input and output schema of a tool. */
export function schemaProblems(tool: { input_schema?: unknown; output_schema?: unknown }): Problem[] {
  return (['input_schema', 'output_schema'] as const).flatMap((field) => {
    const schema = tool[field];
    // What is no object at all has been told by the schema of the tool.
    if (!isObject(schema)) return [];
    return schemaFaults(schema, field === 'input_schema').map((one) => ({
      ...one,
      pointer: `/${field}${one.pointer}`,
    }));
  });
}

/** What is wrong with the schemas of the tools that a catalog file has written out, also when its form is wrong elsewhere. */
export function catalogSchemaProblems(catalog: unknown): Problem[] {
  const tools: unknown = isObject(catalog) ? catalog['tools'] : undefined;
  if (!Array.isArray(tools)) return [];
  return tools.flatMap((tool: unknown, index) =>
    isObject(tool)
      ? schemaProblems(tool).map((one) => ({ ...one, pointer: `/tools/${index}${one.pointer}` }))
      : [],
  );
}

function schemaFaults(schema: object, isInput: boolean): Problem[] {
  const impossible = isInput ? impossibleInput(schema) : null;
  const faults = compileFaults(schema);
  if (impossible === null) return faults;
  // The compiler stops at some contradictions as well, and says less well where.
  return [impossible, ...faults.filter(({ pointer }) => pointer !== '' && pointer !== impossible.pointer)];
}

function compileFaults(schema: object): Problem[] {
  try {
    compileSchema(schema);
    return [];
  } catch (error) {
    if (!(error instanceof PaoError)) throw error;
    return error.problems.length > 0 ? error.problems : [{ pointer: '', message: error.message }];
  }
}
