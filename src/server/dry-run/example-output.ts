type Schema = Record<string, unknown>;

/** Levels of a schema that are filled in. */
const MAX_DEPTH = 6;

/**
 * A value of the shape a JSON Schema describes, for a tool that is not called: what it names itself (`const`, `examples`,
 * `default`, `enum`), else an empty one of its type. null when the schema says nothing.
 */
export function exampleOf(schema: unknown, depth = 0): unknown {
  if (schema === null || typeof schema !== 'object' || depth > MAX_DEPTH) return null;
  const { const: fixed, examples, default: usual, enum: choices, type, properties, items } = schema as Schema;
  if (fixed !== undefined) return fixed;
  if (Array.isArray(examples) && examples.length > 0) return examples[0];
  if (usual !== undefined) return usual;
  if (Array.isArray(choices) && choices.length > 0) return choices[0];
  const kind = Array.isArray(type) ? type[0] : type;
  if (kind === 'object' || (kind === undefined && properties !== undefined)) {
    return Object.fromEntries(
      Object.entries((properties ?? {}) as Schema).map(([name, one]) => [name, exampleOf(one, depth + 1)]),
    );
  }
  if (kind === 'array') return items === undefined ? [] : [exampleOf(items, depth + 1)];
  if (kind === 'string') return '';
  if (kind === 'number' || kind === 'integer') return 0;
  if (kind === 'boolean') return false;
  return null;
}
