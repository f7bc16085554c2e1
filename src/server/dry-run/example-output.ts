import type { Tool } from '../../domain/tool.js';

type Schema = Record<string, unknown>;

/** Levels of a schema that are filled in. */
const MAX_DEPTH = 6;
/** What a string of a format looks like. */
const FORMATS: Record<string, string> = {
  'date-time': '2026-01-01T00:00:00Z',
  date: '2026-01-01',
  time: '00:00:00Z',
  email: 'someone@example.org',
  uri: 'https://example.org/',
};

/** What a tool that is not called would answer, by what it or the call says of its output; null when nothing does. */
export function exampleAnswer(tool: Tool, input: unknown): unknown {
  if (tool.kind !== 'llm') return exampleOf(tool.output_schema);
  // A model answers in the form that it is asked for, or in words.
  const { schema } = (input ?? {}) as { schema?: unknown };
  return schema === undefined ? (exampleOf(tool.output_schema) ?? { text: '' }) : exampleOf(schema);
}

/**
 * A value of the shape a JSON Schema describes, for a tool that is not called: what it names itself (`const`, `examples`,
 * `default`, `enum`), else an empty one of its type, a list with one item. null when the schema says nothing.
 */
export function exampleOf(schema: unknown, depth = 0, root: unknown = schema): unknown {
  if (schema === null || typeof schema !== 'object' || depth > MAX_DEPTH) return null;
  const one = schema as Schema;
  if (one.const !== undefined) return one.const;
  if (Array.isArray(one.examples) && one.examples.length > 0) return one.examples[0];
  if (one.default !== undefined) return one.default;
  if (Array.isArray(one.enum) && one.enum.length > 0) return one.enum[0];
  const inner = (other: unknown) => exampleOf(other, depth + 1, root);
  if (typeof one.$ref === 'string') return inner(referred(one.$ref, root));
  if (Array.isArray(one.allOf))
    return merged([{ ...one, allOf: undefined }, ...(one.allOf as unknown[])].map(inner));
  const [choice] = (one.oneOf ?? one.anyOf ?? []) as unknown[];
  if (choice !== undefined) return inner(choice);
  const kind = Array.isArray(one.type) ? (one.type as unknown[])[0] : one.type;
  if (kind === 'object' || (kind === undefined && one.properties !== undefined)) {
    return Object.fromEntries(
      Object.entries((one.properties ?? {}) as Schema).map(([name, other]) => [name, inner(other)]),
    );
  }
  if (kind === 'array') return one.items === undefined ? [] : [inner(one.items)];
  if (kind === 'string') return FORMATS[String(one.format)] ?? '';
  if (kind === 'number' || kind === 'integer') return typeof one.minimum === 'number' ? one.minimum : 0;
  if (kind === 'boolean') return false;
  return null;
}

/** A part of the same document, by its JSON Pointer (`#/$defs/item`). */
function referred(reference: string, root: unknown): unknown {
  if (!reference.startsWith('#')) return null;
  const names = reference.slice(1).split('/').slice(1);
  return names.reduce<unknown>(
    (at, name) => (at as Schema | null | undefined)?.[name.replaceAll('~1', '/').replaceAll('~0', '~')],
    root,
  );
}

/** Objects as one; the first value that is none otherwise. */
function merged(values: unknown[]): unknown {
  const objects = values.filter(
    (value) => value !== null && typeof value === 'object' && !Array.isArray(value),
  );
  if (objects.length > 0) return Object.assign({}, ...objects) as unknown;
  return values.find((value) => value !== null) ?? null;
}
